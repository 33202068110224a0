//! The command line: one file per command. What is typed becomes plain
//! options, a part of Plimsoll runs, its verdict becomes the exit code.

mod arguments;
mod compare;
mod deadlock;
mod demo;
mod environment;
mod execution;
mod exit_code;
mod export;
mod failure;
mod history;
mod init;
mod interrupt;
mod kept_runs;
mod load;
mod migrate;
mod n_plus_one;
mod output;
mod proxy;
mod recording;
mod regression;
mod report;
mod run;
mod seed;
mod session;
mod slow_queries;
mod terminal;
mod trace;
mod volumes;

pub use arguments::{Arguments, Global};
pub use exit_code::ExitCode;
pub use failure::Failure;
pub use terminal::Terminal;

use clap::Parser;
use std::ffi::OsString;

/// What can be asked for.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start a project in this folder
    Init(init::Options),
    /// Run everything on an embedded shop database: nothing to configure
    Demo(demo::Options),
    /// Every scenario the project has something for: what CI calls
    Run(run::Options),
    /// Does every critical query stay within its budget?
    SlowQueries(slow_queries::Options),
    /// How does each query grow with the data, and when does its budget break?
    Volumes(volumes::Options),
    /// What did this migration do to the plans, counters and timings of every query?
    Regression(regression::Options),
    /// Which rate does the database hold, and where does it break?
    Load(load::Options),
    /// Can these transactions deadlock, and what does it cost everybody?
    Deadlock(deadlock::Options),
    /// Does the application ask per row what it could ask once?
    NPlusOne(n_plus_one::Options),
    /// Record what a command asks, into a trace file
    Trace(trace::Options),
    /// Record beside a service until Ctrl-C
    Proxy(proxy::Options),
    /// The demo shop's application, for the demo to wrap
    #[command(hide = true)]
    DemoApplication(demo::ApplicationOptions),
    /// Apply the project's migrations
    Migrate(migrate::Options),
    /// Fill the tables from the declared distributions
    Seed(seed::Options),
    /// Show a kept run again, in any format
    Report(report::Options),
    /// Two kept runs beside each other: verdicts, findings, measurements
    Compare(compare::Options),
    /// The kept runs, and the trend of a query
    History(history::Options),
    /// Put kept runs into database tables, Prometheus or OpenTelemetry
    Export(export::Options),
}

/// Runs the command line to its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage_exit(&error),
    };
    // An empty variable is how many tools leave one out.
    if std::env::var_os("DATABASE_URL").is_some_and(|url| url.is_empty()) {
        arguments.global.url = arguments.global.url.filter(|url| !url.is_empty());
    }
    let terminal = Terminal::new(arguments.global.color, arguments.global.quiet);
    let outcome =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run_command(&arguments, &terminal)));
    terminal.finish_progress();
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            terminal.error(&failure.text(terminal.stderr_colour()));
            failure.exit_code()
        }
        Err(_) => {
            // The panic's own message is on stderr already.
            terminal.error("this is a bug in Plimsoll; please report it with the message above");
            ExitCode::Bug
        }
    }
}

/// Help and version are results; anything else is wrong usage.
fn usage_exit(error: &clap::Error) -> ExitCode {
    // Nothing can be done where the terminal is gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Pass }
}

fn run_command(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(Box::pin(dispatch(arguments, terminal)));
    // A blocking call that hangs must not keep the program from ending.
    runtime.shutdown_background();
    code
}

async fn dispatch(arguments: &Arguments, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Init(options) => init::run(global, terminal, options).await,
        Command::Demo(options) => demo::run(global, terminal, options).await,
        Command::Run(options) => run::run(global, terminal, options).await,
        Command::SlowQueries(options) => slow_queries::run(global, terminal, options).await,
        Command::Volumes(options) => volumes::run(global, terminal, options).await,
        Command::Regression(options) => regression::run(global, terminal, options).await,
        Command::Load(options) => load::run(global, terminal, options).await,
        Command::Deadlock(options) => deadlock::run(global, terminal, options).await,
        Command::NPlusOne(options) => n_plus_one::run(global, terminal, options).await,
        Command::Trace(options) => trace::run(global, terminal, options).await,
        Command::Proxy(options) => proxy::run(global, terminal, options).await,
        Command::DemoApplication(options) => demo::application(global, options).await,
        Command::Migrate(options) => migrate::run(global, terminal, options).await,
        Command::Seed(options) => seed::run(global, terminal, options).await,
        Command::Report(options) => report::run(global, terminal, options),
        Command::History(options) => history::run(global, terminal, options),
        Command::Compare(options) => compare::run(global, terminal, options),
        Command::Export(options) => export::run(global, terminal, options).await,
    }
}
