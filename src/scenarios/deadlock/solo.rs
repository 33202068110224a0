//! Every session of a spec run alone, step by step, with its locks read after
//! each step, and rolled back.

use super::footprint::{Footprint, Held, Mode, Object, StepFootprint};
use super::options::Options;
use super::spec::Spec;
use super::waits;
use crate::postgres::locks::{Lock, LockQuestions};
use crate::postgres::row_locks::{RowLockReader, TableRowLocks};
use crate::postgres::{ObservedSession, Target};
use std::time::Duration;

/// Runs every session alone, each on a clone of its own. `Err` inside: the setup failed, in the
/// server's words.
pub(super) async fn footprints(
    spec: &Spec,
    target: &Target,
    source: &str,
    options: &Options,
) -> anyhow::Result<Result<Vec<Footprint>, String>> {
    let mut footprints = Vec::new();
    for index in 0..spec.sessions.len() {
        let database = target.clone_database(source, &format!("alone_{}", spec.name)).await?;
        let result = footprint(spec, index, target, &database, options).await;
        target.drop_database(&database).await?;
        match result? {
            Ok(footprint) => footprints.push(footprint),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(footprints))
}

async fn footprint(
    spec: &Spec,
    index: usize,
    target: &Target,
    database: &str,
    options: &Options,
) -> anyhow::Result<Result<Footprint, String>> {
    let questions = LockQuestions::new(target.connect_to(database).await?).await?;
    let reader = match options.ignores_pgrowlocks {
        true => RowLockReader::Xmax,
        false => RowLockReader::install(questions.control()).await?,
    };
    let control = target.observe(&target.config_for(database)).await?;
    for block in &spec.setups {
        if let Some(error) = control.execute(&block.sql).await.error {
            return Ok(Err(error.to_string()));
        }
    }
    let session = target.observe(&target.config_for(database)).await?;
    let alone = Alone { questions: &questions, reader, session: &session, limit: options.step_timeout };
    Ok(Ok(alone.run(spec, index).await?))
}

struct Alone<'a> {
    questions: &'a LockQuestions,
    reader: RowLockReader,
    session: &'a ObservedSession,
    limit: Duration,
}

impl Alone<'_> {
    async fn run(&self, spec: &Spec, index: usize) -> anyhow::Result<Footprint> {
        let session = &spec.sessions[index];
        let mut footprint = Footprint {
            statements: session.steps.iter().map(|step| step.sql.clone()).collect(),
            ..Footprint::default()
        };
        let mut failed = None;
        if let Some(block) = &session.setup {
            failed = self.execute(&block.sql).await.err();
            footprint.start = self.held(&[], "").await?.held;
        }
        for step in &session.steps {
            let mut rows = 0;
            if failed.is_none() {
                match self.execute(&step.sql).await {
                    Ok(count) => rows = count,
                    Err(error) => failed = Some(error),
                }
            }
            if let Some(error) = &failed {
                footprint
                    .steps
                    .push(StepFootprint { error: Some(error.clone()), ..StepFootprint::default() });
                continue;
            }
            let before = footprint.before(footprint.steps.len()).to_vec();
            let held = self.held(&before, &step.sql).await?;
            footprint.steps.push(StepFootprint { rows, ..held });
        }
        Ok(footprint)
    }

    /// How many rows it returned or changed.
    async fn execute(&self, sql: &str) -> Result<u64, String> {
        match tokio::time::timeout(self.limit, self.session.start(sql)).await {
            Ok(Ok(outcome)) => outcome.error.map_or(Ok(outcome.rows), |error| Err(error.to_string())),
            _ => Err("it did not end in time when it ran alone".into()),
        }
    }

    /// Everything the session holds now.
    async fn held(&self, before: &[Held], sql: &str) -> anyhow::Result<StepFootprint> {
        let locks = self.questions.snapshot(&[self.session.backend_pid()]).await?.locks;
        let xids: Vec<String> = locks
            .iter()
            .filter(|lock| lock.kind == "transactionid")
            .filter_map(|lock| lock.object.clone())
            .collect();
        let mut footprint = StepFootprint::default();
        for lock in &locks {
            let Some(held) = table_or_advisory(lock) else { continue };
            let Object::Relation(relation) = &held.object else {
                footprint.held.push(held);
                continue;
            };
            let locks_rows = held.mode == Mode::Table(1) || held.mode == Mode::Table(2);
            if locks_rows && matches!(lock.relation_kind, Some('r')) {
                match self.reader.read(self.questions.control(), relation, &xids).await? {
                    TableRowLocks::Unknown => footprint.blurred.push(relation.clone()),
                    TableRowLocks::Rows(rows) => {
                        // Which rows is known, how they are locked is guessed: no order may be left out.
                        if self.reader == RowLockReader::Xmax && !rows.is_empty() {
                            footprint.blurred.push(relation.clone());
                        }
                        for row in rows {
                            match row.key {
                                Some(key) => add(
                                    &mut footprint.held,
                                    Object::Row { relation: row.relation, key },
                                    Mode::Row(row.mode),
                                ),
                                None => footprint.blurred.push(row.relation),
                            }
                        }
                    }
                }
            }
            footprint.held.push(held);
        }
        // New rows are visible to nobody else: the statement stands for its keys.
        let is_in_transaction = footprint.held.iter().any(|held| held.mode >= Mode::Table(1));
        let kept = before.iter().filter(|held| held.mode == Mode::Insert && is_in_transaction);
        footprint.held.extend(kept.cloned());
        if let Some(relation) = inserted_into(sql, &footprint.held) {
            let statement = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            add(&mut footprint.held, Object::Inserted { relation, statement }, Mode::Insert);
        }
        Ok(footprint)
    }
}

fn add(held: &mut Vec<Held>, object: Object, mode: Mode) {
    match held.iter_mut().find(|known| known.object == object) {
        Some(known) => known.mode = known.mode.max(mode),
        None => held.push(Held { object, mode }),
    }
}

fn table_or_advisory(lock: &Lock) -> Option<Held> {
    if !lock.is_granted {
        return None;
    }
    let mode = Mode::Table(waits::mode_rank(&lock.mode));
    match lock.kind.as_str() {
        // Locks of an index go with its table's.
        "relation" if lock.relation_kind != Some('i') && lock.relation_kind != Some('I') => {
            let relation = lock.relation.clone()?;
            let is_catalog = relation.starts_with("pg_") || relation.starts_with("information_schema.");
            (!is_catalog).then_some(Held { object: Object::Relation(relation), mode })
        }
        "advisory" => {
            Some(Held { object: Object::Advisory(waits::advisory_key(lock.object.as_deref()?)), mode })
        }
        _ => None,
    }
}

/// The table a step inserts into, of those it holds.
fn inserted_into(sql: &str, held: &[Held]) -> Option<String> {
    let lower = sql.to_lowercase();
    let after = lower.split("insert into ").nth(1)?.trim_start();
    let name: String =
        after.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"')).collect();
    let bare = name.rsplit('.').next().unwrap_or(&name).trim_matches('"').to_owned();
    held.iter().find_map(|held| match &held.object {
        Object::Relation(relation) => {
            let known = relation.rsplit('.').next().unwrap_or(relation).trim_matches('"').to_lowercase();
            (known == bare).then(|| relation.clone())
        }
        _ => None,
    })
}
