//! How long work tells a person that it goes on.

/// Receives progress. The terminal implements it; tests and libraries use [`Quiet`].
pub trait Progress: Send + Sync {
    /// A phase begins: a short phrase such as `seeding orders`, and how many
    /// steps it has where that is known.
    fn phase(&self, name: &str, total: Option<u64>);
    /// `done` steps of the phase are behind us.
    fn advance_to(&self, done: u64);
    /// A line of conversation, shown above the progress.
    fn say(&self, line: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn phase(&self, _name: &str, _total: Option<u64>) {}
    fn advance_to(&self, _done: u64) {}
    fn say(&self, _line: &str) {}
}
