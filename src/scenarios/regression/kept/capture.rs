//! The plans of every query on a database as it is. Reads only, but for
//! queries that write, which are rolled back where they may run at all.

use crate::model::{KeptPlans, KeptQuery, KeptSet, KeptTable, Progress};
use crate::postgres::{Error, Target, physical};
use crate::scenarios::regression::capture::plans_of;
use crate::scenarios::regression::cases::Case;

/// What could be kept, and what not.
#[derive(Debug, Default)]
pub struct Kept {
    /// The plans.
    pub plans: KeptPlans,
    /// Queries left out, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Plans of every case.
///
/// # Errors
/// A connection breaks. A query that the server refuses is left out.
pub async fn capture(
    target: &Target,
    database: &str,
    cases: &[Case],
    progress: &dyn Progress,
) -> Result<Kept, Error> {
    let session = target.connect_to(database).await?;
    let mut kept = Kept::default();
    kept.plans.server_version = target.description().server_version.clone();
    kept.plans.tables = tables(&physical::tables(&session).await?);
    progress.phase("reading plans", Some(cases.len() as u64));
    for (done, case) in (1u64..).zip(cases) {
        let mut sets = Vec::new();
        let mut refused =
            case.unexplainable().map(|statement| format!("EXPLAIN does not take `{}`", statement.sql));
        for parameters in &case.parameter_sets {
            if refused.is_some() {
                break;
            }
            match plans_of(&session, case, parameters).await {
                Ok(plans) => sets.push(KeptSet {
                    label: parameters.label.clone(),
                    values: parameters.values.clone(),
                    plans: plans.into_iter().map(|(json, _)| json).collect(),
                }),
                Err(Error::Server(report)) => refused = Some(report.to_string()),
                Err(other) => return Err(other),
            }
        }
        match refused {
            Some(reason) => {
                // A transaction that failed in the middle.
                session.batch_execute("ROLLBACK").await?;
                kept.left_out.push((case.query.clone(), reason));
            }
            None => kept.plans.queries.push(KeptQuery {
                query: case.query.clone(),
                statements: case.statements.iter().map(|statement| statement.sql.clone()).collect(),
                sets,
            }),
        }
        progress.advance_to(done);
    }
    Ok(kept)
}

fn tables(states: &[physical::TableState]) -> Vec<KeptTable> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
    let table = |state: &physical::TableState| KeptTable {
        name: state.name.clone(),
        bare_name: state.bare_name.clone(),
        rows: state.rows as u64,
    };
    states.iter().map(table).collect()
}
