//! A spec file, parsed and checked: the grammar of PostgreSQL's isolation
//! tester (`src/test/isolation/README` of the server's source), so that
//! existing specs run. Every name is resolved here; what comes out cannot
//! refer to a step that does not exist.

use super::expectation;
pub use super::expectation::Expectation;
use super::parse::{self, Parsed};
use crate::project::diagnostic::Diagnostic;
use crate::project::transaction::SpecFile;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

/// A spec file, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The file name without `.spec`.
    pub name: String,
    /// Relative to the project folder.
    pub path: PathBuf,
    /// What the file says it hides on purpose.
    pub expectation: Expectation,
    /// Run one after another, each as one query string, before every permutation.
    pub setups: Vec<SqlBlock>,
    /// Run after every permutation.
    pub teardown: Option<SqlBlock>,
    /// At least one.
    pub sessions: Vec<SessionSpec>,
    /// The orders the file asks for; empty: all interleavings.
    pub permutations: Vec<Permutation>,
    /// Names of steps that no permutation uses, by name.
    pub unused_steps: Vec<String>,
}

/// SQL sent as one query string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlBlock {
    /// As the isolation tester sends it.
    pub sql: String,
    /// One-based line of its opening brace.
    pub line: usize,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSpec {
    /// Its name.
    pub name: String,
    /// Run before every permutation.
    pub setup: Option<SqlBlock>,
    /// At least one, in the order in which interleavings take them.
    pub steps: Vec<Step>,
    /// Run after every permutation.
    pub teardown: Option<SqlBlock>,
}

/// What one session sends at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Unique in the file.
    pub name: String,
    /// As the isolation tester sends it.
    pub sql: String,
    /// One-based line of its name.
    pub line: usize,
}

/// Which step of which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepIndex {
    /// Position in [`Spec::sessions`].
    pub session: usize,
    /// Position in [`SessionSpec::steps`].
    pub step: usize,
}

/// An order in which steps are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permutation {
    /// In order.
    pub steps: Vec<PermutationStep>,
}

/// A step in a permutation, with what delays the report of its completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermutationStep {
    /// Which step.
    pub step: StepIndex,
    /// What must have happened before its completion is reported.
    pub blockers: Vec<Blocker>,
}

/// What delays the report of a step's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocker {
    /// `(*)`: reported as waiting once in any case.
    Once,
    /// `(step)`: until that step is not active.
    Step(StepIndex),
    /// `(step notices n)`: until that step's session has sent so many notices since the launch.
    Notices(StepIndex, u32),
}

impl Spec {
    /// The step itself.
    #[must_use]
    pub fn step(&self, index: StepIndex) -> &Step {
        &self.sessions[index.session].steps[index.step]
    }

    /// Whether a spec makes its data anew before every order, or cleans up after it.
    #[must_use]
    pub fn resets_itself(&self) -> bool {
        !self.setups.is_empty() || self.teardown.is_some()
    }

    /// Whether a spec limits its waits, so that a blocked step may end by itself and how the limit
    /// compares with `deadlock_timeout` is part of what it tests.
    #[must_use]
    pub fn limits_waits(&self) -> bool {
        self.all_sql().any(|sql| sql.to_lowercase().replace("deadlock_timeout", "").contains("_timeout"))
    }

    /// Whether sessions choose their own `deadlock_timeout`.
    #[must_use]
    pub fn sets_deadlock_timeout(&self) -> bool {
        self.all_sql().any(|sql| sql.to_lowercase().contains("deadlock_timeout"))
    }

    /// Whether a transaction may see a snapshot of its own, so that the order of reads matters
    /// beyond locks.
    #[must_use]
    pub fn uses_snapshots(&self) -> bool {
        self.all_sql().any(|sql| {
            let sql = sql.to_lowercase();
            ["serializable", "repeatable", "transaction_isolation"].iter().any(|word| sql.contains(word))
        })
    }

    fn all_sql(&self) -> impl Iterator<Item = &str> {
        let blocks =
            self.setups.iter().chain(self.sessions.iter().filter_map(|session| session.setup.as_ref()));
        let steps = self.sessions.iter().flat_map(|session| &session.steps).map(|step| step.sql.as_str());
        blocks.map(|block| block.sql.as_str()).chain(steps)
    }

    /// A permutation as a line that can be put into the file to replay it.
    #[must_use]
    pub fn replay_line(&self, permutation: &Permutation) -> String {
        let names = permutation.steps.iter().map(|step| quoted(&self.step(step.step).name));
        format!("permutation {}", names.collect::<Vec<_>>().join(" "))
    }
}

impl Spec {
    /// The text of a file that reads as this spec; blockers of permutations are left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let block = |word: &str, block: &SqlBlock| format!("{word} {{ {} }}\n", block.sql);
        let mut text: String = self.setups.iter().map(|setup| block("setup", setup)).collect();
        text.extend(self.teardown.iter().map(|teardown| block("teardown", teardown)));
        for session in &self.sessions {
            text.push_str(&format!("\nsession {}\n", quoted(&session.name)));
            text.extend(session.setup.iter().map(|setup| block("setup", setup)));
            for step in &session.steps {
                text.push_str(&format!("step {} {{ {} }}\n", quoted(&step.name), step.sql));
            }
            text.extend(session.teardown.iter().map(|teardown| block("teardown", teardown)));
        }
        if !self.permutations.is_empty() {
            text.push('\n');
        }
        for permutation in &self.permutations {
            text.push_str(&self.replay_line(permutation));
            text.push('\n');
        }
        text
    }
}

impl Permutation {
    /// An order without blockers.
    #[must_use]
    pub fn plain(steps: &[StepIndex]) -> Self {
        let steps = steps.iter().map(|&step| PermutationStep { step, blockers: Vec::new() }).collect();
        Self { steps }
    }
}

fn quoted(name: &str) -> String {
    const RESERVED: [&str; 6] = ["notices", "permutation", "session", "setup", "step", "teardown"];
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$')
        && name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && !RESERVED.contains(&name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// Reads and checks one file.
///
/// # Errors
///
/// Every problem found, each with its place: a file with a syntax error has one, otherwise all
/// unresolved and duplicate names are listed.
pub fn parse(file: &SpecFile) -> Result<Spec, Vec<Diagnostic>> {
    let diagnostic = |span: Range<usize>, message: String, help: Option<String>| Diagnostic {
        path: file.path.clone(),
        text: file.text.clone(),
        span: Some(span),
        message,
        help,
    };
    let mut problems = Vec::new();
    let expectation = expectation::of_file(&file.text).unwrap_or_else(|span| {
        problems.push(diagnostic(
            span,
            "this is no expectation".into(),
            Some(format!("write `# plimsoll: expect` and one of {}", Expectation::WORDS)),
        ));
        Expectation::None
    });
    let parsed = match parse::parse(&file.text) {
        Ok(parsed) => parsed,
        Err(error) => {
            problems.push(diagnostic(error.span, error.message, error.help));
            return Err(problems);
        }
    };
    let mut names = Names::new(&parsed, |span, message, help| problems.push(diagnostic(span, message, help)));
    let permutations =
        names.permutations(&parsed, |span, message, help| problems.push(diagnostic(span, message, help)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let unused_steps = if permutations.is_empty() { Vec::new() } else { names.unused() };
    let sessions = parsed.sessions.into_iter().map(|session| SessionSpec {
        name: session.name.text,
        setup: session.setup,
        steps: session
            .steps
            .into_iter()
            .map(|step| Step { line: step.name.line, name: step.name.text, sql: step.sql })
            .collect(),
        teardown: session.teardown,
    });
    Ok(Spec {
        name: file.name.clone(),
        path: file.path.clone(),
        expectation,
        setups: parsed.setups,
        teardown: parsed.teardown,
        sessions: sessions.collect(),
        permutations,
        unused_steps,
    })
}

/// Step names and what they stand for.
struct Names {
    steps: HashMap<String, StepIndex>,
    used: HashMap<String, bool>,
}

impl Names {
    fn new(parsed: &Parsed, mut problem: impl FnMut(Range<usize>, String, Option<String>)) -> Self {
        let mut steps = HashMap::new();
        let mut lines: HashMap<&str, usize> = HashMap::new();
        for (session, declared) in parsed.sessions.iter().enumerate() {
            for (step, declared) in declared.steps.iter().enumerate() {
                let name = &declared.name;
                if let Some(line) = lines.insert(&name.text, name.line) {
                    let help = format!("it is taken in line {line}: step names are unique in the whole file");
                    problem(name.span.clone(), format!("duplicate step name `{}`", name.text), Some(help));
                }
                steps.insert(name.text.clone(), StepIndex { session, step });
            }
        }
        let used = steps.keys().map(|name| (name.clone(), false)).collect();
        Self { steps, used }
    }

    fn permutations(
        &mut self,
        parsed: &Parsed,
        mut problem: impl FnMut(Range<usize>, String, Option<String>),
    ) -> Vec<Permutation> {
        let mut permutations = Vec::new();
        for declared in &parsed.permutations {
            let mut steps = Vec::new();
            for entry in declared {
                let Some(&step) = self.steps.get(&entry.name.text) else {
                    let message = format!("undefined step `{}` in a permutation", entry.name.text);
                    problem(entry.name.span.clone(), message, self.nearest(&entry.name.text));
                    continue;
                };
                self.used.insert(entry.name.text.clone(), true);
                let blockers = entry.blockers.iter().filter_map(|blocker| {
                    self.blocker(blocker, step, declared)
                        .map_err(|message| problem(blocker.span(), message, None))
                        .ok()
                });
                steps.push(PermutationStep { step, blockers: blockers.collect() });
            }
            permutations.push(Permutation { steps });
        }
        permutations
    }

    fn blocker(
        &self,
        blocker: &parse::Blocker,
        blocked: StepIndex,
        permutation: &[parse::PermutationEntry],
    ) -> Result<Blocker, String> {
        let (name, notices) = match blocker {
            parse::Blocker::Once(_) => return Ok(Blocker::Once),
            parse::Blocker::Step(name) => (&name.text, None),
            parse::Blocker::Notices(name, count) => (&name.text, Some(*count)),
        };
        let is_in_permutation = permutation.iter().any(|entry| entry.name.text == *name);
        let step = self
            .steps
            .get(name)
            .filter(|_| is_in_permutation)
            .ok_or_else(|| format!("undefined blocking step `{name}`: no step of this permutation"))?;
        if step.session == blocked.session {
            return Err(format!("a step cannot wait for `{name}` of its own session"));
        }
        Ok(notices.map_or(Blocker::Step(*step), |count| Blocker::Notices(*step, count)))
    }

    fn nearest(&self, name: &str) -> Option<String> {
        let near = self
            .steps
            .keys()
            .map(|known| (similar::TextDiff::from_chars(name, known).ratio(), known))
            .filter(|(ratio, _)| *ratio > 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1)))?;
        Some(format!("did you mean `{}`?", near.1))
    }

    fn unused(&self) -> Vec<String> {
        let mut unused: Vec<String> =
            self.used.iter().filter(|(_, used)| !**used).map(|(name, _)| name.clone()).collect();
        unused.sort();
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SpecFile {
        SpecFile { name: "t".into(), path: "transactions/t.spec".into(), text: text.into() }
    }

    fn problems(text: &str) -> Vec<String> {
        parse(&file(text))
            .expect_err("problems")
            .iter()
            .map(|problem| {
                let (line, column) = problem.line_and_column().expect("a place");
                let help = problem.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
                format!("{line}:{column}: {}{help}", problem.message)
            })
            .collect()
    }

    #[test]
    fn the_whole_grammar_is_read() {
        let spec = parse(&file(
            "# plimsoll: expect deadlock\nsetup { create table t(); }\nsetup { select 1; }\nteardown { drop table t; }\n\
             session s1\nsetup { begin; }\nstep a { select 1; }\nstep \"step\" { commit; }\nteardown { abort; }\n\
             session \"s 2\"\nstep b { select 2; }\nstep unused { }\n\
             permutation a b(*, a, \"step\" notices 2) \"step\"\npermutation b a a\n",
        ))
        .expect("a spec");
        assert_eq!(spec.expectation, Expectation::Deadlock);
        assert_eq!(spec.setups.len(), 2);
        assert_eq!(spec.sessions[1].name, "s 2");
        assert_eq!(spec.unused_steps, ["unused"]);
        let (a, commit) = (StepIndex { session: 0, step: 0 }, StepIndex { session: 0, step: 1 });
        assert_eq!(
            spec.permutations[0].steps[1].blockers,
            [Blocker::Once, Blocker::Step(a), Blocker::Notices(commit, 2)]
        );
        assert_eq!(spec.permutations[1].steps.len(), 3);
        assert_eq!(spec.replay_line(&spec.permutations[0]), "permutation a b \"step\"");
        assert_eq!(spec.step(commit).line, 8);
    }

    #[test]
    fn every_name_problem_is_listed_with_its_place() {
        insta::assert_snapshot!(
            problems(
                "session s1\nstep lock_a { }\nstep lock_a { }\nsession s2\nstep lock_b { }\nstep c { }\n\
                 permutation lok_b nothing\npermutation lock_a lock_b(c)\npermutation lock_b(c) c\n"
            )
            .join("\n"),
            @r"
        3:6: duplicate step name `lock_a` (it is taken in line 2: step names are unique in the whole file)
        7:13: undefined step `lok_b` in a permutation (did you mean `lock_b`?)
        7:19: undefined step `nothing` in a permutation
        8:27: undefined blocking step `c`: no step of this permutation
        9:20: a step cannot wait for `c` of its own session
        "
        );
    }

    #[test]
    fn an_unknown_expectation_is_no_silent_default() {
        assert_eq!(
            problems("\n  # plimsoll: expect often\nsession s step a { }"),
            [
                "2:1: this is no expectation (write `# plimsoll: expect` and one of none, deadlock, serialization-failure, lock-timeout, unique-violation or queue-reordered)"
            ]
        );
    }

    #[test]
    fn a_syntax_error_points_at_the_token_and_says_what_belongs_there() {
        insta::assert_snapshot!(
            [
                "",
                "setup { }",
                "session step { }",
                "session s",
                "session s step a",
                "session s step a { } permutation",
                "session s step a { } permutation a(",
                "session s step a { } permutation a(a notices)",
                "session s step a { } setup { }",
                "session s step a { } teardown { } step b { }",
            ]
            .map(|text| format!("{text:?}\n   {}", problems(text).join("\n   ")))
            .join("\n"),
            @r#"
        ""
           1:1: a session is missing: the file ends here
        "setup { }"
           1:10: a session is missing: the file ends here
        "session step { }"
           1:9: a name belongs here, found the reserved word `step` (put a reserved word in double quotes to use it as a name)
        "session s"
           1:10: a step is missing: the file ends here
        "session s step a"
           1:17: an SQL block is missing: the file ends here
        "session s step a { } permutation"
           1:33: a step name is missing: the file ends here
        "session s step a { } permutation a("
           1:36: a step name or `*` is missing: the file ends here
        "session s step a { } permutation a(a notices)"
           1:45: a number belongs here, found `)`
        "session s step a { } setup { }"
           1:22: a step, a session or a permutation belongs here, found the reserved word `setup`
        "session s step a { } teardown { } step b { }"
           1:35: a session or a permutation belongs here, found the reserved word `step`
        "#
        );
    }
}
