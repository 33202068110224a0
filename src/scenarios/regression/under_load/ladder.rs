//! How the duration of each statement of a migration grows with the data: the
//! migration alone, without traffic, several times at each volume.

use super::run::Migration;
use crate::model::Progress;
use crate::model::evidence::regression::{DurationGrowth, MigrationUnderLoad};
use crate::postgres::{Error, Target};
use crate::scenarios::regression::{sides, touched};
use crate::stats::clock;
use crate::stats::growth::GrowthPoint;
use crate::stats::projection::project;

/// Executions of the migration at each volume.
const REPEATS: usize = 3;
/// At a volume that took longer than this, it is not executed again, in microseconds.
const LONG_US: f64 = 60e6;
/// Without a size asked for, the largest one measured times this is projected to.
const DEFAULT_FACTOR: u64 = 10;
/// Confidence of a projection's bounds.
const CONFIDENCE: f64 = 0.95;

/// One execution of one statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// The largest table it touches, and its rows.
    pub table: Option<(String, u64)>,
    /// How long it took.
    pub milliseconds: f64,
}

/// Executes the migration alone on clones of each template. One list of rungs
/// per execution, in the order of the statements; one that fails ends its list.
///
/// # Errors
/// A clone cannot be made, or a connection breaks.
pub async fn climb(
    target: &Target,
    templates: &[String],
    migration: &Migration,
    progress: &dyn Progress,
) -> Result<Vec<Vec<Rung>>, Error> {
    progress.phase("migrating at each volume", Some((templates.len() * REPEATS) as u64));
    let (mut climbs, mut done) = (Vec::new(), 0);
    for template in templates {
        for _ in 0..REPEATS {
            let start = clock::now();
            let clone = target.clone_database(template, "ladder").await?;
            let rungs = execute(target, &clone, migration).await;
            target.drop_database(&clone).await?;
            climbs.push(rungs?);
            done += 1;
            progress.advance_to(done);
            if clock::elapsed_us(start) > LONG_US {
                break;
            }
        }
    }
    Ok(climbs)
}

async fn execute(target: &Target, clone: &str, migration: &Migration) -> Result<Vec<Rung>, Error> {
    let session = target.connect_to(clone).await?;
    // Row counts for the axis, and the data in the cache as in a database in use.
    session.batch_execute("ANALYZE").await?;
    sides::prewarm(&session).await?;
    let mut state = touched::state(&session).await?;
    let mut rungs = Vec::new();
    if migration.in_transaction {
        session.batch_execute("BEGIN").await?;
    }
    for step in &migration.steps {
        let start = clock::now();
        let outcome = session.batch_execute(&step.sql).await.map_err(Error::from);
        let milliseconds = clock::elapsed_us(start) / 1000.0;
        match outcome {
            Ok(()) => {}
            Err(Error::Server(_)) => break,
            Err(other) => return Err(other),
        }
        let now = touched::state(&session).await?;
        let tables = touched::compare(&state, &now, &step.sql).tables;
        let sized = tables.into_iter().map(|table| {
            let rows = state.rows_of(&table).max(now.rows_of(&table));
            (table, rows)
        });
        rungs.push(Rung { table: sized.max_by_key(|(_, rows)| *rows), milliseconds });
        state = now;
    }
    if migration.in_transaction {
        session.batch_execute("ROLLBACK").await?;
    }
    Ok(rungs)
}

/// Puts what was measured into the evidence: each statement's growth, and the
/// whole migration's.
pub fn add(load: &mut MigrationUnderLoad, climbs: &[Vec<Rung>], target_rows: Option<u64>) {
    for (index, statement) in load.statements.iter_mut().enumerate() {
        let rungs: Vec<&Rung> = climbs.iter().filter_map(|climb| climb.get(index)).collect();
        statement.growth = growth(&rungs, target_rows);
    }
    let whole = |climb: &Vec<Rung>| Rung {
        table: climb.iter().filter_map(|rung| rung.table.clone()).max_by_key(|(_, rows)| *rows),
        milliseconds: climb.iter().map(|rung| rung.milliseconds).sum(),
    };
    let complete = climbs.iter().map(Vec::len).max().unwrap_or(0);
    let whole: Vec<Rung> = climbs.iter().filter(|climb| climb.len() == complete).map(whole).collect();
    load.growth = growth(&whole.iter().collect::<Vec<_>>(), target_rows);
}

/// `None` where nothing with rows is touched, or at one size only.
fn growth(rungs: &[&Rung], target_rows: Option<u64>) -> Option<DurationGrowth> {
    let table = rungs.last()?.table.as_ref()?.0.clone();
    let rows = |rung: &&Rung| rung.table.as_ref().map_or(0, |(_, rows)| *rows);
    let mut points: Vec<(u64, f64)> = rungs.iter().map(|rung| (rows(rung), rung.milliseconds)).collect();
    points.sort_by_key(|(rows, _)| *rows);
    let largest = points.last().map_or(0, |(rows, _)| *rows);
    let target_rows = target_rows.unwrap_or(largest.saturating_mul(DEFAULT_FACTOR));
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let point = |(rows, value): &(u64, f64)| GrowthPoint { size: *rows as f64, value: *value };
    let measured: Vec<GrowthPoint> = points.iter().map(point).collect();
    #[expect(clippy::cast_precision_loss, reason = "a number of rows")]
    let projected = project(&measured, target_rows as f64, CONFIDENCE)?;
    Some(DurationGrowth {
        table,
        points,
        target_rows,
        projected_ms: projected.value,
        interval: projected.interval.map(Into::into),
        curve: projected.curve.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::regression::StatementUnderLoad;

    #[test]
    fn each_statement_grows_with_its_own_table_and_one_size_projects_nothing() {
        let rung =
            |table: &str, rows: u64, milliseconds| Rung { table: Some((table.into(), rows)), milliseconds };
        let climb = |rows: u64| {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let scan = rows as f64 * 0.01;
            vec![rung("orders", rows, 1.0 + scan), rung("users", rows / 2, 1.0)]
        };
        let climbs: Vec<_> = [1_000, 1_000, 100_000, 100_000].map(climb).into();
        let statement = StatementUnderLoad::default();
        let mut load =
            MigrationUnderLoad { statements: vec![statement.clone(), statement], ..Default::default() };
        add(&mut load, &climbs, Some(1_000_000));
        let orders = load.statements[0].growth.as_ref().unwrap();
        assert_eq!((orders.table.as_str(), orders.target_rows), ("orders", 1_000_000));
        assert!((orders.projected_ms / 10_001.0 - 1.0).abs() < 0.01, "{orders:?}");
        let users = load.statements[1].growth.as_ref().unwrap();
        assert!((users.projected_ms - 1.0).abs() < 0.1, "{users:?}");
        assert_eq!(load.growth.as_ref().unwrap().table, "orders");
        add(&mut load, &climbs[..2], None);
        assert_eq!(load.growth, None);
    }
}
