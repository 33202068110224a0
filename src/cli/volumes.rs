//! `plimsoll volumes`: the volume ladder. Every query at every volume, how it
//! grows, and the volume at which its budget would break.

use super::arguments::Global;
use super::execution::{Job, conclude, execute};
use super::session::{load_project, require_queries};
use super::{ExitCode, Failure, Terminal};
use crate::scenarios::slow_queries as scenario;

/// Fewer volumes give no exponent with an interval.
const VOLUMES_MIN: usize = 3;

/// `plimsoll volumes [QUERY…]`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these queries
    #[arg(value_name = "QUERY")]
    queries: Vec<String>,
}

/// Climbs the ladder; the verdict is that of `slow-queries` at these volumes.
pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let project = load_project(global)?;
    require_queries(&project, &options.queries)?;
    // Everything that follows sees all of them, the server's snapshot included.
    let mut global = global.clone();
    if global.volume.is_empty() {
        global.volume = project.settings.volumes.iter().map(|volume| volume.name.clone()).collect();
    }
    let mut rungs = global.volume.clone();
    rungs.sort_unstable();
    rungs.dedup();
    if rungs.len() < VOLUMES_MIN {
        return Err(Failure::Usage(format!(
            "a ladder needs {VOLUMES_MIN} volumes, there are {}: add some to [volumes] in plimsoll.toml, \
             each four times the one before or more",
            rungs.len()
        )));
    }
    let job = Job::SlowQueries(scenario::Options {
        queries: options.queries.clone(),
        volumes: global.volume.clone(),
        ..scenario::Options::default()
    });
    let finished = execute(&global, terminal, &project, vec![job]).await?;
    conclude(&global, terminal, finished)
}
