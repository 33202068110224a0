//! What is fixed before the first sample: looks, error, caps.

use super::Options;
use super::budget::{is_of_server, is_timed};
use super::counters::Caps;
use super::schedule::{CONNECTIONS_MAX, SAMPLES_PER_CONNECTION, Schedule, warm_up};
use crate::model::TargetKind;
use crate::model::evidence::slow_queries::DecisionRule;
use crate::prepare::Context;
use crate::project::budget::Budget;
use crate::project::query::Query;
use crate::project::settings::Volume;
use crate::stats::quantile::samples_needed;
use std::time::Duration;

/// What is fixed before the first sample.
pub(super) struct MeasuringPlan {
    /// Fewest connections before a fast query that is decided may be left alone.
    pub(super) connections_min: usize,
    pub(super) schedule: Schedule,
    pub(super) time_budgets: usize,
    pub(super) run_confidence: f64,
    pub(super) max: Duration,
    pub(super) max_samples: u64,
    /// Whether the project declared every query cold.
    pub(super) all_cold: bool,
    /// Whether one query is at least.
    pub(super) cold: bool,
}

impl MeasuringPlan {
    pub(super) fn new(
        context: &Context<'_>,
        options: &Options,
        queries: &[&Query],
        volumes: &[Volume],
    ) -> Self {
        let settings = &context.project.settings.slow_queries;
        let holds_at = |volume: &Volume| {
            let budgets = queries.iter().flat_map(|query| &query.budgets);
            budgets
                .filter(|b| is_timed(b) && b.volume.as_deref().is_none_or(|only| only == volume.name))
                .count()
        };
        let time_budgets: usize = volumes.iter().map(holds_at).sum();
        let connections_min = settings.connections as usize;
        let affordable = usize::try_from(settings.max_samples).unwrap_or(usize::MAX) / SAMPLES_PER_CONNECTION;
        let connections_max = affordable.clamp(1, CONNECTIONS_MAX);
        Self {
            connections_min,
            schedule: Schedule::new(connections_min, connections_max, time_budgets, options.confidence),
            time_budgets,
            run_confidence: options.confidence,
            max: Duration::from_secs_f64(settings.max_seconds.clamp(0.001, 86_400.0)),
            max_samples: settings.max_samples,
            all_cold: settings.cold,
            cold: settings.cold || queries.iter().any(|query| query.is_cold),
        }
    }

    pub(super) fn caps(&self, context: &Context<'_>) -> Caps {
        Caps {
            statement: self.max,
            query: self.max / 4,
            may_write: context.target.description().kind != TargetKind::Precious,
            server_times: 0,
            writes: false,
        }
    }

    /// How many of the server's own times these budgets need: thrice what the interval of a
    /// median takes at least, so that a few delayed ones do not leave it undecided.
    pub(super) fn server_times(&self, budgets: &[Budget]) -> usize {
        if budgets.iter().any(is_of_server) {
            3 * usize::try_from(samples_needed(0.5, self.schedule.confidence)).unwrap_or(usize::MAX / 3)
        } else {
            0
        }
    }

    pub(super) fn rule(&self) -> DecisionRule {
        DecisionRule {
            confidence: self.run_confidence,
            time_budgets: self.time_budgets,
            looks: self.schedule.looks.len(),
            each: 0.5 * (1.0 + self.schedule.confidence),
            warm_up: warm_up(0.0),
            cold: self.cold,
        }
    }
}
