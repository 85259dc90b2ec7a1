//! A compressed stream under a scripted client (XEP-0138), which may also say things that are no compression.

use std::io;
use std::time::Instant;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::client::Client;
use crate::link::{Link, Read1};

const COMPRESS: &str = "http://jabber.org/protocol/compress";
/// Room that is made for what comes out.
const ROOM: usize = 64 * 1024;

/// The connection.
pub(crate) struct Deflated {
    pub(crate) link: Link,
    compressor: Compress,
    decompressor: Decompress,
    /// Decompressed and not read.
    ready: Vec<u8>,
}

impl Deflated {
    fn new(link: Link) -> Deflated {
        let (compressor, decompressor) = (Compress::new(Compression::best(), true), Decompress::new(true));
        Deflated { link, compressor, decompressor, ready: Vec::new() }
    }

    /// Says something, so that all of it arrives.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut out, mut rest) = (Vec::new(), bytes);
        loop {
            out.reserve(ROOM);
            let taken = self.compressor.total_in();
            self.compressor
                .compress_vec(rest, &mut out, FlushCompress::Sync)
                .map_err(|_| io::Error::other("the compressor fails"))?;
            rest = &rest[(self.compressor.total_in() - taken) as usize..];
            if rest.is_empty() && out.len() < out.capacity() {
                return self.link.write(&out);
            }
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> Read1 {
        while self.ready.is_empty() {
            let mut bytes = [0; 16 * 1024];
            match self.link.read(&mut bytes, deadline) {
                Read1::Bytes(count) => self.understand(&bytes[..count]),
                end => return end,
            }
        }
        let count = self.ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Read1::Bytes(count)
    }

    fn understand(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            self.ready.reserve(ROOM);
            let taken = self.decompressor.total_in();
            let status = self.decompressor.decompress_vec(rest, &mut self.ready, FlushDecompress::Sync);
            status.expect("what the server has compressed");
            rest = &rest[(self.decompressor.total_in() - taken) as usize..];
            if rest.is_empty() && self.ready.len() < self.ready.capacity() {
                return;
            }
        }
    }
}

impl Client {
    /// Asks for compression with this method; the answer is to be read.
    #[track_caller]
    pub fn ask_to_compress(&mut self, method: &str) {
        self.send(&format!("<compress xmlns='{COMPRESS}'><method>{method}</method></compress>"));
    }

    /// Compresses the stream, which is to be opened anew.
    #[track_caller]
    pub fn compress(mut self) -> Client {
        self.ask_to_compress("zlib");
        self.expect(&format!("<compressed xmlns='{COMPRESS}'"));
        self.link = Link::Deflated(Box::new(Deflated::new(self.link)));
        self
    }

    /// Sends bytes below the compression; the server may have closed the connection.
    #[track_caller]
    pub fn send_uncompressed(&mut self, bytes: &[u8]) -> bool {
        match &mut self.link {
            Link::Deflated(deflated) => deflated.link.write(bytes).is_ok(),
            _ => panic!("this stream is not compressed"),
        }
    }
}
