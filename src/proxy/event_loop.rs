//! A forwarding thread: polls its sockets and drives their links. It never
//! blocks on anything else, except on a full queue to the observer.

use super::burst::{Burst, PIECES_MAX};
use super::end::End;
use super::error::Error;
use super::link::{Link, Surroundings};
use super::recorder::Shared;
use super::stream::Stream;
use super::timer::Timer;
use crate::stats::clock;
use mio::net::{TcpListener, UnixListener};
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

const WAKER: Token = Token(0);
const TCP_LISTENER: Token = Token(1);
const UNIX_LISTENER: Token = Token(2);
const TIMER: Token = Token(3);
const FIRST_LINK: usize = 4;

/// One read at most, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// Events taken from the system at once.
const EVENTS: usize = 256;
/// How long connections may still end by themselves once the recorder stops.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// How other threads reach a forwarding thread.
#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    pub(super) accepted: Sender<Stream>,
    pub(super) waker: Arc<Waker>,
}

/// Where clients arrive.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) tcp: TcpListener,
    pub(super) unix: Option<UnixListener>,
}

/// A forwarding thread before it runs.
pub(super) struct EventLoop {
    poll: Poll,
    shared: Arc<Shared>,
    accepted: Receiver<Stream>,
    /// Only the first thread has them; it hands connections out in turn.
    listeners: Option<Listeners>,
    /// All threads, this one included.
    mailboxes: Vec<Mailbox>,
    next_mailbox: usize,
    links: Vec<Option<Box<Link>>>,
    free: Vec<usize>,
    again: BTreeSet<usize>,
    /// When links want to be driven; in order, as every delay is the same.
    due: VecDeque<(Instant, usize)>,
    timer: Timer,
    buffer: Box<[u8]>,
    /// Opened by the thread that it belongs to.
    burst: Option<Burst>,
    /// Ends that hold bytes for the next burst.
    held: Vec<Token>,
    /// Whether links may hold bytes: several of them have something.
    is_holding: bool,
    results: Vec<io::Result<usize>>,
}

impl EventLoop {
    pub(super) fn new(shared: Arc<Shared>, accepted: Receiver<Stream>) -> Result<(Self, Arc<Waker>), Error> {
        let poll = Poll::new().map_err(Error::system("a poll"))?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(Error::system("a waker"))?;
        let timer = Timer::new(poll.registry(), TIMER).map_err(Error::system("a timer"))?;
        let event_loop = Self {
            poll,
            shared,
            accepted,
            listeners: None,
            mailboxes: Vec::new(),
            next_mailbox: 0,
            links: Vec::new(),
            free: Vec::new(),
            again: BTreeSet::new(),
            due: VecDeque::new(),
            timer,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            burst: None,
            held: Vec::new(),
            is_holding: false,
            results: Vec::new(),
        };
        Ok((event_loop, Arc::new(waker)))
    }

    /// Makes this the thread that accepts.
    pub(super) fn listen(&mut self, mut listeners: Listeners, mailboxes: Vec<Mailbox>) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut listeners.tcp, TCP_LISTENER, Interest::READABLE)?;
        if let Some(unix) = &mut listeners.unix {
            registry.register(unix, UNIX_LISTENER, Interest::READABLE)?;
        }
        self.listeners = Some(listeners);
        self.mailboxes = mailboxes;
        Ok(())
    }

    /// Runs until the recorder stops and the links are over or the grace is.
    /// Returns how many links it had to cut.
    pub(super) fn run(mut self) -> io::Result<u64> {
        self.burst = self.shared.sends_in_bursts.then(Burst::open).flatten();
        self.shared.has_bursts.store(self.burst.is_some(), Ordering::Relaxed);
        let mut events = Events::with_capacity(EVENTS);
        let mut stop_at = None;
        loop {
            let is_waiting = !self.again.is_empty();
            match self.poll.poll(&mut events, self.timeout(is_waiting, stop_at)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.is_holding = self.burst.is_some() && events.iter().nth(1).is_some();
            let again = std::mem::take(&mut self.again);
            for event in &events {
                match event.token() {
                    WAKER => self.take_accepted(),
                    TCP_LISTENER | UNIX_LISTENER => self.accept(),
                    TIMER => self.timer.clear(),
                    token => {
                        let is_ending = event.is_read_closed() || event.is_error();
                        if (event.is_readable() || is_ending)
                            && let Some(end) = end_mut(&mut self.links, token)
                        {
                            end.mark_readable(is_ending);
                        }
                        let index = link_of(token).0;
                        // One turn a round: who has more comes behind the others.
                        if !again.contains(&index) {
                            self.drive(index);
                        }
                        if self.held.len() >= PIECES_MAX {
                            self.send_burst();
                        }
                    }
                }
            }
            // Short answers do not wait for those that have megabytes.
            self.send_burst();
            self.is_holding = false;
            for index in again {
                self.drive(index);
            }
            self.drive_due();
            if self.shared.is_stopping.load(Ordering::Acquire) {
                let deadline = *stop_at.get_or_insert_with(|| clock::now() + STOP_GRACE);
                self.stop_accepting();
                let open = self.links.iter().flatten().count();
                if open == 0 || clock::now() >= deadline {
                    return Ok(self.cut_links());
                }
            }
        }
    }

    fn timeout(&self, is_waiting: bool, stop_at: Option<Instant>) -> Option<Duration> {
        if is_waiting {
            return Some(Duration::ZERO);
        }
        if self.due.is_empty() && stop_at.is_none() {
            return None;
        }
        let now = clock::now();
        let due = self.timer.timeout(self.due.front().map(|(due, _)| due.saturating_duration_since(now)));
        let stop = stop_at.map(|at| at.saturating_duration_since(now));
        due.into_iter().chain(stop).min()
    }

    fn accept(&mut self) {
        let Some(listeners) = &self.listeners else {
            return;
        };
        let mut streams = Vec::new();
        // An error is of one connection that has already gone, or of a system
        // out of descriptors; either way the next event tries again.
        while let Ok((stream, _)) = listeners.tcp.accept() {
            streams.push(Stream::tcp(stream));
        }
        if let Some(unix) = &listeners.unix {
            while let Ok((stream, _)) = unix.accept() {
                streams.push(Stream::unix(stream));
            }
        }
        for stream in streams {
            let number = self.next_mailbox % self.mailboxes.len().max(1);
            self.next_mailbox += 1;
            if number == 0 {
                self.add(stream);
            } else {
                let mailbox = &self.mailboxes[number];
                if mailbox.accepted.send(stream).is_ok() {
                    let _ = mailbox.waker.wake();
                }
            }
        }
    }

    fn take_accepted(&mut self) {
        while let Ok(stream) = self.accepted.try_recv() {
            self.add(stream);
        }
    }

    fn add(&mut self, mut stream: Stream) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.links.push(None);
            self.links.len() - 1
        });
        if stream.register(self.poll.registry(), client_token(index), Interest::READABLE).is_err() {
            self.free.push(index);
            return;
        }
        let id = self.shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.links[index] = Some(Box::new(Link::new(id, End::new(stream, false), &self.shared)));
        self.drive(index);
    }

    fn drive(&mut self, index: usize) {
        let Some(Some(link)) = self.links.get_mut(index) else {
            return;
        };
        let mut around = Surroundings {
            shared: &self.shared,
            registry: self.poll.registry(),
            client_token: client_token(index),
            server_token: server_token(index),
            buffer: &mut self.buffer,
            held: self.is_holding.then_some(&mut self.held),
            wake_at: None,
            has_more: false,
        };
        let is_alive = link.drive(&mut around);
        if !is_alive {
            link.end(&mut around);
        }
        let (wake_at, has_more) = (around.wake_at, around.has_more);
        if !is_alive {
            self.links[index] = None;
            self.free.push(index);
        } else if has_more {
            self.again.insert(index);
        }
        if let Some(at) = wake_at {
            if self.due.is_empty() {
                self.timer.set(at.saturating_duration_since(clock::now()));
            }
            self.due.push_back((at, index));
        }
    }

    /// Sends what ends hold.
    fn send_burst(&mut self) {
        let links = &mut self.links;
        self.held.retain(|token| end_mut(links, *token).is_some_and(End::release));
        if self.held.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        let mut results = std::mem::take(&mut self.results);
        self.call_for_all(&held, &mut results);
        // All of them, before a link is driven that sends what it believes unsent.
        let (links, mut taken) = (&mut self.links, results.iter());
        held.retain(|token| {
            let result = taken.next().unwrap_or(&Ok(0));
            end_mut(links, *token).is_some_and(|end| !end.take_result(result))
        });
        let is_holding = std::mem::replace(&mut self.is_holding, false);
        for token in held.drain(..) {
            self.drive(link_of(token).0);
        }
        self.is_holding = is_holding;
        (self.held, self.results) = (held, results);
    }

    /// One call for several ends; one alone is left to its link.
    fn call_for_all(&mut self, held: &[Token], results: &mut Vec<io::Result<usize>>) {
        let mut pieces = Vec::with_capacity(held.len());
        for token in held {
            pieces.extend(end(&self.links, *token).map(End::piece));
        }
        match &mut self.burst {
            Some(burst) if pieces.len() > 1 => {
                if burst.send(&pieces, results).is_err() {
                    self.burst = None;
                }
                self.shared.bursts.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                results.clear();
                results.resize_with(pieces.len(), || Ok(0));
            }
        }
    }

    fn drive_due(&mut self) {
        if self.due.is_empty() {
            return;
        }
        let now = clock::now();
        while let Some(&(at, index)) = self.due.front() {
            if at > now {
                self.timer.set(at.saturating_duration_since(now));
                return;
            }
            self.due.pop_front();
            self.drive(index);
        }
    }

    fn stop_accepting(&mut self) {
        if let Some(mut listeners) = self.listeners.take() {
            let _ = self.poll.registry().deregister(&mut listeners.tcp);
            if let Some(unix) = &mut listeners.unix {
                let _ = self.poll.registry().deregister(unix);
            }
        }
    }

    fn cut_links(&mut self) -> u64 {
        let mut cut = 0;
        for index in 0..self.links.len() {
            if let Some(mut link) = self.links[index].take() {
                cut += 1;
                link.end(&mut Surroundings {
                    shared: &self.shared,
                    registry: self.poll.registry(),
                    client_token: client_token(index),
                    server_token: server_token(index),
                    buffer: &mut self.buffer,
                    held: None,
                    wake_at: None,
                    has_more: false,
                });
            }
        }
        cut
    }
}

fn client_token(index: usize) -> Token {
    Token(FIRST_LINK + index * 2)
}

fn server_token(index: usize) -> Token {
    Token(FIRST_LINK + index * 2 + 1)
}

/// The link that a token is of, and whether it is the server's end.
fn link_of(token: Token) -> (usize, bool) {
    let number = token.0 - FIRST_LINK;
    (number / 2, number % 2 == 1)
}

fn end(links: &[Option<Box<Link>>], token: Token) -> Option<&End> {
    let (index, is_server) = link_of(token);
    let link = links.get(index)?.as_ref()?;
    if is_server { link.server.as_ref() } else { Some(&link.client) }
}

fn end_mut(links: &mut [Option<Box<Link>>], token: Token) -> Option<&mut End> {
    let (index, is_server) = link_of(token);
    let link = links.get_mut(index)?.as_mut()?;
    if is_server { link.server.as_mut() } else { Some(&mut link.client) }
}
