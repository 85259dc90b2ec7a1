//! How many connections there are, by what they are for, and how many were turned away, by why. For the metrics; nothing is decided by them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionKind {
    /// A client's, over TCP.
    Client,
    /// A client's, over WebSocket.
    WebSocket,
    /// A client's session of BOSH, which is no connection of its own and has the place of one.
    Bosh,
    /// Another server's, which it has opened.
    Server,
    /// A component's.
    Component,
    /// A browser's, or whatever speaks like one.
    Web,
    /// That of a party of a bytestream.
    Bytestream,
}

impl ConnectionKind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] =
        [Self::Client, Self::WebSocket, Self::Bosh, Self::Server, Self::Component, Self::Web, Self::Bytestream];

    /// As it is told.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::WebSocket => "websocket",
            Self::Bosh => "bosh",
            Self::Server => "server",
            Self::Component => "component",
            Self::Web => "web",
            Self::Bytestream => "bytestream",
        }
    }
}

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many addresses are connected as can be remembered.
    Addresses,
    /// Its address has as many connections as it may have.
    Connections,
    /// Its address connects too often.
    Rate,
    /// Too many servers of its address have not proved who they are.
    Unproved,
    /// The server has as many connections as its file descriptors allow.
    Full,
}

impl Refused {
    /// All of them.
    pub(crate) const ALL: [Refused; 5] =
        [Refused::Addresses, Refused::Connections, Refused::Rate, Refused::Unproved, Refused::Full];

    /// As the log has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Refused::Addresses => "too many addresses are connected",
            Refused::Connections => "the address has too many connections",
            Refused::Rate => "the address connects too often",
            Refused::Unproved => "too many servers of this address have proved nothing",
            Refused::Full => "there are as many connections as file descriptors allow",
        }
    }

    /// In a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Refused::Addresses => "addresses",
            Refused::Connections => "connections",
            Refused::Rate => "rate",
            Refused::Unproved => "unproved",
            Refused::Full => "full",
        }
    }
}

/// The figures.
#[derive(Debug)]
pub(crate) struct Figures {
    /// When counting began, Unix time in milliseconds: when the server was started.
    since_ms: u64,
    open: [AtomicUsize; ConnectionKind::ALL.len()],
    in_use: [AtomicUsize; ConnectionKind::ALL.len()],
    refused: [AtomicU64; Refused::ALL.len()],
    failed_handshakes: AtomicU64,
}

impl Default for Figures {
    fn default() -> Figures {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Figures {
            since_ms: since.as_millis() as u64,
            open: Default::default(),
            in_use: Default::default(),
            refused: Default::default(),
            failed_handshakes: AtomicU64::new(0),
        }
    }
}

impl Figures {
    /// When counting began, Unix time in milliseconds.
    pub(crate) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Connections of this kind.
    pub(crate) fn open(&self, kind: ConnectionKind) -> usize {
        self.open[kind as usize].load(Ordering::Relaxed)
    }

    /// Those of them on which somebody has logged in.
    pub(crate) fn in_use(&self, kind: ConnectionKind) -> usize {
        self.in_use[kind as usize].load(Ordering::Relaxed)
    }

    /// Connections that were turned away for this.
    pub(crate) fn refusals(&self, why: Refused) -> u64 {
        self.refused[why as usize].load(Ordering::Relaxed)
    }

    /// TLS handshakes of others with this server that came to nothing.
    pub(crate) fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }

    /// A handshake came to nothing.
    pub(crate) fn handshake_failed(&self) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, why: Refused) {
        self.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn opened(&self, kind: ConnectionKind) {
        self.open[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, kind: ConnectionKind) {
        self.open[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn logged_in(&self, kind: ConnectionKind) {
        self.in_use[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn logged_out(&self, kind: ConnectionKind) {
        self.in_use[kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_place_of_its_own() {
        assert_eq!(ConnectionKind::ALL.map(|kind| kind as usize), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Refused::ALL.map(|why| why as usize), [0, 1, 2, 3, 4]);
    }
}
