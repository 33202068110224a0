//! A receiver of one HTTP request on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

/// What was received.
pub(crate) struct Request {
    /// `POST /v1/metrics HTTP/1.1`.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    /// What came after the headers.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Listens on a free port.
pub(crate) struct Receiver {
    address: SocketAddr,
    received: mpsc::Receiver<Request>,
}

impl Receiver {
    /// Answers the first request so.
    pub(crate) fn answering(status: u16, body: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::channel();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let request = read(&stream);
            let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n", body.len());
            (&stream).write_all(&[head.as_bytes(), &body].concat()).unwrap();
            sender.send(request).unwrap();
        });
        Self { address, received }
    }

    /// Host and port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The request, once it is there.
    pub(crate) fn request(&self) -> Request {
        self.received.recv_timeout(Duration::from_secs(10)).unwrap()
    }
}

fn read(stream: &TcpStream) -> Request {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut text = String::new();
        reader.read_line(&mut text).unwrap();
        text.trim_end().to_owned()
    };
    let line = next();
    let headers: Vec<(String, String)> = std::iter::from_fn(|| {
        let (name, value) = next().split_once(':').map(|(n, v)| (n.to_lowercase(), v.trim().to_owned()))?;
        Some((name, value))
    })
    .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Request { line, headers, body }
}
