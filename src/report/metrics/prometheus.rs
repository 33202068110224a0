//! Prometheus' text format: for the textfile collector of `node_exporter`, and
//! for a Pushgateway. Without times, which neither of them takes.

use super::{Family, families};
use crate::model::RunReport;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::io;

/// Writes the run's gauges, each with the project as a label, and
/// `plimsoll_run_info` with what the run was made of.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(report: &RunReport, out: &mut dyn io::Write) -> io::Result<()> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Gauges {
        project: report.project.clone(),
        run: run_labels(report),
        families: families(report),
    }));
    let mut text = String::new();
    encode_registry(&mut text, &registry).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}

/// What changes from run to run: on one gauge only, so that it does not
/// multiply the series of the others.
fn run_labels(report: &RunReport) -> Vec<(&'static str, String)> {
    let mut labels =
        vec![("run_id", report.run_id.clone()), ("plimsoll_version", report.plimsoll_version.clone())];
    labels.extend(report.environment.git_commit.iter().map(|commit| ("git_commit", commit.clone())));
    labels.extend(report.environment.git_branch.iter().map(|branch| ("git_branch", branch.clone())));
    labels.extend(report.target.iter().map(|target| ("server_version", target.short_version().to_owned())));
    labels
}

#[derive(Debug)]
struct Gauges {
    project: String,
    run: Vec<(&'static str, String)>,
    families: Vec<Family>,
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let info = "What the last run was made of";
        let mut metric = encoder.encode_descriptor("plimsoll_run_info", info, None, MetricType::Gauge)?;
        ConstGauge::new(1.0).encode(metric.encode_family(&self.labelled(&self.run))?)?;
        for family in &self.families {
            let mut metric =
                encoder.encode_descriptor(family.prometheus_name, family.help, None, MetricType::Gauge)?;
            for point in &family.points {
                ConstGauge::new(point.value).encode(metric.encode_family(&self.labelled(&point.labels))?)?;
            }
        }
        Ok(())
    }
}

impl Gauges {
    fn labelled(&self, labels: &[(&'static str, String)]) -> Vec<(String, String)> {
        let project = Some(("project".to_owned(), self.project.clone())).filter(|(_, name)| !name.is_empty());
        let project = project.into_iter();
        project.chain(labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Gauges, Registry, encode_registry};

    #[test]
    fn a_label_with_a_quote_a_backslash_and_a_line_break_stays_one_label() {
        let mut registry = Registry::default();
        let run = vec![("run_id", "say \"x\" \\ and\nmore".to_owned())];
        registry.register_collector(Box::new(Gauges { project: "p".into(), run, families: Vec::new() }));
        let mut text = String::new();
        encode_registry(&mut text, &registry).unwrap();
        let sample = r#"plimsoll_run_info{project="p",run_id="say \"x\" \\ and\nmore"} 1.0"#;
        assert_eq!(text.lines().last(), Some(sample), "{text}");
    }
}
