//! The way to a daemon that keeps logs: one datagram for each line, to a socket of this machine or over UDP.
//! Writing never blocks and never fails. Lines that the daemon does not take are counted, and the count is told once it takes some.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// Where a daemon listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Path(PathBuf),
    Udp(SocketAddr),
}

impl Address {
    /// Reads a path, or `udp:192.0.2.1:514`.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix("udp:") {
            Some(address) => address.parse().ok().map(Self::Udp),
            None => Path::new(text).is_absolute().then(|| Self::Path(text.into())),
        }
    }
}

#[derive(Debug)]
enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

impl Socket {
    fn open(to: &Address) -> io::Result<Self> {
        match to {
            Address::Path(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Unix(socket))
            }
            Address::Udp(address) => {
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Udp(socket))
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(datagram),
            Self::Udp(socket) => socket.send(datagram),
        }
        .map(drop)
    }
}

/// A daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    to: Address,
    current: ArcSwap<Socket>,
    /// Since it was last told how many.
    lost: AtomicU64,
    lost_ever: AtomicU64,
}

impl Daemon {
    /// Fails where nobody listens, as far as that can be known.
    pub(super) fn open(to: Address) -> io::Result<Self> {
        let socket = Socket::open(&to)?;
        Ok(Self { to, current: ArcSwap::from_pointee(socket), lost: AtomicU64::new(0), lost_ever: AtomicU64::new(0) })
    }

    /// Connects again; keeps the old socket if that fails.
    pub(super) fn reopen(&self) -> io::Result<()> {
        self.current.store(Arc::new(Socket::open(&self.to)?));
        Ok(())
    }

    /// Sends one datagram, behind the one that `about_lost` makes if some were lost before.
    pub(super) fn send(&self, datagram: &[u8], about_lost: impl FnOnce(u64) -> Vec<u8>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 && self.try_send(&about_lost(lost)).is_err() {
            self.lost.fetch_add(lost, Ordering::Relaxed);
            return self.lose();
        }
        if self.try_send(datagram).is_err() {
            self.lose();
        }
    }

    /// Datagrams that it did not take.
    pub(super) fn lost_ever(&self) -> u64 {
        self.lost_ever.load(Ordering::Relaxed)
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.lost_ever.fetch_add(1, Ordering::Relaxed);
    }

    /// A daemon that was restarted has another socket by the same name.
    fn try_send(&self, datagram: &[u8]) -> io::Result<()> {
        match self.current.load().send(datagram) {
            Err(why) if why.kind() != io::ErrorKind::WouldBlock => {
                self.reopen()?;
                self.current.load().send(datagram)
            }
            sent => sent,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A daemon of a test: its socket, and where it is.
    pub(in crate::logging) fn listen(path: &Path) -> UnixDatagram {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// The next datagram as text, none if there is none.
    pub(in crate::logging) fn received(socket: &UnixDatagram) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 1 << 16];
        let length = socket.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }

    fn about_lost(count: u64) -> Vec<u8> {
        format!("{count} lost").into_bytes()
    }

    #[test]
    fn addresses_are_paths_or_udp() {
        assert_eq!(Address::read("/dev/log"), Some(Address::Path("/dev/log".into())));
        assert_eq!(Address::read("udp:192.0.2.1:514"), Some(Address::Udp("192.0.2.1:514".parse().unwrap())));
        assert_eq!(Address::read("udp:[2001:db8::1]:514"), Some(Address::Udp("[2001:db8::1]:514".parse().unwrap())));
        for wrong in ["", "log", "udp:", "udp:example.org:514", "udp:192.0.2.1", "tcp:192.0.2.1:514"] {
            assert_eq!(Address::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_daemon_that_does_not_read_blocks_nobody_and_hears_later_what_it_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let socket = listen(&path);
        let daemon = Daemon::open(Address::Path(path)).unwrap();
        let lines = 10_000;
        for _ in 0..lines {
            daemon.send(b"line", about_lost);
        }
        let mut read = 0;
        while received(&socket).is_some() {
            read += 1;
        }
        assert!(read < lines, "its queue has a bound");
        daemon.send(b"again", about_lost);
        assert_eq!(received(&socket), Some(about_lost(lines - read)));
        assert_eq!(received(&socket).as_deref(), Some(&b"again"[..]));
        assert_eq!(daemon.lost_ever(), lines - read);
    }

    #[test]
    fn a_daemon_that_was_restarted_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let first = listen(&path);
        let daemon = Daemon::open(Address::Path(path.clone())).unwrap();
        drop(first);
        daemon.send(b"nobody is there", about_lost);
        std::fs::remove_file(&path).unwrap();
        let second = listen(&path);
        daemon.send(b"line", about_lost);
        assert_eq!(received(&second), Some(about_lost(1)));
        assert_eq!(received(&second).as_deref(), Some(&b"line"[..]));
    }

    #[test]
    fn a_daemon_that_is_not_there_is_an_error_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Daemon::open(Address::Path(folder.path().join("log"))).is_err());
    }

    #[test]
    fn udp_is_spoken_too() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        there.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let daemon = Daemon::open(Address::Udp(there.local_addr().unwrap())).unwrap();
        daemon.send(b"line", about_lost);
        let mut buffer = [0; 16];
        let length = there.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"line");
    }
}
