//! The throwaway server: a private PostgreSQL that ends when we do.

use super::account::Account;
use super::directory::{self, random_letters, sweep};
use super::guard::Guard;
use super::programs::Programs;
use super::{Error, cluster, orphan, settings, snapshot};
use crate::scratch::PrivateDirectory;
use std::ffi::OsString;
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
    /// Stands for what the server will hold: a start with the same content finds what an
    /// earlier run kept of it. None: nothing is kept.
    pub snapshot: Option<String>,
    /// Further settings, such as `("shared_buffers", "1GB")`.
    pub settings: Vec<(String, String)>,
}

/// A free port may be taken before the server binds it: so often another is tried.
const PORT_ATTEMPTS: u32 = 10;
/// A server that is not ready after this many pauses is given up (two minutes:
/// a first start on a slow disk takes seconds).
const READY_ATTEMPTS: u32 = 24_000;
/// A clean shutdown writes a checkpoint: up to a minute.
const SHUTDOWN_ATTEMPTS: u32 = 12_000;
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
    snapshot: Option<PathBuf>,
    guard: Mutex<Option<Guard>>,
}

/// What a start works with.
struct Start<'a> {
    options: &'a ThrowawayOptions,
    programs: Programs,
    account: Account,
    scratch: PathBuf,
    snapshot: Option<PathBuf>,
}

impl Server {
    /// Starts one and waits until it accepts connections. Blocks.
    pub(super) fn start(options: &ThrowawayOptions) -> Result<Self, Error> {
        let programs = Programs::find(options.postgres_bin.as_deref(), options.search_path.as_deref())?;
        let account = Account::for_server()?;
        let scratch = options.scratch_directory.clone().unwrap_or_else(default_scratch_directory);
        sweep(&scratch, &account);
        let cache_and_content = options.cache_directory.as_ref().zip(options.snapshot.as_ref());
        let snapshot =
            cache_and_content.map(|(cache, content)| snapshot::place(cache, content, &programs, &account));
        Start { options, programs, account, scratch, snapshot }.run()
    }

    /// Stops it and removes its directory. Blocks until that is done.
    pub(super) fn stop(&self) {
        let guard = self.guard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(guard) = guard {
            guard.finish();
        }
    }

    /// Whether [`Self::keep`] has a place to keep anything at.
    pub(super) fn can_keep(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Shuts the server down cleanly and keeps its data directory for the next
    /// start. Only [`Self::stop`] may follow. Blocks.
    pub(super) fn keep(&self, wal_file: &str) -> Result<(), Error> {
        let guard = self.guard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (Some(snapshot), Some(guard)) = (self.snapshot.as_deref(), guard.as_ref()) else { return Ok(()) };
        let data = self.directory.join("data");
        orphan::request_fast_shutdown(&data);
        let ended = (0..SHUTDOWN_ATTEMPTS).find_map(|_| guard.server_ended_within(READY_PAUSE));
        match ended.as_deref() {
            Some("0") => snapshot::keep(&data, snapshot, wal_file),
            Some(status) => Err(Error::Unexpected(format!(
                "the throwaway server ended with {status}, so nothing of it is kept"
            ))),
            None => Err(Error::Unexpected(
                "the throwaway server does not shut down, so nothing of it is kept".into(),
            )),
        }
    }

    /// Has the system write to the disk what it still holds in memory of the data. Blocks.
    #[cfg(target_os = "linux")]
    pub(super) fn sync_to_disk(&self) {
        // One flush for the whole file system: a thousand files, one by one, take seconds.
        if let Ok(directory) = std::fs::File::open(self.directory.join("data")) {
            let _ = rustix::fs::syncfs(directory);
        }
    }

    /// Has the system write to the disk what it still holds in memory. Blocks.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn sync_to_disk(&self) {
        rustix::fs::sync();
    }
}

impl Start<'_> {
    fn run(self) -> Result<Server, Error> {
        for _ in 0..PORT_ATTEMPTS {
            let mut directory = directory::create(&self.scratch, &self.account)?;
            let data = directory.path().join("data");
            let restored =
                self.snapshot.as_deref().filter(|snapshot| snapshot::restore(snapshot, &data, &self.account));
            if restored.is_none() {
                let cache = self.options.cache_directory.as_deref();
                cluster::create(&data, cache, &self.programs, &self.account)?;
            }
            configure(&data, directory.path(), self.options, &self.account)?;
            let port = free_port()?;
            let guard = spawn(&mut directory, &self.account, &self.programs, port)?;
            match (wait_until_ready(&guard, directory.path(), self.account.uid), restored) {
                (Ok(()), _) => return self.server(directory.path().to_owned(), port, guard),
                (Err(NotReady::PortTaken), _) => guard.finish(),
                (Err(NotReady::Failed(_)), Some(snapshot)) => {
                    // Whatever is wrong with it: the next attempt goes without.
                    guard.finish();
                    let _ = std::fs::remove_dir_all(snapshot);
                }
                (Err(NotReady::Failed(error)), None) => {
                    guard.finish();
                    return Err(error);
                }
            }
        }
        Err(Error::Start(format!(
            "{PORT_ATTEMPTS} free ports were taken by others before it could bind them"
        )))
    }

    fn server(self, directory: PathBuf, port: u16, guard: Guard) -> Result<Server, Error> {
        Ok(Server {
            directory,
            port,
            password: random_letters(24)?,
            snapshot: self.snapshot,
            guard: Mutex::new(Some(guard)),
        })
    }
}

fn default_scratch_directory() -> PathBuf {
    // /tmp is memory on many systems, and a data directory does not belong there.
    let place = Path::new("/var/tmp");
    if place.is_dir() { place.to_owned() } else { std::env::temp_dir() }
}

fn configure(
    data: &Path,
    socket_directory: &Path,
    options: &ThrowawayOptions,
    account: &Account,
) -> Result<(), Error> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { action: "write", path, source }
    };
    let text = settings::configuration(socket_directory, !options.without_durability, &options.settings);
    for (name, text) in
        [(settings::FILE, text.as_str()), ("pg_hba.conf", settings::HOST_BASED_AUTHENTICATION)]
    {
        let path = data.join(name);
        std::fs::write(&path, text).map_err(fail(&path))?;
        account.own(&path)?;
    }
    let path = data.join("postgresql.conf");
    let present = std::fs::read_to_string(&path).map_err(fail(&path))?;
    if present.ends_with(settings::INCLUDE) {
        // It comes from a snapshot.
        return Ok(());
    }
    std::fs::write(&path, format!("{present}\n{}", settings::INCLUDE)).map_err(fail(&path))
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
