//! A spec of chosen transactions, out of one or more specs, with the order that
//! closes a predicted cycle. No I/O.

use super::predict::Candidate;
use super::rows::{self, Swap};
use super::spec::{Permutation, SessionSpec, Spec, SqlBlock, Step, StepIndex};

/// A transaction to choose from: a session of a spec.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction<'a> {
    pub(super) spec: &'a Spec,
    pub(super) session: usize,
    /// What was recorded before it and made the data that it needs.
    pub(super) before: &'a [String],
}

impl Transaction<'_> {
    /// `spec/session`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.spec.name, self.spec.sessions[self.session].name)
    }
}

/// A spec in which the candidate's transactions meet, with the one order that closes the cycle.
pub(super) fn combine(transactions: &[Transaction<'_>], candidate: &Candidate) -> Spec {
    let mut combined = Spec {
        name: "predicted".into(),
        path: "predicted.spec".into(),
        expectation: super::spec::Expectation::None,
        setups: Vec::new(),
        teardown: None,
        sessions: Vec::new(),
        permutations: Vec::new(),
        unused_steps: Vec::new(),
    };
    let mut used: Vec<&str> = Vec::new();
    let mut teardowns = Vec::new();
    for (number, (member, swaps)) in candidate.members.iter().zip(&candidate.swaps).enumerate() {
        let transaction = transactions[member.transaction];
        if !used.contains(&transaction.spec.name.as_str()) {
            used.push(&transaction.spec.name);
            combined.setups.extend(transaction.spec.setups.iter().cloned());
            teardowns.extend(transaction.spec.teardown.iter().map(|block| block.sql.clone()));
        }
        combined.sessions.push(numbered(transaction, number + 1, swaps));
    }
    // The longest holds the others: it is set up once, in a session's setup, as nothing undoes it.
    let before = candidate.members.iter().map(|member| transactions[member.transaction].before);
    if let Some(before) = before.max_by_key(|before| before.len()).filter(|before| !before.is_empty()) {
        combined.sessions[0].setup = Some(SqlBlock { sql: before.join(";\n"), line: 0 });
    }
    if !teardowns.is_empty() {
        let teardown: Vec<&str> = teardowns.iter().map(|sql| sql.trim_end().trim_end_matches(';')).collect();
        combined.teardown = Some(SqlBlock { sql: format!("{};", teardown.join("; ")), line: 0 });
    }
    let held = candidate.members.iter().enumerate();
    let held =
        held.flat_map(|(session, member)| (0..member.step).map(move |step| StepIndex { session, step }));
    let wanted = candidate
        .members
        .iter()
        .enumerate()
        .map(|(session, member)| StepIndex { session, step: member.step });
    let steps: Vec<StepIndex> = held.chain(wanted).collect();
    combined.permutations = vec![Permutation::plain(&steps)];
    combined
}

/// The session with names that are unique beside a second run of itself.
fn numbered(transaction: Transaction<'_>, number: usize, swaps: &[Swap]) -> SessionSpec {
    let session = &transaction.spec.sessions[transaction.session];
    let step = |(index, step): (usize, &Step)| Step {
        name: format!("t{number}_{}", step.name),
        sql: rows::with_rows(&step.sql, index, swaps),
        line: step.line,
    };
    SessionSpec {
        name: format!("t{number} {}", session.name),
        setup: session.setup.clone(),
        steps: session.steps.iter().enumerate().map(step).collect(),
        teardown: session.teardown.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::predict::Stuck;
    use super::*;
    use crate::project::transaction::SpecFile;

    fn read(name: &str, text: &str) -> Spec {
        let file = SpecFile { name: name.into(), path: "a.spec".into(), text: text.into() };
        super::super::spec::parse(&file).expect("a spec")
    }

    #[test]
    fn the_combined_spec_is_one_that_can_be_read() {
        let first = read(
            "one",
            "setup { A; }\nteardown { B; }\nsession x setup { BEGIN; } step s { S; } step \"session\" { T; }",
        );
        let second = read("two", "setup { C; }\nteardown { D }\nsession y step s { U; } step v { V; }");
        let transactions = [
            Transaction { spec: &first, session: 0, before: &[] },
            Transaction { spec: &second, session: 0, before: &[] },
        ];
        let members = vec![Stuck { transaction: 0, step: 1 }, Stuck { transaction: 1, step: 1 }];
        let combined = combine(&transactions, &Candidate::plain(members));
        insta::assert_snapshot!(combined.to_text(), @r#"
        setup { A; }
        setup { C; }
        teardown { B; D; }

        session "t1 x"
        setup { BEGIN; }
        step t1_s { S; }
        step t1_session { T; }

        session "t2 y"
        step t2_s { U; }
        step t2_v { V; }

        permutation t1_s t2_s t1_session t2_v
        "#);
        let again = read("again", &combined.to_text());
        assert_eq!(again.permutations, combined.permutations);
        assert_eq!(again.sessions.len(), 2);
    }

    #[test]
    fn a_transaction_meets_itself_under_two_names() {
        let spec = read("one", "setup { A; }\nsession x step s { S; } step t { T; }");
        let transactions = [Transaction { spec: &spec, session: 0, before: &[] }];
        let members = vec![Stuck { transaction: 0, step: 1 }, Stuck { transaction: 0, step: 1 }];
        let combined = combine(&transactions, &Candidate::plain(members));
        assert_eq!(combined.setups.len(), 1, "one setup makes the tables once");
        assert_eq!(combined.replay_line(&combined.permutations[0]), "permutation t1_s t2_s t1_t t2_t");
    }
}
