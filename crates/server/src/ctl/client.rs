//! One connection to the control socket: a request, then its reply.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use metronome_host::command::Failed;
use metronome_net::control::{LINE_BYTES_MAX, Reply, Request};

use super::Socket;

/// A little more than the server gives a command.
const REPLY_TIMEOUT: Duration = Duration::from_secs(150);

pub(super) struct Client<'s> {
    socket: &'s Socket,
    reader: BufReader<UnixStream>,
}

impl<'s> Client<'s> {
    pub(super) fn connect(socket: &'s Socket) -> Result<Self, Failed> {
        let connect = || {
            let stream = UnixStream::connect(&socket.0)?;
            stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
            stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
            Ok(stream)
        };
        let stream = connect().map_err(|why: io::Error| socket.unreachable(&why))?;
        Ok(Self { socket, reader: BufReader::new(stream) })
    }

    /// Sends a request and waits for its reply.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply, Failed> {
        let line = request.to_line();
        if line.len() > LINE_BYTES_MAX {
            return Err(Failed::usage("the request is longer than 64 KiB"));
        }
        // A server that refuses us closes before it has read; its reply says why.
        let sent = self.reader.get_mut().write_all(line.as_bytes());
        let mut reply = Vec::new();
        match self.reader.read_until(b'\n', &mut reply) {
            Ok(0) => Err(Failed::unreachable("the server closed the connection before it answered")
                .with_hint("its log says why")),
            Ok(_) => Reply::from_line(&reply).ok_or_else(|| {
                Failed::unreachable(format!("what answers on {} is not the server", self.socket.0.display()))
            }),
            Err(why) => Err(self.socket.unreachable(sent.as_ref().err().unwrap_or(&why))),
        }
    }
}
