//! Whether traces hold all that the command asked; what is missing where not. Pure.

use crate::trace::{Losses, Refusals, Trace};

/// What was heard of a command, in all its traces.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    pub(super) statements: u64,
    pub(super) connections: u64,
    pub(super) losses: Losses,
    unreached: Refusals,
    denied: Refusals,
    is_cut_short: bool,
}

impl Heard {
    /// Adds a trace.
    pub(super) fn add(&mut self, trace: &Trace) {
        self.statements += trace.statements.len() as u64;
        self.connections += trace.connections;
        self.losses.add(&trace.losses);
        self.unreached.add(&trace.unreached);
        self.denied.add(&trace.denied);
        self.is_cut_short |= !trace.complete;
    }

    /// What a clean verdict needs beside; none where the traces are whole. What went wrong with the
    /// recording comes first, as it explains why little or nothing was asked.
    pub(super) fn needs(&self) -> Option<String> {
        let losses = &self.losses;
        if self.unreached.count > 0 {
            return Some(format!(
                "a server that can be reached to the end: {} could not be made ({})",
                connections(self.unreached.count),
                self.unreached.first
            ));
        }
        if losses.statements_may_be_missing() {
            return Some(format!(
                "a whole trace: {} statements, {} messages and {} connections were not recorded",
                losses.statements, losses.undecoded_messages, losses.opaque_connections
            ));
        }
        if self.is_cut_short {
            return Some("a trace that ends in order: this one was cut short".into());
        }
        if self.statements == 0 {
            return Some(self.silence());
        }
        let values = losses.values + losses.elements;
        (values > 0).then(|| format!("higher bounds of the recorder: {values} values were left out"))
    }

    /// Why a whole trace may have no statement.
    fn silence(&self) -> String {
        if self.denied.count > 0 {
            return format!(
                "a login that the server accepts: it refused {} ({}), and nothing was asked",
                connections(self.denied.count),
                self.denied.first
            );
        }
        if self.connections > 0 {
            let connected = connections(self.connections);
            return format!("a statement to judge: the command made {connected} and asked nothing");
        }
        "a statement on the recorded connection: it may go elsewhere (a hard-coded address, a container of the tests' own, a Unix socket)".into()
    }
}

fn connections(count: u64) -> String {
    if count == 1 { "1 connection".into() } else { format!("{count} connections") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_one_that_explains_the_silence() {
        let heard = |change: fn(&mut Heard)| {
            let mut heard = Heard::default();
            change(&mut heard);
            heard.needs().unwrap_or_default()
        };
        for (found, expected) in [
            (heard(|_| ()), "a hard-coded address"),
            (heard(|heard| heard.is_cut_short = true), "cut short"),
            (heard(|heard| heard.connections = 3), "made 3 connections and asked nothing"),
            (
                heard(|heard| {
                    heard.connections = 1;
                    heard.denied = Refusals { count: 1, first: "no database \"x\"".into() };
                }),
                "it refused 1 connection (no database \"x\")",
            ),
            (heard(|heard| heard.losses.opaque_connections = 1), "1 connections were not recorded"),
            (
                heard(|heard| {
                    heard.statements = 5;
                    heard.unreached = Refusals { count: 2, first: "connection refused".into() };
                }),
                "2 connections could not be made (connection refused)",
            ),
            (
                heard(|heard| {
                    heard.statements = 5;
                    heard.losses.values = 7;
                }),
                "7 values were left out",
            ),
        ] {
            assert!(found.contains(expected), "{expected} in {found}");
        }
        // A login refused beside others that were not is the command's own affair.
        let others =
            Heard { statements: 5, denied: Refusals { count: 1, first: "x".into() }, ..Heard::default() };
        assert_eq!(others.needs(), None);
    }
}
