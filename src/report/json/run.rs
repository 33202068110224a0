//! The published form of the run report itself.

use super::mirror::{Mirror, Real};
use crate::model::evidence::Evidence;
use crate::model::{
    Durability, Environment, Finding, Interval, Measurement, MeasurementWarning, RunReport, Scenario,
    ScenarioReport, Severity, SourceLocation, TargetDescription, TargetKind, Unit, Variant, Verdict,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mirror! {
    /// Which of the four questions, or `load`.
    words ScenarioName of Scenario {
        NPlusOne = "n-plus-one",
        Deadlock = "deadlock",
        Regression = "regression",
        SlowQueries = "slow-queries",
        Load = "load",
    }

    /// What may be done to the database under test.
    words Kind of TargetKind { Throwaway = "throwaway", Disposable = "disposable", Precious = "precious" }

    /// How a finding bears on the verdict.
    words SeverityWord of Severity { Note = "note", Warning = "warning", Failure = "failure" }

    /// Which side of a comparison.
    words VariantWord of Variant { Only = "only", Before = "before", After = "after" }

    /// The unit of a value.
    words UnitWord of Unit {
        Microseconds = "us",
        Blocks = "blocks",
        Rows = "rows",
        Bytes = "bytes",
        Ratio = "ratio",
        Count = "count",
        PerSecond = "per_second",
        Cost = "cost",
    }

    /// The server's durability while measuring.
    struct DurabilityOfServer of Durability { fsync: bool, synchronous_commit: String, full_page_writes: bool }

    /// The database under test.
    struct Target of TargetDescription {
        kind: Kind,
        server_version: String,
        server_version_num: u32,
        durability: DurabilityOfServer,
    }

    /// Where and of what the run was made.
    struct Machine of Environment {
        git_commit: Option<String>,
        git_branch: Option<String>,
        cpu_count: usize,
        operating_system: String,
        processor: Option<String>,
    }

    /// Where in the project, relative to its folder.
    struct Location of SourceLocation { path: String, line: usize }

    /// A defect, with its evidence and what to do next.
    struct FindingEntry of Finding {
        code: String,
        severity: SeverityWord,
        subject: String,
        message: String,
        evidence: Vec<String>,
        next_step: String,
        location: Option<Location>,
    }

    /// Bounds that hold the true value with the stated confidence.
    struct Bounds of Interval { low: Real, high: Real, confidence: Real }

    /// One number with what is needed to trust it.
    struct MeasurementEntry of Measurement {
        subject: String,
        metric: String,
        unit: UnitWord,
        value: Real,
        samples: u64,
        interval: Option<Bounds>,
        volume: Option<String>,
        variant: VariantWord,
    }
}

/// `pass`, `fail`, `inconclusive` (with what would decide it) or `skipped` (with the reason).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(super) enum VerdictEntry {
    Pass,
    Fail,
    Inconclusive { needs: String },
    Skipped { reason: String },
}

impl Mirror<Verdict> for VerdictEntry {
    fn mirror(model: &Verdict) -> Self {
        match model {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive { needs } => Self::Inconclusive { needs: needs.clone() },
            Verdict::Skipped { reason } => Self::Skipped { reason: reason.clone() },
        }
    }
    fn restore(self) -> Verdict {
        match self {
            Self::Pass => Verdict::Pass,
            Self::Fail => Verdict::Fail,
            Self::Inconclusive { needs } => Verdict::Inconclusive { needs },
            Self::Skipped { reason } => Verdict::Skipped { reason },
        }
    }
}

/// Doubt about a measurement. The figures behind it are in the message.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct WarningEntry {
    code: String,
    message: String,
}

impl Mirror<MeasurementWarning> for WarningEntry {
    fn mirror(model: &MeasurementWarning) -> Self {
        Self { code: model.code().to_owned(), message: model.message() }
    }
    fn restore(self) -> MeasurementWarning {
        MeasurementWarning::Other { code: super::intern::intern(&self.code), message: self.message }
    }
}

/// One scenario of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct ScenarioEntry {
    scenario: ScenarioName,
    #[serde(flatten)]
    verdict: VerdictEntry,
    /// What the verdict rests on, in one sentence.
    summary: String,
    findings: Vec<FindingEntry>,
    measurements: Vec<MeasurementEntry>,
    warnings: Vec<WarningEntry>,
    duration_ms: u64,
    /// The scenario's own detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<super::evidence::EvidenceEntry>")]
    evidence: Option<serde_json::Value>,
}

impl Mirror<ScenarioReport> for ScenarioEntry {
    fn mirror(model: &ScenarioReport) -> Self {
        Self {
            scenario: Mirror::mirror(&model.scenario),
            verdict: Mirror::mirror(&model.verdict),
            summary: model.summary.clone(),
            findings: Mirror::mirror(&model.findings),
            measurements: Mirror::mirror(&model.measurements),
            warnings: Mirror::mirror(&model.warnings),
            duration_ms: model.duration_ms,
            evidence: super::evidence::to_value(&model.evidence),
        }
    }
    fn restore(self) -> ScenarioReport {
        let had_evidence = self.evidence.is_some();
        let evidence = super::evidence::from_value(self.evidence);
        let mut warnings: Vec<MeasurementWarning> = self.warnings.restore();
        if had_evidence && evidence == Evidence::None {
            warnings.push(MeasurementWarning::Other {
                code: "evidence-of-another-version",
                message:
                    "the detail of this scenario was written by another version of Plimsoll and is left out; \
                          verdict, findings and measurements are whole"
                        .into(),
            });
        }
        ScenarioReport {
            scenario: self.scenario.restore(),
            verdict: self.verdict.restore(),
            summary: self.summary,
            findings: self.findings.restore(),
            measurements: self.measurements.restore(),
            evidence,
            warnings,
            duration_ms: self.duration_ms,
        }
    }
}

/// One execution of Plimsoll, and all it found and measured.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Run {
    /// The version of this format.
    schema_version: u32,
    /// Unique; sorts by time.
    run_id: String,
    /// UTC, RFC 3339.
    started_at: String,
    plimsoll_version: String,
    project: String,
    /// False while running, and for ever where the run was cut short.
    complete: bool,
    /// The verdict of the whole run.
    #[serde(flatten)]
    verdict: VerdictEntry,
    /// Replays everything random.
    seed: u64,
    target: Option<Target>,
    environment: Machine,
    /// The queries, specs or recordings that the command named, where it named any: nothing else was asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    confined_to: Vec<String>,
    scenarios: Vec<ScenarioEntry>,
    warnings: Vec<WarningEntry>,
    /// Whether an inconclusive verdict fails, as asked with `--strict`.
    #[serde(default)]
    strict: bool,
}

impl Run {
    pub(super) fn of(report: &RunReport) -> Self {
        Self {
            schema_version: super::SCHEMA_VERSION,
            run_id: report.run_id.clone(),
            started_at: report.started_at.clone(),
            plimsoll_version: report.plimsoll_version.clone(),
            project: report.project.clone(),
            complete: report.complete,
            verdict: Mirror::mirror(&report.verdict()),
            seed: report.seed,
            target: Mirror::mirror(&report.target),
            environment: Mirror::mirror(&report.environment),
            confined_to: report.confined_to.clone(),
            scenarios: Mirror::mirror(&report.scenarios),
            warnings: Mirror::mirror(&report.warnings),
            strict: report.strict,
        }
    }

    pub(super) fn restore_report(self) -> RunReport {
        RunReport {
            run_id: self.run_id,
            started_at: self.started_at,
            plimsoll_version: self.plimsoll_version,
            project: self.project,
            target: self.target.restore(),
            environment: self.environment.restore(),
            confined_to: self.confined_to,
            seed: self.seed,
            scenarios: self.scenarios.restore(),
            warnings: self.warnings.restore(),
            complete: self.complete,
            strict: self.strict,
        }
    }
}

/// Findings as they are published.
pub(super) fn findings(findings: &[Finding]) -> Vec<FindingEntry> {
    findings.iter().map(FindingEntry::mirror).collect()
}
