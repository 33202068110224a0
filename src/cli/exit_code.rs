//! The exit codes, published once: scripts and CI depend on them.

/// How a run of the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Every verdict passes.
    Pass,
    /// A verdict fails; with `--strict` also an inconclusive one.
    Fail,
    /// Wrong usage or project file.
    Usage,
    /// The environment failed: server unreachable, rights, disk.
    Environment,
    /// Interrupted; the partial report is written.
    Interrupted,
    /// A bug in Plimsoll.
    Bug,
    /// A wrapped command's own non-zero code, which wins.
    Child(u8),
}

impl From<ExitCode> for u8 {
    fn from(code: ExitCode) -> Self {
        match code {
            ExitCode::Pass => 0,
            ExitCode::Fail => 1,
            ExitCode::Usage => 2,
            ExitCode::Environment => 3,
            ExitCode::Interrupted => 4,
            ExitCode::Bug => 70,
            ExitCode::Child(code) => code,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(u8::from(code))
    }
}
