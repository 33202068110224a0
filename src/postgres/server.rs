//! The throwaway server: a private PostgreSQL that ends when we do.

use super::account::Account;
use super::directory::{PrivateDirectory, random_letters, sweep};
use super::guard::Guard;
use super::programs::Programs;
use super::{Error, cluster, settings};
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// How a throwaway server is made. All of it is optional.
#[derive(Debug, Clone, Default)]
pub struct ThrowawayOptions {
    /// The folder of `postgres` and `initdb`; none: the newest found.
    pub postgres_bin: Option<PathBuf>,
    /// The value of PATH, searched besides the usual places.
    pub search_path: Option<OsString>,
    /// Where initialised data directories are kept; none: every start runs `initdb`.
    pub cache_directory: Option<PathBuf>,
    /// Where the server's directory is made; none: `/var/tmp`, which is on a disk.
    pub scratch_directory: Option<PathBuf>,
    /// True gives up `fsync`, `synchronous_commit` and `full_page_writes`: every
    /// report then says so.
    pub without_durability: bool,
    /// Further settings, such as `("shared_buffers", "1GB")`.
    pub settings: Vec<(String, String)>,
}

/// A free port may be taken before the server binds it: so often another is tried.
const PORT_ATTEMPTS: u32 = 10;
/// A server that is not ready after this many pauses is given up (two minutes:
/// a first start on a slow disk takes seconds).
const READY_ATTEMPTS: u32 = 24_000;
const READY_PAUSE: Duration = Duration::from_millis(5);

/// A running server of ours.
#[derive(Debug)]
pub(super) struct Server {
    /// The private directory: the socket lies in it.
    pub(super) directory: PathBuf,
    /// Port of the socket's name and of 127.0.0.1.
    pub(super) port: u16,
    /// Of the superuser `postgres`, for loopback connections.
    pub(super) password: String,
    guard: Mutex<Option<Guard>>,
}

impl Server {
    /// Starts one and waits until it accepts connections. Blocks.
    pub(super) fn start(options: &ThrowawayOptions) -> Result<Self, Error> {
        let programs = Programs::find(options.postgres_bin.as_deref(), options.search_path.as_deref())?;
        let account = Account::for_server()?;
        let scratch = options.scratch_directory.clone().unwrap_or_else(default_scratch_directory);
        sweep(&scratch, &account);
        for _ in 0..PORT_ATTEMPTS {
            let mut directory = PrivateDirectory::create(&scratch, &account)?;
            let data = directory.path().join("data");
            cluster::create(&data, options.cache_directory.as_deref(), &programs, &account)?;
            configure(&data, directory.path(), options)?;
            let port = free_port()?;
            let guard = spawn(&mut directory, &account, &programs, port)?;
            match wait_until_ready(&guard, directory.path(), account.uid) {
                Ok(()) => {
                    return Ok(Self {
                        directory: directory.path().to_owned(),
                        port,
                        password: random_letters(24)?,
                        guard: Mutex::new(Some(guard)),
                    });
                }
                Err(NotReady::PortTaken) => guard.finish(),
                Err(NotReady::Failed(error)) => {
                    guard.finish();
                    return Err(error);
                }
            }
        }
        Err(Error::Start(format!(
            "{PORT_ATTEMPTS} free ports were taken by others before it could bind them"
        )))
    }

    /// Stops it and removes its directory. Blocks until that is done.
    pub(super) fn stop(&self) {
        let guard = self.guard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(guard) = guard {
            guard.finish();
        }
    }

    /// Has the system write every file of the data directory to the disk. Blocks.
    pub(super) fn sync_to_disk(&self) {
        sync_tree(&self.directory.join("data"));
    }
}

/// What cannot be opened is gone already: temporary files, dropped tables.
fn sync_tree(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => sync_tree(&entry.path()),
            Ok(kind) if kind.is_file() => {
                if let Ok(file) = std::fs::File::open(entry.path()) {
                    let _ = rustix::fs::fsync(file);
                }
            }
            _ => {}
        }
    }
}

fn default_scratch_directory() -> PathBuf {
    // /tmp is memory on many systems, and a data directory does not belong there.
    let place = Path::new("/var/tmp");
    if place.is_dir() { place.to_owned() } else { std::env::temp_dir() }
}

fn configure(data: &Path, socket_directory: &Path, options: &ThrowawayOptions) -> Result<(), Error> {
    let text = settings::configuration(socket_directory, !options.without_durability, &options.settings);
    let path = data.join("postgresql.conf");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| Error::File { action: "write", path, source })?;
    let path = data.join("pg_hba.conf");
    std::fs::write(&path, settings::HOST_BASED_AUTHENTICATION).map_err(|source| Error::File {
        action: "write",
        path,
        source,
    })
}

fn free_port() -> Result<u16, Error> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| Error::Start(format!("no free port on 127.0.0.1: {error}")))
}

fn spawn(
    directory: &mut PrivateDirectory,
    account: &Account,
    programs: &Programs,
    port: u16,
) -> Result<Guard, Error> {
    let arguments: [OsString; 4] =
        ["-D".into(), directory.path().join("data").into(), "-p".into(), port.to_string().into()];
    Guard::spawn(directory, account, &programs.program("postgres"), &arguments)
}

enum NotReady {
    PortTaken,
    Failed(Error),
}

fn wait_until_ready(guard: &Guard, directory: &Path, uid: u32) -> Result<(), NotReady> {
    let log = || std::fs::read_to_string(directory.join("server.log")).unwrap_or_default();
    for _ in 0..READY_ATTEMPTS {
        if let Some(status) = guard.server_ended_within(READY_PAUSE) {
            let log = log();
            if log.contains("Address already in use") {
                return Err(NotReady::PortTaken);
            }
            let reason = cluster::explain_failure(&log, uid);
            return Err(NotReady::Failed(Error::Start(format!("postgres exited with {status}: {reason}"))));
        }
        if says_ready(&directory.join("data/postmaster.pid")) {
            return Ok(());
        }
    }
    let reason = cluster::explain_failure(&log(), uid);
    Err(NotReady::Failed(Error::Start(format!("it is not ready after two minutes: {reason}"))))
}

/// The eighth line of the lock file is the postmaster's own word on it.
fn says_ready(lock_file: &Path) -> bool {
    std::fs::read_to_string(lock_file)
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim_end() == "ready"))
}
