//! The server behind the proxy: where it is and how to get there.

use super::error::Error;
use super::stream::Stream;
use super::tls::ServerTls;
use super::url::{ServerUrl, default_host};
use mio::net::{TcpStream, UnixStream};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// How long the start-up check waits for the server to accept, in seconds.
const REACH_TIMEOUT_S: u64 = 10;

/// One place a server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// Begins to connect; the result is known once the stream is writable.
    pub(super) fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(*address)?;
                Ok(Stream::tcp(stream))
            }
            Self::Unix(path) => UnixStream::connect(path).map(Stream::unix),
        }
    }

    fn reach(&self) -> io::Result<()> {
        match self {
            Self::Tcp(address) => {
                std::net::TcpStream::connect_timeout(address, Duration::from_secs(REACH_TIMEOUT_S)).map(drop)
            }
            Self::Unix(path) => std::os::unix::net::UnixStream::connect(path).map(drop),
        }
    }
}

/// The server, resolved.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    pub(super) address: Address,
    /// TLS where the URL asks for it and the way is a network's.
    pub(super) tls: Option<ServerTls>,
}

impl Upstream {
    /// Resolves a URL's hosts and takes the first that accepts connections.
    pub(super) fn resolve(url: &ServerUrl) -> Result<Self, Error> {
        let hosts = if url.hosts.is_empty() { vec![default_host()] } else { url.hosts.clone() };
        let mut failure = None;
        for (host, port) in &hosts {
            for address in addresses(host, *port)? {
                match address.reach() {
                    Ok(()) => {
                        let tls = match address {
                            Address::Tcp(_) => ServerTls::from_url(url, host)?,
                            Address::Unix(_) => None,
                        };
                        return Ok(Self { address, tls });
                    }
                    Err(source) => {
                        failure = Some(Error::Unreachable { address: address.to_string(), source })
                    }
                }
            }
        }
        Err(failure.unwrap_or(Error::NoServer))
    }
}

fn addresses(host: &str, port: u16) -> Result<Vec<Address>, Error> {
    if host.starts_with('/') {
        return Ok(vec![Address::Unix(PathBuf::from(host).join(format!(".s.PGSQL.{port}")))]);
    }
    match (host, port).to_socket_addrs() {
        Ok(found) => Ok(found.map(Address::Tcp).collect()),
        Err(source) => Err(Error::Resolve { host: host.to_owned(), source }),
    }
}
