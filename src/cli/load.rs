//! `plimsoll load`: the rate that the database holds.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, require_queries};
use super::{ExitCode, Failure, Terminal};
use crate::capacity::{self, Question};
use crate::load::schedule::Pacing;
use crate::project::budget::Budget;
use std::time::Duration;

/// `plimsoll load [QUERY…]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these queries
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
    /// Find the highest rate that keeps the limits: what is done where nothing else is asked for
    #[arg(long, conflicts_with_all = ["rate", "clients"])]
    find: bool,
    /// Judge this rate only, in requests per second
    #[arg(long, value_name = "N", value_parser = rate, conflicts_with_all = ["clients", "at_least"])]
    rate: Option<f64>,
    /// A closed loop of N clients: each sends its next request when it has the answer to the last;
    /// service time only, no line and no verdict
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000),
          conflicts_with_all = ["at_least", "limit", "connections"])]
    clients: Option<u16>,
    /// Fail where this rate does not hold, such as 200/s [default: `at-least` in `[load]`]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    at_least: Option<f64>,
    /// Limits on the latency from when a request was due, such as 'p95 < 50ms, p99 < 200ms'
    /// [default: `limit` in `[load]`, else the queries' budgets, else p95 < 50ms]
    #[arg(long, value_name = "LIMITS", value_parser = limits)]
    limit: Option<Limits>,
    /// Connections that share the requests [default: `connections` in `[load]`, else 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: Option<u16>,
    /// How requests are spread over time
    #[arg(long, value_enum, default_value = "poisson", value_name = "HOW")]
    arrivals: Arrivals,
    /// Length of a slice, such as 2s or 500ms; low rates get longer ones
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = slice)]
    slice: Duration,
    /// Slices of a rate before it stays undecided
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(6..=100))]
    slices: u16,
    /// No slice is begun after this; what is not decided by then stays undecided
    #[arg(long, value_name = "TIME", default_value = "2min", value_parser = max_time)]
    max_time: Duration,
    /// The highest rate that is tried
    #[arg(long, value_name = "RATE", default_value = "100000", value_parser = rate)]
    max_rate: f64,
    /// Load a server on another machine, too
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Arrivals {
    /// As independent users come
    Poisson,
    /// At equal distances
    Uniform,
}

/// What `--limit` holds.
#[derive(Debug, Clone)]
struct Limits(Vec<Budget>);

fn limits(text: &str) -> Result<Limits, String> {
    Budget::latency_limits(text).map(Limits)
}

/// `200` or `200/s`.
fn rate(text: &str) -> Result<f64, String> {
    const RATE_MAX: f64 = 1e6;
    let number = text.strip_suffix("/s").unwrap_or(text).trim().parse::<f64>().ok();
    number
        .filter(|rate| *rate >= 1.0 && *rate <= RATE_MAX)
        .ok_or_else(|| "a rate is a number of requests per second from 1 to 1000000".into())
}

fn slice(text: &str) -> Result<Duration, String> {
    duration(text, 0.1..=60.0).ok_or_else(|| "a slice is from 100ms to 60s long".into())
}

fn max_time(text: &str) -> Result<Duration, String> {
    duration(text, 1.0..=86_400.0).ok_or_else(|| "a time is from 1s on, such as 90s or 10min".into())
}

/// `500ms`, `2s`, `10min`, or a number of seconds.
fn duration(text: &str, range: std::ops::RangeInclusive<f64>) -> Option<Duration> {
    const UNITS: [(&str, f64); 3] = [("ms", 1e-3), ("min", 60.0), ("s", 1.0)];
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1.0));
    let seconds = number.trim().parse::<f64>().ok()? * factor;
    range.contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    require_queries(&project, &options.queries)?;
    if global.volume.len() > 1 {
        return Err(Failure::Usage("a load runs at one volume: name one with --volume".into()));
    }
    let at_least = options.at_least.or(project.settings.load.at_least);
    if let Some(floor) = at_least.filter(|floor| *floor > options.max_rate) {
        return Err(Failure::Usage(format!(
            "{floor}/s is required and --max-rate is {}/s: raise it",
            options.max_rate
        )));
    }
    let (question, at_least) = match (options.rate, options.clients) {
        (Some(rate), _) => (Question::Rate(rate), None),
        (None, Some(clients)) => (Question::Clients(usize::from(clients)), None),
        (None, None) => (Question::Find, at_least),
    };
    let job = Job::Load(capacity::Options {
        question,
        at_least,
        limits: options.limit.clone().map(|limits| limits.0).unwrap_or_default(),
        volume: global.volume.first().cloned(),
        queries: options.queries.clone(),
        pacing: match options.arrivals {
            Arrivals::Poisson => Pacing::Poisson,
            Arrivals::Uniform => Pacing::Uniform,
        },
        connections: options.connections.map(usize::from),
        slice: options.slice,
        slices_max: usize::from(options.slices),
        max_time: options.max_time,
        rate_max: options.max_rate,
        may_be_remote: options.allow_remote,
        ..capacity::Options::default()
    });
    let finished = execute(global, terminal, &project, vec![job]).await?;
    conclude(global, terminal, finished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_slices_are_read() {
        for (text, expected) in [
            ("200", Some(200.0)),
            ("200/s", Some(200.0)),
            ("1.5 /s", Some(1.5)),
            ("0", None),
            ("x", None),
            ("inf", None),
        ] {
            assert_eq!(rate(text).ok(), expected, "{text}");
        }
        for (text, expected) in
            [("2s", Some(2000)), ("500ms", Some(500)), ("3", Some(3000)), ("1ms", None), ("1h", None)]
        {
            assert_eq!(slice(text).ok().map(|slice| slice.as_millis()), expected, "{text}");
        }
    }
}
