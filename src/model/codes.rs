//! What every code stands for: the one source of the rules in SARIF and of
//! the tables in `docs/findings.md`.

mod findings;
mod warnings;

pub use findings::FINDINGS;
pub use warnings::WARNINGS;

/// A code that findings or warnings carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Stable and kebab-case: CI filters on it.
    pub code: &'static str,
    /// The scenarios that say it; empty where any can.
    pub scenarios: &'static str,
    /// `fail`, `warn` or `note`, and when; `doubt` for a warning.
    pub severity: &'static str,
    /// What it says, a phrase.
    pub says: &'static str,
    /// Why it is said, and what it is not, in a sentence or two.
    pub meaning: &'static str,
    /// What a person does now, a sentence.
    pub next_step: &'static str,
}

impl Code {
    /// The code as one word of words: `over-budget` is `OverBudget`.
    #[must_use]
    pub fn name(&self) -> String {
        let capital = |word: &str| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        };
        self.code.split('-').filter_map(capital).collect()
    }

    /// What it says, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut letters = self.says.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).chain(['.']).collect()
    }
}

/// What a finding's code stands for; `None` for one of another version of Plimsoll.
#[must_use]
pub fn of_finding(code: &str) -> Option<&'static Code> {
    FINDINGS.iter().find(|known| known.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences_come_from_the_entry() {
        let code = of_finding("over-budget").unwrap();
        assert_eq!(code.name(), "OverBudget");
        assert!(code.sentence().starts_with("A time ") && code.sentence().ends_with('.'));
        assert_eq!(of_finding("no-such-code"), None);
    }

    #[test]
    fn every_entry_is_whole_and_there_once() {
        for table in [FINDINGS, WARNINGS] {
            for entry in table {
                assert_eq!(
                    table.iter().filter(|other| other.code == entry.code).count(),
                    1,
                    "{}",
                    entry.code
                );
                for text in [entry.says, entry.meaning, entry.next_step, entry.severity] {
                    assert!(!text.is_empty() && text.trim() == text && !text.contains('|'), "{}", entry.code);
                }
                let ends =
                    (entry.says.ends_with('.'), entry.meaning.ends_with('.'), entry.next_step.ends_with('.'));
                assert_eq!(ends, (false, true, true), "{}", entry.code);
            }
        }
    }
}
