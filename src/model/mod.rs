//! Plain data that every part speaks. No I/O, no serialisation: formats that
//! leave the program live in `report/`.

mod finding;
mod kept_plans;
mod measurement;
mod progress;
mod run_report;
mod verdict;
mod warning;

pub mod codes;
pub mod evidence;

pub use finding::{Finding, Severity, SourceLocation};
pub use kept_plans::{KeptPlans, KeptQuery, KeptSet, KeptTable};
pub use measurement::{Interval, Measurement, Metric, Unit, Variant, confidence_percent};
pub use progress::{Progress, Quiet};
pub use run_report::{
    Durability, Environment, RunReport, Scenario, ScenarioReport, TargetDescription, TargetKind,
};
pub use verdict::Verdict;
pub use warning::MeasurementWarning;
