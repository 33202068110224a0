//! One execution, and all it found and measured.

use super::evidence::Evidence;
use super::{Finding, Measurement, MeasurementWarning, Verdict};

/// The four questions, by the names used verbatim everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// Does the application ask per row what it could ask once?
    NPlusOne,
    /// Can these transactions deadlock?
    Deadlock,
    /// What did this migration do to every query?
    Regression,
    /// Does every critical query stay within its budget?
    SlowQueries,
    /// Which rate does the database hold? Not one of the four: a command of its own, that no
    /// `run` includes, reported the same way.
    Load,
}

impl Scenario {
    /// In the order in which they run and are reported.
    pub const ALL: [Self; 4] = [Self::SlowQueries, Self::Regression, Self::Deadlock, Self::NPlusOne];

    /// The four, and `load`: what a report can hold.
    pub const REPORTED: [Self; 5] =
        [Self::SlowQueries, Self::Regression, Self::Deadlock, Self::NPlusOne, Self::Load];

    /// `n-plus-one`, `deadlock`, `regression`, `slow-queries` or `load`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NPlusOne => "n-plus-one",
            Self::Deadlock => "deadlock",
            Self::Regression => "regression",
            Self::SlowQueries => "slow-queries",
            Self::Load => "load",
        }
    }
}

/// What kind of database is under test, and so what may be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// We started the server.
    Throwaway,
    /// We created or the user marked the database.
    Disposable,
    /// Anything else: read only.
    Precious,
}

impl TargetKind {
    /// `throwaway`, `disposable` or `precious`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Throwaway => "throwaway",
            Self::Disposable => "disposable",
            Self::Precious => "precious",
        }
    }
}

/// The server's durability while measuring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// `fsync`.
    pub fsync: bool,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `full_page_writes`.
    pub full_page_writes: bool,
}

/// The database under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDescription {
    /// What may be done to it.
    pub kind: TargetKind,
    /// `server_version`, such as `15.18`.
    pub server_version: String,
    /// `server_version_num`, such as `150018`.
    pub server_version_num: u32,
    /// Its durability while measuring.
    pub durability: Durability,
}

impl TargetDescription {
    /// The version without the packager's addition: `15.18`.
    #[must_use]
    pub fn short_version(&self) -> &str {
        self.server_version.split_whitespace().next().unwrap_or(&self.server_version)
    }

    /// `15` of version 15.18.
    #[must_use]
    pub fn major_version(&self) -> u32 {
        self.server_version_num / 10_000
    }
}

/// Where and of what the run was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Commit of the project's repository, where there is one.
    pub git_commit: Option<String>,
    /// Branch of the project's repository, where there is one.
    pub git_branch: Option<String>,
    /// Logical processors.
    pub cpu_count: usize,
    /// `linux`, `macos`.
    pub operating_system: String,
    /// The processor's name as the operating system has it, where it has one.
    pub processor: Option<String>,
}

impl Environment {
    /// The first eight digits of the commit.
    #[must_use]
    pub fn short_commit(&self) -> Option<&str> {
        self.git_commit.as_deref().map(|commit| commit.get(..8).unwrap_or(commit))
    }

    /// As far as the two say: a processor that only one of them names tells nothing.
    #[must_use]
    pub fn is_same_machine(&self, other: &Self) -> bool {
        let processors = self.processor.as_ref().zip(other.processor.as_ref());
        (self.cpu_count, &self.operating_system) == (other.cpu_count, &other.operating_system)
            && processors.is_none_or(|(one, other)| one == other)
    }
}

/// What one scenario found and measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioReport {
    /// Which question.
    pub scenario: Scenario,
    /// The answer.
    pub verdict: Verdict,
    /// One sentence that says what the verdict rests on, such as `12 of 12 queries within budget`.
    pub summary: String,
    /// Defects, worst first.
    pub findings: Vec<Finding>,
    /// Numbers.
    pub measurements: Vec<Measurement>,
    /// The scenario's own evidence, for pictures and detail tables.
    pub evidence: Evidence,
    /// Doubt.
    pub warnings: Vec<MeasurementWarning>,
    /// Wall time of the scenario, in milliseconds.
    pub duration_ms: u64,
}

/// One execution of Plimsoll.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// Unique, sorts by time.
    pub run_id: String,
    /// Start, UTC, RFC 3339.
    pub started_at: String,
    /// Plimsoll's version.
    pub plimsoll_version: String,
    /// The project's name (its folder's).
    pub project: String,
    /// The database under test, known once connected.
    pub target: Option<TargetDescription>,
    /// Where and of what.
    pub environment: Environment,
    /// Replays everything random.
    pub seed: u64,
    /// The queries, specs or recordings that the command named, where it named any: nothing else was asked about.
    pub confined_to: Vec<String>,
    /// One entry per scenario asked for, in running order.
    pub scenarios: Vec<ScenarioReport>,
    /// Doubt about the whole run.
    pub warnings: Vec<MeasurementWarning>,
    /// False while running, and for ever where the run was cut short.
    pub complete: bool,
    /// Whether an inconclusive verdict fails, as asked with `--strict`.
    pub strict: bool,
}

impl RunReport {
    /// Whether the scenario's doubt fails the run: its verdict is inconclusive, and that was asked to fail.
    #[must_use]
    pub fn fails_in_doubt(&self, scenario: &ScenarioReport) -> bool {
        self.strict && matches!(scenario.verdict, Verdict::Inconclusive { .. })
    }

    /// The verdict of the whole run. A run that was cut short can have failed,
    /// but it cannot have passed.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let so_far = Verdict::of_all(self.scenarios.iter().map(|s| &s.verdict));
        match so_far {
            Some(Verdict::Fail) => Verdict::Fail,
            _ if !self.complete => Verdict::Inconclusive { needs: "a run that is not cut short".into() },
            Some(verdict) => verdict,
            None => Verdict::Skipped { reason: "no scenario ran".into() },
        }
    }
}
