//! The connection under a scripted client: clear text, or TLS over it. Blocking, with a deadline for each read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::ServerName;

use crate::deflated::Deflated;
use crate::web::Web;

/// A connection.
pub(crate) enum Link {
    /// Not encrypted.
    Clear(TcpStream),
    /// Encrypted.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// Encrypted, and the other side has begun.
    Served(Box<StreamOwned<ServerConnection, TcpStream>>),
    /// With messages above it.
    Web(Box<Web>),
    /// With compression above it.
    Deflated(Box<Deflated>),
}

/// What a read has brought.
#[derive(Debug)]
pub(crate) enum Read1 {
    /// This many bytes.
    Bytes(usize),
    /// The server has closed the connection; with TLS, whether or not it said so.
    End,
    /// The connection was reset.
    Reset,
    /// Nothing, until the deadline.
    Nothing,
}

impl Link {
    /// Connects, from a given address of our own if there is one.
    pub(crate) fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Link> {
        let stream = match from {
            None => TcpStream::connect(to)?,
            Some(from) => {
                let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
                // Not for the servers that other tests start meanwhile: they would keep it open.
                let descriptor = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
                bind(&descriptor, &SocketAddr::new(from, 0))?;
                connect(&descriptor, &to)?;
                TcpStream::from(descriptor)
            }
        };
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        Ok(Link::Clear(stream))
    }

    /// Encrypts it.
    pub(crate) fn encrypt(self, config: Arc<ClientConfig>, name: &str) -> io::Result<Link> {
        let Link::Clear(mut stream) = self else { panic!("the connection is encrypted already") };
        let name = ServerName::try_from(name.to_owned()).expect("a name for TLS");
        let mut connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Link::Tls(Box::new(StreamOwned::new(connection, stream))))
    }

    /// Lets the other side encrypt it.
    pub(crate) fn serve(self, config: Arc<ServerConfig>) -> io::Result<Link> {
        let Link::Clear(mut stream) = self else { panic!("the connection is encrypted already") };
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Link::Served(Box::new(StreamOwned::new(connection, stream))))
    }

    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Link::Clear(stream) => stream,
            Link::Tls(tls) => &tls.sock,
            Link::Served(tls) => &tls.sock,
            Link::Web(web) => web.link.socket(),
            Link::Deflated(deflated) => deflated.link.socket(),
        }
    }

    /// The TLS connection, if there is one.
    pub(crate) fn tls(&self) -> Option<&ClientConnection> {
        match self {
            Link::Clear(_) | Link::Served(_) => None,
            Link::Tls(tls) => Some(&tls.conn),
            Link::Web(web) => web.link.tls(),
            Link::Deflated(deflated) => deflated.link.tls(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Link::Clear(stream) => stream.write_all(bytes),
            Link::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Link::Served(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Link::Web(web) => web.write(bytes),
            Link::Deflated(deflated) => deflated.write(bytes),
        }
    }

    /// Reads what is there; waits for it until `deadline`.
    pub(crate) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Read1 {
        let wait = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        if let Link::Web(web) = self {
            return web.read(buffer, deadline);
        }
        if let Link::Deflated(deflated) = self {
            return deflated.read(buffer, deadline);
        }
        if self.socket().set_read_timeout(Some(wait)).is_err() {
            return Read1::Reset;
        }
        let read = match self {
            Link::Web(_) | Link::Deflated(_) => Ok(0),
            Link::Clear(stream) => stream.read(buffer),
            Link::Tls(tls) => tls.read(buffer),
            Link::Served(tls) => tls.read(buffer),
        };
        match read {
            Ok(0) => Read1::End,
            Ok(count) => Read1::Bytes(count),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Read1::Nothing,
                ErrorKind::UnexpectedEof => Read1::End,
                _ => Read1::Reset,
            },
        }
    }

    /// Ends our half: with TLS by its goodbye.
    pub(crate) fn shutdown(&mut self) {
        match self {
            Link::Clear(_) => {}
            Link::Deflated(deflated) => return deflated.link.shutdown(),
            Link::Web(web) => {
                let _ = web.frame(0x88, &1000u16.to_be_bytes());
                return web.link.shutdown();
            }
            Link::Tls(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
            Link::Served(tls) => {
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        }
        let _ = self.socket().shutdown(std::net::Shutdown::Write);
    }

    /// The connection is cut with a reset, as if the network had eaten it.
    pub(crate) fn reset(self) {
        let _ = sockopt::set_socket_linger(self.socket(), Some(Duration::ZERO));
    }
}
