//! The observer thread: takes copies from the queue, follows each session, and
//! hands finished statements to where the trace goes.

use super::error::Error;
use super::findings::Judge;
use super::names::{Naming, TableNames};
use super::queue::{Batch, Event, Queue};
use super::scopes::Scopes;
use super::session::hashing::Table;
use super::session::{Ledger, Session};
use crate::trace::{
    Header, Losses, MEMORY_BYTES_MAX, RefusedBy, TableName, Trace, TraceEvent, TraceFileError, Writer,
};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a trace goes.
#[derive(Debug, Clone)]
pub enum Destination {
    /// Kept in memory, up to so many bytes; what comes after is counted as lost.
    Memory {
        /// The bound, in bytes.
        bytes_max: usize,
    },
    /// Streamed to a trace file; memory stays the same however long it gets.
    File(PathBuf),
}

impl Default for Destination {
    fn default() -> Self {
        Self::Memory { bytes_max: MEMORY_BYTES_MAX }
    }
}

/// A destination that is open.
pub(super) enum Sink {
    Memory { bytes_max: usize, bytes: usize },
    File(Box<Writer<BufWriter<File>>>),
}

impl Sink {
    pub(super) fn file(path: &Path, header: &Header) -> Result<Self, Error> {
        let file = File::create(path).map_err(TraceFileError::from);
        match file.and_then(|file| Writer::new(BufWriter::new(file), header)) {
            Ok(writer) => Ok(Self::File(Box::new(writer))),
            Err(source) => Err(Error::TraceFile { path: path.to_owned(), source }),
        }
    }
}

/// How long the observer pauses while traffic flows.
const PAUSE: Duration = Duration::from_millis(20);
/// After so many pauses without traffic it sleeps until woken.
const IDLE_PAUSES: u32 = 10;
/// Queue memory kept between batches, in bytes.
const BATCH_BYTES_RETAINED: usize = 1024 * 1024;

/// What came of it.
pub(super) struct Observed {
    /// The trace; without statements where they went to a file.
    pub(super) trace: Trace,
    /// Why the file is not whole.
    pub(super) failure: Option<TraceFileError>,
    /// Why tables may be without names.
    pub(super) without_names: Option<String>,
}

/// The observer before it runs.
pub(super) struct Observer {
    sink: Sink,
    ledger: Ledger,
    /// Who answers questions, and what about.
    judge: Option<Judge>,
    naming: Naming,
    scopes: Scopes,
    sessions: Table<u64, Session>,
    /// Everything but the statements of a file.
    trace: Trace,
    failure: Option<TraceFileError>,
    last_us: u64,
}

impl Observer {
    pub(super) fn new(
        header: Header,
        ledger: Ledger,
        sink: Sink,
        judge: Option<Judge>,
        names: Option<TableNames>,
    ) -> Self {
        let sessions = Table::default();
        let (scopes, trace) = (Scopes::default(), Trace::new(header));
        let naming = Naming::new(names);
        Self { sink, ledger, judge, naming, scopes, sessions, trace, failure: None, last_us: 0 }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Queue) -> Observed {
        let mut batch = Batch::default();
        let mut idle = 0;
        while queue.take(&mut batch) {
            idle = if batch.entries.is_empty() { idle + 1 } else { 0 };
            self.observe(&mut batch);
            batch.clear();
            if batch.bytes.capacity() > BATCH_BYTES_RETAINED {
                batch.bytes.shrink_to(BATCH_BYTES_RETAINED);
                batch.entries.shrink_to(BATCH_BYTES_RETAINED / 64);
            }
            queue.wait((idle < IDLE_PAUSES).then_some(PAUSE));
        }
        self.end()
    }

    fn observe(&mut self, batch: &mut Batch) {
        let Batch { entries, bytes: all_bytes, questions } = batch;
        let mut start = 0;
        for entry in entries.iter() {
            let bytes = &all_bytes[start..start + entry.length];
            start += entry.length;
            self.last_us = entry.at_us;
            match entry.event {
                Event::Connected => {
                    self.sessions.insert(entry.connection, Session::new(entry.connection));
                    self.event(TraceEvent::Connected { connection: entry.connection });
                }
                Event::Client => {
                    if let Some(session) = self.sessions.get_mut(&entry.connection) {
                        session.client_bytes(bytes, entry.at_us, &mut self.ledger);
                    }
                }
                Event::Server => {
                    if let Some(session) = self.sessions.get_mut(&entry.connection) {
                        session.server_bytes(bytes, entry.at_us, &mut self.ledger);
                    }
                }
                Event::Refused => {
                    let reason = String::from_utf8_lossy(bytes).into_owned();
                    self.event(TraceEvent::Refused { by: RefusedBy::Recorder, reason });
                }
                Event::Closed => {
                    if let Some(mut session) = self.sessions.remove(&entry.connection) {
                        session.end(entry.at_us, &mut self.ledger);
                    }
                }
                Event::Question => {
                    if let Some(question) = questions.pop_front() {
                        // Who asked may be gone.
                        let _ = question.send(self.answer(entry.connection));
                    }
                }
            }
            for reason in std::mem::take(&mut self.ledger.denials) {
                self.event(TraceEvent::Refused { by: RefusedBy::Server, reason });
            }
            if !self.ledger.limits.is_empty() {
                self.write_limits();
            }
            if !self.ledger.records.is_empty() {
                self.write_records();
            }
        }
    }

    /// What was found so far in the scope of a session; none where it has no scope.
    fn answer(&mut self, connection: u64) -> Option<String> {
        let session = self.sessions.get(&connection)?;
        let (scope, database) = (session.scope()?.clone(), session.database().cloned());
        // Whoever asks is connected, so that its database is there.
        let named = self.naming.resolve_new(self.ledger.tables(), database.as_ref());
        self.write_names(named);
        let judge = self.judge.as_ref()?;
        let mut trace = self.scopes.trace(&scope, self.trace.header.clone());
        trace.tables.clone_from(&self.trace.tables);
        trace.losses.opaque_connections = self.ledger.losses.opaque_connections;
        Some(judge.judge(&trace))
    }

    fn write_names(&mut self, named: Vec<TableName>) {
        for table in named {
            self.event(TraceEvent::Table(table));
        }
    }

    fn write_limits(&mut self) {
        for limit in std::mem::take(&mut self.ledger.limits) {
            if self.judge.is_some() {
                self.scopes.limit(&limit);
            }
            self.event(TraceEvent::Limit(limit));
        }
    }

    fn write_records(&mut self) {
        let mut records = std::mem::take(&mut self.ledger.records);
        for record in records.drain(..) {
            if self.judge.is_some() {
                self.scopes.add(&record, record.memory_bytes());
            }
            self.event(TraceEvent::Statement(record));
        }
        self.ledger.records = records;
    }

    fn event(&mut self, event: TraceEvent) {
        match &mut self.sink {
            Sink::File(writer) => {
                if self.failure.is_none() {
                    self.failure = writer.write(&event).err();
                }
                match event {
                    TraceEvent::Statement(_) if self.failure.is_some() => self.ledger.losses.statements += 1,
                    TraceEvent::Statement(_) => {}
                    other => self.trace.push(other),
                }
            }
            Sink::Memory { bytes_max, bytes } => {
                if let TraceEvent::Statement(record) = &event {
                    let size = record.memory_bytes();
                    if *bytes + size > *bytes_max {
                        self.ledger.losses.statements += 1;
                        return;
                    }
                    *bytes += size;
                }
                self.trace.push(event);
            }
        }
    }

    fn end(mut self) -> Observed {
        for (_, mut session) in std::mem::take(&mut self.sessions) {
            session.end(self.last_us, &mut self.ledger);
        }
        self.write_limits();
        self.write_records();
        let named = self.naming.resolve(self.ledger.tables());
        self.write_names(named);
        if self.ledger.losses != Losses::default() {
            let losses = std::mem::take(&mut self.ledger.losses);
            self.event(TraceEvent::Loss(losses));
        }
        let Self { sink, mut trace, mut failure, naming, .. } = self;
        trace.complete = true;
        if let Sink::File(writer) = sink
            && failure.is_none()
        {
            failure = writer.finish().and_then(|mut file| Ok(std::io::Write::flush(&mut file)?)).err();
        }
        trace.complete &= failure.is_none();
        Observed { trace, failure, without_names: naming.failure }
    }
}
