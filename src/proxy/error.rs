//! Why a recorder does not start.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the proxy could not be started or its record not be kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server's URL.
    #[error(transparent)]
    Url(#[from] super::url::UrlError),
    /// A name without an address.
    #[error("cannot resolve the server's name `{host}`")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: std::io::Error,
    },
    /// A URL without a server in it.
    #[error("the URL names no server")]
    NoServer,
    /// Nobody answers where the server should be.
    #[error("cannot connect to the server at {address}: is it running?")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The address to listen on.
    #[error("cannot listen on {address}: is the port taken?")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The Unix socket to listen on.
    #[error("cannot listen on the Unix socket {path}")]
    ListenUnix {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A folder whose path leaves no room for the socket's name.
    #[error("the path of the Unix socket {path} is too long: set TMPDIR to a folder with a shorter path")]
    SocketPathTooLong {
        /// Where it would be.
        path: PathBuf,
    },
    /// The folder of the Unix socket.
    #[error("no folder for the Unix socket: set TMPDIR to one that can be written to")]
    SocketDirectory(#[source] crate::scratch::Error),
    /// `sslmode` with a word that is none.
    #[error("sslmode `{0}` is none of disable, allow, prefer, require, verify-ca, verify-full")]
    TlsMode(String),
    /// A certificate or key that cannot be used.
    #[error("cannot use {what}: {reason}")]
    Certificate {
        /// Which file or certificate.
        what: String,
        /// Why not.
        reason: String,
    },
    /// The trace file.
    #[error("cannot write the trace file {path}")]
    TraceFile {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: crate::trace::TraceFileError,
    },
    /// The command to run.
    #[error("cannot run `{program}`: {}", spawn_advice(source))]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The command's program may be executed, and cannot be.
    #[error("cannot run `{path}`: {fault}")]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: super::program::ProgramFault,
    },
    /// A file of environment variables that cannot be read.
    #[error("cannot read the environment file {path}: {source}")]
    EnvironmentFileUnread {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of environment variables.
    #[error("{path}:{line}: not of the form NAME=value")]
    EnvironmentFile {
        /// Which.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// Threads, polling, signals.
    #[error("the system refused {what}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// A part of the recorder panicked.
    #[error("the recorder's {0} thread ended by a bug: please report it")]
    Bug(&'static str),
}

fn spawn_advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "it is there, but is no program: chmod +x, or name its interpreter"
        }
        _ if source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "it is there, but is no program of this system: is it for another processor?"
        }
        _ => "is it installed and on PATH?",
    }
}

impl Error {
    pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
