//! How much of what was measured a kept run could be compared with.

use super::changes::Baseline;
use crate::model::evidence::slow_queries::QueryEvidence;
use crate::model::{Finding, MeasurementWarning, Severity, Verdict};

/// Queries and parameter sets of a volume, and those among them that the kept run holds as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    queries: usize,
    sets: usize,
    comparable_sets: usize,
    missing: Vec<String>,
}

impl Coverage {
    /// Counts a query with the number of its parameter sets that could be compared; `None` where
    /// the kept run does not hold it.
    pub(crate) fn add(&mut self, query: &QueryEvidence, comparable: Option<usize>) {
        let sets = query.parameter_sets.len().max(query.result_hashes.len());
        if sets == 0 {
            return;
        }
        self.queries += 1;
        self.sets += sets;
        match comparable {
            Some(comparable) => self.comparable_sets += comparable,
            None => self.missing.push(query.query.clone()),
        }
    }

    /// What was left out of the comparison; `None` where nothing was.
    pub(crate) fn warning(&self, baseline: &Baseline, volume: &str) -> Option<MeasurementWarning> {
        (self.comparable_sets < self.sets).then(|| MeasurementWarning::BaselinePartly {
            run_id: baseline.run_id.clone(),
            volume: volume.to_owned(),
            missing: self.missing.clone(),
            queries: self.queries,
            comparable_sets: self.comparable_sets,
            sets: self.sets,
        })
    }

    /// Where nothing could be compared, nothing is known to be as it was.
    pub(crate) fn judge(&self, volume: &str, queries: &mut [QueryEvidence]) -> Vec<Finding> {
        if self.sets == 0 || self.comparable_sets > 0 {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for query in queries.iter_mut().filter(|query| query.verdict == Verdict::Pass) {
            let needs = format!(
                "a --baseline that holds it at volume {volume} with the same parameter values (the same seed and data)"
            );
            findings.push(Finding {
                code: "undecided",
                severity: Severity::Warning,
                subject: query.query.clone(),
                message: format!(
                    "{} may or may not return what it did: nothing could be compared",
                    query.query
                ),
                evidence: Vec::new(),
                next_step: format!("decided by {needs}"),
                location: query.location.clone(),
            });
            query.verdict = Verdict::Inconclusive { needs };
        }
        findings
    }
}
