//! A running recorder: its threads, and what they share.

use super::error::Error;
use super::event_loop::{EventLoop, Listeners, Mailbox};
use super::faults::{FaultPlan, FaultState};
use super::findings::Judge;
use super::names::TableNames;
use super::observer::{Destination, Observed, Observer, Sink};
use super::queue::{Event, Queue};
use super::session::Ledger;
use super::tls::{ClientTls, Offer};
use super::upstream::Upstream;
use super::url::ServerUrl;
use crate::scratch::{self, Kind, PrivateDirectory};
use crate::stats::clock;
use crate::trace::{Bounds, Header, Trace, TraceFileError, ValueHasher};
use mio::net::{TcpListener, UnixListener};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How to record.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server's URL.
    pub upstream: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The directory of the Unix socket; none makes a private one.
    pub socket_directory: Option<PathBuf>,
    /// What to answer to clients that ask for TLS.
    pub client_tls: ClientTls,
    /// The key that values are hashed with.
    pub hash_key: u64,
    /// Keep arguments as text beside their hashes.
    pub keeps_values: bool,
    /// What is recorded, for the trace's header: a command line or an address.
    pub source: String,
    /// What is kept at most.
    pub bounds: Bounds,
    /// Where the trace goes.
    pub destination: Destination,
    /// Round-trip time to add.
    pub delay: Option<Duration>,
    /// A fault to inject.
    pub fault: Option<FaultPlan>,
    /// Answers `SHOW plimsoll.findings`; none lets the server answer.
    pub findings: Option<Judge>,
    /// Names the tables that results come from, for the trace; none leaves them without.
    pub names: Option<TableNames>,
    /// Forwarding threads.
    pub threads: usize,
    /// Sends to several sockets by one call of the system, where it has one and allows it.
    pub sends_in_bursts: bool,
}

impl Options {
    /// Records to memory on a free loopback port, one forwarding thread.
    #[must_use]
    pub fn new(upstream: &str, hash_key: u64) -> Self {
        Self {
            upstream: upstream.to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            socket_directory: None,
            client_tls: ClientTls::default(),
            hash_key,
            keeps_values: false,
            source: String::new(),
            bounds: Bounds::default(),
            destination: Destination::default(),
            delay: None,
            fault: None,
            findings: None,
            names: None,
            threads: 1,
            sends_in_bursts: true,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Recording {
    /// The trace; without statements where they were streamed to a file.
    pub trace: Trace,
    /// Connections that could not be made or were refused, each of which was told why.
    pub refused: u64,
    /// Connections that were still open at the end.
    pub cut: u64,
    /// How often forwarding had to wait for the observer.
    pub stalls: u64,
    /// Calls that sent to several sockets; none where the system refuses them, or nobody wanted them.
    pub bursts: Option<u64>,
    /// Statements that matched the fault's pattern.
    pub fault_matches: u64,
    /// Faults injected.
    pub faults: u64,
    /// Why the trace file is not whole.
    pub failure: Option<TraceFileError>,
    /// Why tables may be without names: a database could not be asked for them.
    pub without_names: Option<String>,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) upstream: Upstream,
    pub(super) offer: Option<Offer>,
    pub(super) delay: Option<Duration>,
    pub(super) faults: Option<Arc<FaultState>>,
    pub(super) answers_findings: bool,
    pub(super) queue: Queue,
    pub(super) sends_in_bursts: bool,
    /// The system allows them.
    pub(super) has_bursts: AtomicBool,
    pub(super) bursts: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) is_stopping: AtomicBool,
    start: Instant,
}

impl Shared {
    /// Microseconds since the recorder started.
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(clock::now().duration_since(self.start).as_micros()).unwrap_or(u64::MAX)
    }

    /// Calls that sent to several sockets, where there are such calls.
    fn bursts(&self) -> Option<u64> {
        self.has_bursts.load(Ordering::Relaxed).then(|| self.bursts.load(Ordering::Relaxed))
    }

    /// Tells the observer, as of now.
    pub(super) fn observe(&self, connection: u64, event: Event, bytes: &[u8]) {
        self.observe_at(connection, event, self.now_us(), bytes);
    }

    /// Tells the observer.
    pub(super) fn observe_at(&self, connection: u64, event: Event, at_us: u64, bytes: &[u8]) {
        self.queue.push(connection, event, at_us, bytes);
    }
}

/// A recorder that accepts connections.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    url: ServerUrl,
    address: SocketAddr,
    socket_directory: PathBuf,
    /// Removed with the recorder.
    socket: PathBuf,
    _private_directory: Option<PrivateDirectory>,
    mailboxes: Vec<Mailbox>,
    forwarders: Vec<JoinHandle<std::io::Result<u64>>>,
    observer: Option<JoinHandle<Observed>>,
}

impl Recorder {
    /// Starts the threads; from here on clients are accepted.
    ///
    /// # Errors
    /// Where the server cannot be reached, or an address not be listened on.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let url = ServerUrl::parse(&options.upstream)?;
        let upstream = Upstream::resolve(&url)?;
        let offer = options.client_tls.offer()?;
        let (tcp, address) = listen(options.listen)?;
        let private_directory = match options.socket_directory {
            Some(_) => None,
            None => Some(private_directory()?),
        };
        let socket_directory = private_directory.as_ref().map_or_else(
            || options.socket_directory.clone().unwrap_or_default(),
            |made| made.path().to_owned(),
        );
        let (unix, socket) = listen_unix(&socket_directory, address.port())?;
        let observer = ObserverParts::open(options)?;
        let shared = Arc::new(Shared {
            upstream,
            offer,
            delay: options.delay.filter(|delay| !delay.is_zero()),
            faults: options.fault.clone().map(|plan| Arc::new(FaultState::new(plan))),
            answers_findings: options.findings.is_some(),
            queue: Queue::default(),
            sends_in_bursts: options.sends_in_bursts,
            has_bursts: AtomicBool::new(false),
            bursts: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            start: clock::now(),
        });
        let mut recorder = Self {
            shared: shared.clone(),
            url,
            address,
            socket_directory,
            socket,
            _private_directory: private_directory,
            mailboxes: Vec::new(),
            forwarders: Vec::new(),
            observer: None,
        };
        recorder.observer = Some(spawn("plimsoll-observe", {
            let shared = shared.clone();
            move || observer.observer().run(&shared.queue)
        })?);
        recorder.start_forwarders(Listeners { tcp, unix: Some(unix) }, options.threads.max(1))?;
        Ok(recorder)
    }

    fn start_forwarders(&mut self, listeners: Listeners, threads: usize) -> Result<(), Error> {
        let mut loops = Vec::new();
        for _ in 0..threads {
            let (accepted, inbox) = mpsc::channel();
            let (event_loop, waker) = EventLoop::new(self.shared.clone(), inbox)?;
            self.mailboxes.push(Mailbox { accepted, waker });
            loops.push(event_loop);
        }
        loops[0].listen(listeners, self.mailboxes.clone()).map_err(Error::system("polling"))?;
        for event_loop in loops {
            self.forwarders.push(spawn("plimsoll-forward", move || event_loop.run())?);
        }
        Ok(())
    }

    /// The TCP address clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of the Unix socket, fit for `PGHOST`; the port is that of [`Self::address`].
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    /// The server's URL as given.
    #[must_use]
    pub fn upstream(&self) -> &ServerUrl {
        &self.url
    }

    /// The server's URL with the recorder in place of the server.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.with_endpoint(&self.address.ip().to_string(), self.address.port())
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Accepts nothing more, gives open connections a second to end, and
    /// returns what was recorded.
    ///
    /// # Errors
    /// Where one of the threads failed.
    pub fn stop(mut self) -> Result<Recording, Error> {
        let cut = self.stop_forwarders()?;
        self.shared.queue.close();
        let observer = self.observer.take().ok_or(Error::Bug("observing"))?;
        let Observed { trace, failure, without_names } =
            observer.join().map_err(|_| Error::Bug("observing"))?;
        let (fault_matches, faults) = self.shared.faults.as_ref().map_or((0, 0), |state| state.counts());
        Ok(Recording {
            trace,
            refused: self.shared.refused.load(Ordering::Relaxed),
            cut,
            stalls: self.shared.queue.stalls(),
            bursts: self.shared.bursts(),
            fault_matches,
            faults,
            failure,
            without_names,
        })
    }

    fn stop_forwarders(&mut self) -> Result<u64, Error> {
        self.shared.is_stopping.store(true, Ordering::Release);
        for mailbox in &self.mailboxes {
            let _ = mailbox.waker.wake();
        }
        let mut cut = 0;
        for forwarder in std::mem::take(&mut self.forwarders) {
            cut +=
                forwarder.join().map_err(|_| Error::Bug("forwarding"))?.map_err(Error::system("polling"))?;
        }
        Ok(cut)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.stop_forwarders();
        self.shared.queue.close();
        if let Some(observer) = self.observer.take() {
            let _ = observer.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Error> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(Error::system("a thread"))
}

/// Folders of sockets.
const SOCKETS: Kind = Kind {
    prefix: "plimsoll-proxy-",
    mark: "plimsoll proxy's socket, removed when nobody holds this lock\n",
};

/// A folder for the socket, once those that killed recorders left are gone.
fn private_directory() -> Result<PrivateDirectory, Error> {
    let parent = std::env::temp_dir();
    scratch::sweep(&parent, SOCKETS, rustix::process::geteuid().as_raw(), |_| ());
    PrivateDirectory::create(&parent, SOCKETS).map_err(Error::SocketDirectory)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn listen_unix(directory: &Path, port: u16) -> Result<(UnixListener, PathBuf), Error> {
    let path = directory.join(format!(".s.PGSQL.{port}"));
    match UnixListener::bind(&path) {
        Ok(listener) => Ok((listener, path)),
        // Said before the system is asked.
        Err(source) if source.kind() == std::io::ErrorKind::InvalidInput => {
            Err(Error::SocketPathTooLong { path })
        }
        Err(source) => Err(Error::ListenUnix { path, source }),
    }
}

/// What the observer is made of; its sessions belong to its own thread.
struct ObserverParts {
    header: Header,
    hasher: ValueHasher,
    keeps_values: bool,
    judge: Option<Judge>,
    names: Option<TableNames>,
    sink: Sink,
}

impl ObserverParts {
    fn open(options: &Options) -> Result<Self, Error> {
        let hasher = ValueHasher::new(options.hash_key);
        let header = Header {
            hash_key_id: hasher.key_id(),
            started_at_us: jiff::Timestamp::now().as_microsecond(),
            source: options.source.clone(),
            bounds: options.bounds.clone(),
        };
        let sink = match &options.destination {
            Destination::Memory { bytes_max } => Sink::Memory { bytes_max: *bytes_max, bytes: 0 },
            Destination::File(path) => Sink::file(path, &header)?,
        };
        let (judge, names) = (options.findings.clone(), options.names.clone());
        Ok(Self { header, hasher, keeps_values: options.keeps_values, judge, names, sink })
    }

    fn observer(self) -> Observer {
        let ledger = Ledger::new(self.hasher, self.header.bounds.clone(), self.keeps_values);
        Observer::new(self.header, ledger, self.sink, self.judge, self.names)
    }
}
