//! Bytes for several sockets, handed to the system in one call: `io_uring` of Linux, where it is
//! there and allowed. Many containers refuse it; then every socket gets a call of its own.
//!
//! A send wakes its receiver, and whoever comes back from the system after a wake-up may have to
//! give the processor to the one it woke. After one call for all there is one such place.

use std::io;
use std::os::fd::BorrowedFd;

/// Sockets served by one call at most.
pub(super) const PIECES_MAX: usize = 32;

/// What one socket is to take.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) socket: BorrowedFd<'a>,
    pub(super) bytes: &'a [u8],
}

/// The call. It belongs to one thread.
pub(super) struct Burst {
    /// None after a failure: what the system did not take then must not be met again.
    ring: Option<ring::Ring>,
}

impl Burst {
    /// None where the system has no such call or refuses it.
    pub(super) fn open() -> Option<Self> {
        ring::Ring::open().map(|ring| Self { ring: Some(ring) })
    }

    /// Sends what each socket takes now, and waits for none. One result for each piece: bytes
    /// taken, of which zero means that the piece was not tried. Fails where the system does not go
    /// on with such calls; what `results` says is right all the same.
    pub(super) fn send(
        &mut self,
        pieces: &[Piece<'_>],
        results: &mut Vec<io::Result<usize>>,
    ) -> io::Result<()> {
        results.clear();
        results.extend(pieces.iter().map(|_| Ok(0)));
        let ring = self.ring.as_mut().ok_or(io::ErrorKind::Unsupported)?;
        let sent = ring.send(&pieces[..pieces.len().min(PIECES_MAX)], results);
        if sent.is_err() {
            self.ring = None;
        }
        sent
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod ring {
    use super::{PIECES_MAX, Piece};
    use io_uring::{IoUring, Probe, opcode, types};
    use rustix::net::SendFlags;
    use std::io;
    use std::os::fd::AsRawFd;

    pub(super) struct Ring {
        ring: IoUring,
    }

    impl Ring {
        pub(super) fn open() -> Option<Self> {
            let entries = u32::try_from(PIECES_MAX).ok()?;
            // A piece that the system cannot make sense of must not hold up those behind it.
            let ring = IoUring::builder().setup_submit_all().build(entries).ok()?;
            let mut probe = Probe::new();
            ring.submitter().register_probe(&mut probe).ok()?;
            probe.is_supported(opcode::Send::CODE).then_some(Self { ring })
        }

        pub(super) fn send(
            &mut self,
            pieces: &[Piece<'_>],
            results: &mut [io::Result<usize>],
        ) -> io::Result<()> {
            for (number, piece) in pieces.iter().enumerate() {
                let length = u32::try_from(piece.bytes.len()).unwrap_or(u32::MAX);
                let socket = types::Fd(piece.socket.as_raw_fd());
                // Nothing is ever on its way: a socket without room says so at once.
                let flags = (SendFlags::NOSIGNAL | SendFlags::DONTWAIT).bits().cast_signed();
                let entry = opcode::Send::new(socket, piece.bytes.as_ptr(), length).flags(flags);
                let entry = entry.build().user_data(number as u64);
                // SAFETY: the socket and the bytes are borrowed for as long as this call lasts, and
                // it lasts until every entry that the system took is answered. Entries that it did
                // not take are left behind only with an error, after which the ring is dropped.
                #[expect(unsafe_code, reason = "the system is handed addresses; see above for their life")]
                let pushed = unsafe { self.ring.submission().push(&entry) };
                pushed.map_err(io::Error::other)?;
            }
            let mut answered = 0;
            while answered < pieces.len() {
                let submitted = self.ring.submit_and_wait(pieces.len() - answered);
                for answer in self.ring.completion() {
                    answered += 1;
                    if let Some(result) =
                        usize::try_from(answer.user_data()).ok().and_then(|at| results.get_mut(at))
                    {
                        let count = answer.result();
                        *result = usize::try_from(count).map_err(|_| io::Error::from_raw_os_error(-count));
                    }
                }
                let taken = pieces.len() - self.ring.submission().len();
                match submitted {
                    Err(error) if error.kind() != io::ErrorKind::Interrupted && answered == taken => {
                        return Err(error);
                    }
                    _ => {}
                }
            }
            Ok(())
        }
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod ring {
    use super::Piece;
    use std::io;

    /// Other systems have none.
    pub(super) enum Ring {}

    impl Ring {
        pub(super) fn open() -> Option<Self> {
            None
        }

        pub(super) fn send(&mut self, _: &[Piece<'_>], _: &mut [io::Result<usize>]) -> io::Result<()> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Burst, PIECES_MAX, Piece};
    use std::io::{ErrorKind, Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    /// Our side and the peer's.
    fn pair() -> (UnixStream, UnixStream) {
        let (ours, peers) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours, peers)
    }

    fn received(peers: &mut UnixStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        peers.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn each_socket_takes_what_it_can_and_holds_up_no_other() {
        // What the system refuses cannot be tested on it.
        let Some(mut burst) = Burst::open() else {
            return;
        };
        let (first, mut first_peer) = pair();
        let (mut full, _full_peer) = pair();
        while full.write(&[0; 4096]).is_ok() {}
        let (left, left_peer) = pair();
        drop(left_peer);
        let (short, mut short_peer) = pair();
        let (last, mut last_peer) = pair();
        let long = vec![7; 64 << 20];
        let pieces = [
            Piece { socket: first.as_fd(), bytes: b"first" },
            Piece { socket: full.as_fd(), bytes: b"full" },
            Piece { socket: left.as_fd(), bytes: b"left" },
            Piece { socket: short.as_fd(), bytes: &long },
            Piece { socket: last.as_fd(), bytes: b"last" },
        ];
        let mut results = Vec::new();
        // A second time, as what the first left behind would meet it.
        for _ in 0..2 {
            burst.send(&pieces, &mut results).unwrap();
            assert_eq!(*results[0].as_ref().unwrap(), 5);
            assert_eq!(results[1].as_ref().unwrap_err().kind(), ErrorKind::WouldBlock);
            assert_eq!(results[2].as_ref().unwrap_err().kind(), ErrorKind::BrokenPipe);
            let count = *results[3].as_ref().unwrap();
            assert!(count > 0 && count < long.len(), "{count}");
            assert!(received(&mut short_peer, count).iter().all(|byte| *byte == 7));
            assert_eq!(*results[4].as_ref().unwrap(), 4);
            assert_eq!(received(&mut first_peer, 5), b"first");
            assert_eq!(received(&mut last_peer, 4), b"last");
        }
    }

    #[test]
    fn what_is_too_much_for_one_call_is_not_tried() {
        let Some(mut burst) = Burst::open() else {
            return;
        };
        let (ours, mut peers) = pair();
        let pieces: Vec<Piece<'_>> =
            (0..=PIECES_MAX).map(|_| Piece { socket: ours.as_fd(), bytes: b"x" }).collect();
        let mut results = Vec::new();
        burst.send(&pieces, &mut results).unwrap();
        let counts: Vec<usize> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(counts.iter().sum::<usize>(), PIECES_MAX);
        assert_eq!(counts[PIECES_MAX], 0);
        assert_eq!(received(&mut peers, PIECES_MAX).len(), PIECES_MAX);
    }
}
