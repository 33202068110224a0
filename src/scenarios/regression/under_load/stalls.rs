//! Operations of the traffic against the window of a statement. Pure.

use crate::load::series;
use crate::model::evidence::{LatencySeries, LatencySpan};

/// Who executed an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads.
    Reader,
    /// Writes.
    Writer,
}

/// One statement of the traffic, in microseconds since the traffic's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    /// Who.
    pub role: Role,
    /// Sent at.
    pub start_us: f64,
    /// Answered at.
    pub end_us: f64,
}

/// The longest operation of a role that overlaps the window, in milliseconds; 0 without one.
#[must_use]
pub fn worst_ms(operations: &[Operation], role: Role, window: (f64, f64)) -> f64 {
    operations
        .iter()
        .filter(|operation| operation.role == role)
        .filter(|operation| operation.start_us < window.1 && operation.end_us > window.0)
        .map(|operation| (operation.end_us - operation.start_us) / 1000.0)
        .fold(0.0, f64::max)
}

/// The operations that overlap a window and none before it: who waits for a lock
/// of the first statement still does during the second, which is not its doing.
#[must_use]
pub fn met_first_in(operations: &[Operation], windows: &[(f64, f64)], index: usize) -> Vec<Operation> {
    let overlaps = |operation: &Operation, window: &(f64, f64)| {
        operation.start_us < window.1 && operation.end_us > window.0
    };
    let (earlier, own) = (&windows[..index], &windows[index]);
    let is_own = |operation: &&Operation| {
        overlaps(operation, own) && !earlier.iter().any(|window| overlaps(operation, window))
    };
    operations.iter().filter(is_own).copied().collect()
}

/// Readers and writers over time, with the windows of the statements as spans.
#[must_use]
pub fn over_time(operations: &[Operation], windows: &[(f64, f64)]) -> Vec<LatencySeries> {
    [(Role::Reader, "readers"), (Role::Writer, "writers")]
        .into_iter()
        .map(|(role, subject)| {
            let mine = operations.iter().filter(|operation| operation.role == role);
            let sent: Vec<(f64, f64)> = mine.map(|o| (o.start_us, o.end_us - o.start_us)).collect();
            let spans = windows.iter().zip(1..).map(|((from_us, to_us), number): (_, u32)| LatencySpan {
                label: number.to_string(),
                from_us: *from_us,
                to_us: *to_us,
            });
            series(subject, &sent, spans.collect())
        })
        .filter(|series| !series.buckets.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_charged_to_the_statement_that_began_it() {
        let long = Operation { role: Role::Writer, start_us: 50.0, end_us: 950.0 };
        let short = Operation { role: Role::Writer, start_us: 400.0, end_us: 410.0 };
        let windows = [(0.0, 100.0), (300.0, 600.0)];
        assert_eq!(met_first_in(&[long, short], &windows, 0), [long]);
        assert_eq!(met_first_in(&[long, short], &windows, 1), [short]);
    }

    #[test]
    fn only_what_overlaps_the_window_counts() {
        let operation = |role, start_us, end_us| Operation { role, start_us, end_us };
        let operations = [
            operation(Role::Reader, 0.0, 900.0),
            operation(Role::Reader, 950.0, 3_950.0),
            operation(Role::Writer, 1_500.0, 1_700.0),
            operation(Role::Reader, 9_000.0, 90_000.0),
        ];
        assert_eq!(worst_ms(&operations, Role::Reader, (1_000.0, 2_000.0)), 3.0);
        assert_eq!(worst_ms(&operations, Role::Writer, (1_000.0, 2_000.0)), 0.2);
        assert_eq!(worst_ms(&operations, Role::Writer, (2_000.0, 3_000.0)), 0.0);
    }
}
