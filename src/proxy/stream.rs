//! One end of a connection: a TCP or Unix socket, in plain or in TLS. All
//! operations are non-blocking.

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use rustix::net::{self, RecvFlags, SendFlags};
use rustls::Connection;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};

/// A socket.
#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Sockets are read and written by the system's own calls: libc's make a thread of a process
/// with several threads a place where it may be cancelled, twice per call.
impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, _) = match self {
            Self::Tcp(stream) => net::recv(stream, buffer, RecvFlags::empty()),
            Self::Unix(stream) => net::recv(stream, buffer, RecvFlags::empty()),
        }?;
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match self {
            Self::Tcp(stream) => net::send(stream, bytes, WITHOUT_SIGNAL),
            Self::Unix(stream) => net::send(stream, bytes, WITHOUT_SIGNAL),
        }?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A peer that is gone is an error, not a SIGPIPE. Apple's sockets are asked for that when made.
#[cfg(not(target_vendor = "apple"))]
const WITHOUT_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const WITHOUT_SIGNAL: SendFlags = SendFlags::empty();

/// Within a machine nothing is congested and nothing gets lost, so the simplest congestion control
/// there is does; others reckon with every packet, and BBR also paces them.
fn spare_loopback(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    if stream.local_addr().is_ok_and(|address| address.ip().is_loopback()) {
        // Where the system does not allow it, its own choice does as well.
        let _ = net::sockopt::set_tcp_congestion(stream, "reno");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// A TLS session over a socket.
#[derive(Debug)]
struct Tls {
    connection: Connection,
    /// Bytes read from the socket before TLS began, not yet given to it.
    prefetched: Vec<u8>,
    /// The peer has ended its side, in TLS or below it.
    is_ended: bool,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Stream {
    socket: Socket,
    tls: Option<Box<Tls>>,
}

impl Stream {
    pub(super) fn tcp(stream: TcpStream) -> Self {
        // A proxy that waits to fill packets would add latency that is not the server's.
        let _ = stream.set_nodelay(true);
        spare_loopback(&stream);
        Self { socket: Socket::Tcp(stream), tls: None }
    }

    pub(super) fn unix(stream: UnixStream) -> Self {
        Self { socket: Socket::Unix(stream), tls: None }
    }

    pub(super) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.register(registry, token, interest),
            Socket::Unix(stream) => stream.register(registry, token, interest),
        }
    }

    /// Has the system tell of something else from now on; of what is so already, too.
    pub(super) fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.reregister(registry, token, interest),
            Socket::Unix(stream) => stream.reregister(registry, token, interest),
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        let _ = match &mut self.socket {
            Socket::Tcp(stream) => stream.deregister(registry),
            Socket::Unix(stream) => stream.deregister(registry),
        };
    }

    /// Whether a connection attempt has come to its end: `Ok(false)` while it has not.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let Socket::Tcp(stream) = &self.socket else {
            return Ok(true);
        };
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => {
                let _ = stream.set_nodelay(true);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on in TLS; `prefetched` was already read from the socket.
    pub(super) fn start_tls(&mut self, connection: impl Into<Connection>, prefetched: Vec<u8>) {
        self.tls = Some(Box::new(Tls { connection: connection.into(), prefetched, is_ended: false }));
    }

    /// The socket itself, for what is not in TLS.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The peer's first certificate.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        let certificates = self.tls.as_ref()?.connection.peer_certificates()?;
        certificates.first().map(|certificate| certificate.as_ref())
    }

    /// Reads; `Ok(0)` is the end of the stream.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(buffer),
            Some(tls) => tls.read(&mut self.socket, buffer),
        }
    }

    /// Writes what the socket, or TLS above it, takes now.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => {
                let taken = tls.connection.writer().write(bytes)?;
                tls.flush(&mut self.socket)?;
                if taken == 0 && !bytes.is_empty() {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(taken)
            }
        }
    }

    /// Whether TLS holds bytes back that the socket did not take.
    pub(super) fn holds_back(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.connection.wants_write())
    }

    /// Sends what TLS holds back; true once nothing is left.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            None => Ok(true),
            Some(tls) => tls.flush(&mut self.socket),
        }
    }

    /// Ends our side, so that the peer sees the end of the stream.
    pub(super) fn shutdown_write(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            let _ = tls.flush(&mut self.socket);
        }
        let _ = match &self.socket {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
    }
}

impl Tls {
    fn read(&mut self, socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Ok(count) if count > 0 => return Ok(count),
                // Ended properly, or torn off: either way nothing more will come.
                Ok(_) => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if self.is_ended => return Ok(0),
                Err(_) => {}
            }
            let count = if self.prefetched.is_empty() {
                self.connection.read_tls(socket)?
            } else {
                let mut pending = self.prefetched.as_slice();
                let count = self.connection.read_tls(&mut pending)?;
                self.prefetched.drain(..count);
                count
            };
            self.is_ended = count == 0;
            let processed = self.connection.process_new_packets();
            // An alert about what went wrong is still to be sent.
            let flushed = self.flush(socket);
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            flushed?;
        }
    }

    fn flush(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}
