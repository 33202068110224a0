//! What the system needs to find in a file to run it, looked at before anything is started.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What of a file the system looks at to tell how it is run.
const BYTES_READ: u64 = 256;
/// What text editors put before the first line, where they are asked to.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file that may be executed is no program, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramFault {
    /// Text without `#!`, or with nothing behind it.
    #[error(
        "its first line names no interpreter: begin it with `#!/bin/sh`, or name the interpreter before it"
    )]
    NoInterpreter,
    /// A byte order mark hides the `#!`.
    #[error("it begins with a byte order mark, so that its `#!` is not seen: save it as UTF-8 without one")]
    ByteOrderMark,
    /// The first line ends in CR LF.
    #[error(
        "its first line ends in CR LF, and the CR is read as a part of `{name}`: convert its line ends to LF"
    )]
    LineEnds {
        /// The name that the carriage return follows.
        name: String,
    },
    /// What the first line names cannot be run.
    #[error("its interpreter `{path}` is not there, or is no program: install it, or correct the first line")]
    Interpreter {
        /// What the first line names.
        path: PathBuf,
    },
}

/// A file that we may execute.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// What keeps an executable file from being run; nothing where that cannot be told, as of a file
/// that may be run but not read.
pub(super) fn fault(path: &Path) -> Option<ProgramFault> {
    let mut start = Vec::new();
    std::fs::File::open(path).ok()?.take(BYTES_READ).read_to_end(&mut start).ok()?;
    fault_in(&start, is_executable)
}

/// The same of a file's first bytes.
fn fault_in(start: &[u8], is_executable: impl Fn(&Path) -> bool) -> Option<ProgramFault> {
    if start.starts_with(BYTE_ORDER_MARK) && start[BYTE_ORDER_MARK.len()..].starts_with(b"#!") {
        return Some(ProgramFault::ByteOrderMark);
    }
    let Some(rest) = start.strip_prefix(b"#!") else {
        // ELF, Mach-O and whatever else a system is taught to run have zeros in their headers.
        return (!start.contains(&0)).then_some(ProgramFault::NoInterpreter);
    };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_cut_off = line.len() == rest.len() && start.len() as u64 == BYTES_READ;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next().filter(|word| *word != b"\r") else {
        return (!is_cut_off).then_some(ProgramFault::NoInterpreter);
    };
    let argument = words.next();
    if let Some(name) = [Some(interpreter), argument.filter(|_| is_env(interpreter))]
        .into_iter()
        .flatten()
        .find_map(|word| word.strip_suffix(b"\r"))
    {
        return Some(ProgramFault::LineEnds { name: String::from_utf8_lossy(name).into_owned() });
    }
    let path = PathBuf::from(OsStr::from_bytes(interpreter));
    let is_whole = argument.is_some() || !is_cut_off;
    (is_whole && !is_executable(&path)).then_some(ProgramFault::Interpreter { path })
}

/// `env` looks for the program that its argument names.
fn is_env(interpreter: &[u8]) -> bool {
    interpreter.ends_with(b"/env")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(start: impl AsRef<[u8]>) -> Option<ProgramFault> {
        let there = ["/bin/sh", "/usr/bin/env", "/usr/bin/perl"];
        fault_in(start.as_ref(), |path| there.iter().any(|known| path == Path::new(known)))
    }

    #[test]
    fn programs_and_scripts_with_an_interpreter_pass() {
        for start in [
            &b"\x7fELF\x02\x01\x01\0\0"[..],
            b"\xcf\xfa\xed\xfe\x0c\0\0\x01",
            b"\xca\xfe\xba\xbe\0\0\0\x02",
            b"#!/bin/sh",
            b"#!/bin/sh\necho",
            b"#! \t/bin/sh -e \necho\r\n",
            b"#!/usr/bin/env bash\n",
            b"#!/usr/bin/perl -w\r\n",
        ] {
            assert_eq!(of(start), None, "{}", String::from_utf8_lossy(start));
        }
        // The interpreter goes on behind what is read.
        assert_eq!(of(format!("#!/{}", "a".repeat(253))), None);
        assert_eq!(fault(&std::env::current_exe().unwrap()), None);
    }

    #[test]
    fn what_cannot_be_run_says_why() {
        let ends = |name: &str| ProgramFault::LineEnds { name: name.into() };
        for (start, expected) in [
            ("", ProgramFault::NoInterpreter),
            ("echo hello\n", ProgramFault::NoInterpreter),
            ("#!", ProgramFault::NoInterpreter),
            ("#! \t\n/bin/sh\n", ProgramFault::NoInterpreter),
            ("#!\r\n", ProgramFault::NoInterpreter),
            ("# !/bin/sh\n", ProgramFault::NoInterpreter),
            ("\u{feff}#!/bin/sh\n", ProgramFault::ByteOrderMark),
            ("#!/bin/sh\r\necho\r\n", ends("/bin/sh")),
            ("#!/usr/bin/env bash\r\n", ends("bash")),
            ("#!/bin/s\n", ProgramFault::Interpreter { path: "/bin/s".into() }),
            ("#!/opt/python3 -u\n", ProgramFault::Interpreter { path: "/opt/python3".into() }),
        ] {
            assert_eq!(of(start), Some(expected), "{start:?}");
        }
    }
}
