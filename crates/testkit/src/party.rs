//! A party of a bytestream (XEP-0065): SOCKS5 by hand, and then nothing but bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use sha1::{Digest, Sha1};

use crate::client::WAIT;
use crate::link::Link;

/// The hash by which both parties name their stream (section 6.3.2).
pub fn stream_hash(sid: &str, requester: &str, target: &str) -> String {
    let hash = Sha1::digest(format!("{sid}{requester}{target}"));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A connection of a party.
pub struct Party {
    socket: TcpStream,
}

impl Party {
    /// Connects and says nothing.
    #[track_caller]
    pub fn silent(to: SocketAddr) -> Party {
        Party::of(Link::open(to, None).expect("the proxy listens"))
    }

    /// Connects, from this address of our own, and agrees on the method without authentication.
    #[track_caller]
    pub fn from(from: IpAddr, to: SocketAddr) -> Party {
        Party::of(Link::open(to, Some(from)).expect("the proxy listens")).greeted()
    }

    /// Connects and agrees on the method without authentication.
    #[track_caller]
    pub fn greet(to: SocketAddr) -> Party {
        Party::silent(to).greeted()
    }

    /// Connects for this stream; it must be let in.
    #[track_caller]
    pub fn join(to: SocketAddr, hash: &str) -> Party {
        let mut party = Party::greet(to);
        assert_eq!(party.name(hash), 0, "the proxy refuses");
        party
    }

    fn of(link: Link) -> Party {
        let socket = link.socket().try_clone().expect("a socket can be shared");
        socket.set_read_timeout(Some(WAIT)).expect("a socket has a timeout");
        Party { socket }
    }

    #[track_caller]
    fn greeted(mut self) -> Party {
        self.send(&[5, 1, 0]);
        assert_eq!(self.read(2), [5, 0], "the proxy wants another method");
        self
    }

    /// Asks for this stream; answers the code of the reply (RFC 1928 section 6), which must say where it was connected to.
    #[track_caller]
    pub fn name(&mut self, hash: &str) -> u8 {
        self.request(1, 3, &[&[hash.len() as u8], hash.as_bytes()].concat(), 0);
        let reply = self.read(4);
        assert_eq!((reply[0], reply[2]), (5, 0), "{reply:?}");
        let bound = match reply[3] {
            1 => self.read(6),
            3 => {
                let length = self.read(1)[0];
                self.read(usize::from(length) + 2)
            }
            other => panic!("an address of type {other}"),
        };
        if reply[1] == 0 {
            assert_eq!(bound, [hash.as_bytes(), &[0, 0]].concat());
        }
        reply[1]
    }

    /// Sends a request of any kind.
    #[track_caller]
    pub fn request(&mut self, command: u8, kind: u8, address: &[u8], port: u16) {
        self.send(&[&[5, command, 0, kind], address, &port.to_be_bytes()].concat());
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the connection is open");
    }

    /// Sends bytes to somebody who may have closed the connection.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Sends of these bytes, again and again from the beginning, until the other side has taken none for a while; answers how many went.
    #[track_caller]
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        const TRIES: usize = 20;
        self.socket.set_nonblocking(true).expect("a socket does not block");
        let (mut sent, mut tries) = (0, 0);
        while tries < TRIES {
            match self.socket.write(&bytes[sent % bytes.len()..]) {
                Ok(count) => (sent, tries) = (sent + count, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.socket.set_nonblocking(false).expect("a socket blocks");
        sent
    }

    /// Reads so many bytes.
    #[track_caller]
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.socket.read_exact(&mut bytes).expect("the proxy sends what was sent to it");
        bytes
    }

    /// Demands that nothing is there to be read now.
    #[track_caller]
    pub fn expect_nothing(&self) {
        self.socket.set_nonblocking(true).expect("a socket does not block");
        let peeked = self.socket.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(peeked, Err(ErrorKind::WouldBlock));
        self.socket.set_nonblocking(false).expect("a socket blocks");
    }

    /// Says that nothing more comes, and goes on reading.
    pub fn end(&self) {
        self.socket.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Reads until the other side has said everything; fails where it was cut.
    pub fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.socket.read_to_end(&mut bytes).map(|_| bytes)
    }

    /// Demands that what comes is cut in the end, and does not look complete.
    #[track_caller]
    pub fn expect_cut(&mut self) {
        assert_eq!(self.rest().map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    }

    /// Whether the other side ends the connection within that time.
    pub fn ends_within(&mut self, wait: Duration) -> bool {
        let deadline = Instant::now() + wait;
        self.socket.set_read_timeout(Some(wait)).expect("a socket has a timeout");
        loop {
            match self.socket.read(&mut [0; 64]) {
                Ok(0) => return true,
                Ok(_) if Instant::now() < deadline => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Breaks the connection.
    pub fn abort(self) {
        sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO)).expect("a socket can be reset");
    }
}
