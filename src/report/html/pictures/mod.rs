//! The evidence as pictures: SVG and tables of our own, no script. Every
//! picture says in words what it shows.

mod budgets;
mod data;
mod deadlock;
mod deadlock_sweep;
mod growth;
mod latency;
mod load;
mod n_plus_one;
mod over_time;
mod plan_trees;
mod regression;
mod scale;
mod sequence;
mod svg;
pub(super) mod trend;

use crate::model::evidence::Evidence;

/// The figures of one scenario, as markup.
pub(super) fn of(evidence: &Evidence) -> Vec<String> {
    match evidence {
        Evidence::None => Vec::new(),
        Evidence::Load(evidence) => load::figures(evidence),
        Evidence::SlowQueries(evidence) => budgets::figures(evidence),
        Evidence::Regression(evidence) => regression::figures(evidence),
        Evidence::Deadlock(evidence) => {
            let mut figures = deadlock::figures(evidence);
            figures.extend(deadlock_sweep::figures(evidence));
            figures
        }
        Evidence::NPlusOne(evidence) => n_plus_one::figures(evidence),
    }
}
