//! The only writer to the person: results to stdout, conversation and
//! progress to stderr, colour where the stream is a terminal.

use crate::model::Progress;
use anstream::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where results and conversation go.
#[derive(Debug)]
pub struct Terminal {
    stdout_colour: bool,
    stderr_colour: bool,
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Terminal {
    /// Decides colour and progress once.
    #[must_use]
    pub fn new(colour: Colour, quiet: bool) -> Self {
        let decide = |choice: ColorChoice| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => choice != ColorChoice::Never,
        };
        Self {
            stdout_colour: decide(anstream::AutoStream::choice(&io::stdout())),
            stderr_colour: decide(anstream::AutoStream::choice(&io::stderr())),
            quiet,
            bar: Mutex::new(None),
        }
    }

    /// Whether results may be coloured.
    #[must_use]
    pub fn stdout_colour(&self) -> bool {
        self.stdout_colour
    }

    /// Whether conversation may be coloured.
    #[must_use]
    pub fn stderr_colour(&self) -> bool {
        self.stderr_colour
    }

    /// Writes results. A reader that went away (`| head`) is no error.
    ///
    /// # Errors
    /// Where stdout fails in another way.
    pub fn result(&self, bytes: &[u8]) -> io::Result<()> {
        self.finish_progress();
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// One line of conversation, silenced by `--quiet`.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.line_to_stderr(line);
        }
    }

    /// An error, never silenced.
    pub fn error(&self, text: &str) {
        self.finish_progress();
        self.line_to_stderr(text);
    }

    /// Takes the progress bar off the screen.
    pub fn finish_progress(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }

    fn line_to_stderr(&self, line: &str) {
        let write = || {
            // Nothing can be done where even stderr is gone.
            let _ = writeln!(io::stderr().lock(), "{line}");
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }
}

impl Progress for Terminal {
    fn phase(&self, name: &str, total: Option<u64>) {
        self.finish_progress();
        if !self.shows_progress() {
            return;
        }
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
        let template = match total {
            Some(_) => "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec:.dim} {eta:.dim}",
            None => "{spinner} {msg} {elapsed:.dim}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn advance_to(&self, done: u64) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_position(done);
        }
    }

    fn say(&self, line: &str) {
        self.note(line);
    }
}
