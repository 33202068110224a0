//! What a scenario, or one of its subjects, comes to.

/// The outcome of a question. Every verdict but `Pass` and `Fail` says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The evidence says the answer is good.
    Pass,
    /// The evidence says it is not; findings say what and why.
    Fail,
    /// The evidence does not decide.
    Inconclusive {
        /// What would decide it, as a phrase after "would be decided by".
        needs: String,
    },
    /// The question was not asked.
    Skipped {
        /// Why not, as a phrase after "because".
        reason: String,
    },
}

impl Verdict {
    /// `pass`, `fail`, `inconclusive` or `skipped`: the word used in every output.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Skipped { .. } => "skipped",
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Skipped { .. } => 0,
            Self::Pass => 1,
            Self::Inconclusive { .. } => 2,
            Self::Fail => 3,
        }
    }

    /// The verdict of several: a failure outweighs doubt, doubt outweighs a
    /// pass, and a pass outweighs what was skipped. `None` for no verdicts.
    #[must_use]
    pub fn of_all<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        verdicts.into_iter().max_by(|a, b| a.rank().cmp(&b.rank()).then(std::cmp::Ordering::Greater)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn a_failure_outweighs_doubt_and_doubt_a_pass() {
        let doubt = Verdict::Inconclusive { needs: "more samples".into() };
        let skipped = Verdict::Skipped { reason: "no specs".into() };
        assert_eq!(Verdict::of_all([&doubt, &Verdict::Fail, &Verdict::Pass]), Some(Verdict::Fail));
        assert_eq!(Verdict::of_all([&Verdict::Pass, &doubt]), Some(doubt));
        assert_eq!(Verdict::of_all([&Verdict::Pass, &skipped]), Some(Verdict::Pass));
        assert_eq!(Verdict::of_all([]), None);
    }
}
