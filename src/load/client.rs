//! The thin client: one connection, one statement at a time, nothing decoded.
//!
//! A request is encoded once per parameter set, before anything is timed. The
//! timed part is one write, the reads up to readiness, and two clock readings;
//! it never allocates.

use super::address::Address;
use super::error::Error;
use super::login;
use super::reply::{Execution, Inbox, Reply};
use super::stream::Stream;
use crate::stats::clock;
use crate::wire::encode;
use std::io::Write;

/// A statement prepared on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    name: String,
    parameter_count: usize,
}

impl Statement {
    /// How many parameters it takes.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameter_count
    }
}

/// A Bind, Execute and Sync with their parameters, ready to be sent any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Statement {
    /// The request that executes this statement with parameters in text format.
    ///
    /// # Errors
    /// The number of parameters is not the statement's.
    pub fn bind(&self, parameters: &[Option<String>]) -> Result<Request, Error> {
        if parameters.len() != self.parameter_count {
            return Err(Error::Protocol(format!(
                "the statement takes {} parameters, {} were given",
                self.parameter_count,
                parameters.len()
            )));
        }
        let mut bytes = Vec::with_capacity(64);
        encode::message(&mut bytes, b'B', |out| {
            encode::cstr(out, b"");
            encode::cstr(out, self.name.as_bytes());
            out.extend_from_slice(&0_u16.to_be_bytes()); // every parameter as text
            out.extend_from_slice(&u16::try_from(parameters.len()).unwrap_or(u16::MAX).to_be_bytes());
            for parameter in parameters {
                bind_value(out, parameter.as_deref());
            }
            out.extend_from_slice(&0_u16.to_be_bytes()); // every result column as text
        });
        encode::execute(&mut bytes, b"", 0);
        encode::sync(&mut bytes);
        Ok(Request { bytes })
    }
}

fn bind_value(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(text) => {
            out.extend_from_slice(&i32::try_from(text.len()).unwrap_or(i32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// A blocking connection.
pub struct Client {
    stream: Stream,
    inbox: Inbox,
    backend_pid: i32,
    statements: usize,
}

impl Client {
    /// Opens a connection and logs in.
    ///
    /// # Errors
    /// The server cannot be reached or refuses us.
    pub fn connect(address: &Address) -> Result<Self, Error> {
        let mut stream = Stream::open(address)?;
        let mut inbox = Inbox::new();
        let session = login::start(&mut stream, &mut inbox, address)?;
        stream.settle()?;
        Ok(Self { stream, inbox, backend_pid: session.backend_pid, statements: 0 })
    }

    /// The server's process id of this connection.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.backend_pid
    }

    /// Prepares a statement with `$1` parameters, whose types the server infers.
    ///
    /// # Errors
    /// The server cannot parse it, or the connection is lost.
    pub fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        self.statements += 1;
        let name = format!("p{}", self.statements);
        let mut out = Vec::new();
        encode::parse(&mut out, name.as_bytes(), sql.as_bytes());
        encode::message(&mut out, b'D', |out| {
            out.push(b'S');
            encode::cstr(out, name.as_bytes());
        });
        encode::sync(&mut out);
        self.send(&out)?;
        let parameter_count = self.inbox.read_parameter_count(&mut self.stream)?;
        Ok(Statement { name, parameter_count })
    }

    /// Executes a request and times it.
    ///
    /// # Errors
    /// The server reports an error, or the connection is lost.
    pub fn execute(&mut self, request: &Request) -> Result<Execution, Error> {
        self.timed(request, false)
    }

    /// The same, with a hash of the result that does not depend on the rows' order.
    ///
    /// # Errors
    /// The server reports an error, or the connection is lost.
    pub fn execute_hashed(&mut self, request: &Request) -> Result<Execution, Error> {
        self.timed(request, true)
    }

    fn timed(&mut self, request: &Request, hash: bool) -> Result<Execution, Error> {
        let start = clock::now();
        self.send(&request.bytes)?;
        let reply = self.inbox.read_reply(&mut self.stream, hash)?;
        let latency = clock::now().duration_since(start);
        let Reply { rows, result_bytes, result_hash, transaction } = reply;
        Ok(Execution { latency, rows, result_bytes, result_hash, transaction })
    }

    /// Executes statements by the simple protocol, such as `BEGIN`; times them too.
    ///
    /// # Errors
    /// The server reports an error, or the connection is lost.
    pub fn simple(&mut self, sql: &str) -> Result<Execution, Error> {
        let mut bytes = Vec::new();
        encode::query(&mut bytes, sql.as_bytes());
        self.timed(&Request { bytes }, false)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)?;
        Ok(self.stream.flush()?)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut out = Vec::new();
        encode::terminate(&mut out);
        // A connection that is already gone needs no farewell.
        let _gone = self.send(&out);
    }
}
