//! `plimsoll proxy --listen ADDRESS`: recording beside a service until Ctrl-C.

use super::arguments::Global;
use super::interrupt::Interrupts;
use super::recording::{RecordOptions, trace_file};
use super::{ExitCode, Failure, Terminal};
use crate::project::settings::Settings;
use crate::proxy::{Destination, Recorder};
use anyhow::Context as _;
use std::net::SocketAddr;

/// `plimsoll proxy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:6432", value_name = "ADDRESS")]
    listen: SocketAddr,
    #[command(flatten)]
    record: RecordOptions,
}

pub(super) async fn run(
    global: &Global,
    terminal: &Terminal,
    options: &Options,
) -> Result<ExitCode, Failure> {
    let Some(url) = &global.url else {
        return Err(Failure::Usage("the proxy needs a server: give --url or DATABASE_URL".into()));
    };
    // It stands beside a service, not in a project.
    let threshold = Settings::default().n_plus_one.threshold;
    let destination = Destination::File(trace_file(global));
    let mut proxy_options = options.record.proxy_options(url, "proxy", destination, threshold);
    proxy_options.listen = options.listen;
    let recorder = Recorder::start(&proxy_options).context("starting the proxy")?;
    terminal.note(&format!("listening on {}; Ctrl-C ends the recording", recorder.address()));
    // Ctrl-C is how it is meant to end.
    match Interrupts::default().stop(std::future::pending::<Result<(), Failure>>()).await {
        Ok(()) | Err(Failure::Interrupted) => {}
        Err(failure) => return Err(failure),
    }
    let stopped = tokio::task::spawn_blocking(move || recorder.stop()).await;
    let recording = stopped.context("stopping the proxy")?.context("stopping the proxy")?;
    if let Some(reason) = &recording.without_names {
        terminal.note(&format!("tables may be without their names in the trace: {reason}"));
    }
    if let Some(failure) = &recording.failure {
        return Err(Failure::Environment(anyhow::anyhow!("the trace file is not whole: {failure}")));
    }
    terminal.note(&format!("trace: {}", trace_file(global).display()));
    Ok(ExitCode::Pass)
}
