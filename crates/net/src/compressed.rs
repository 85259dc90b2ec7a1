//! A connection whose bytes are compressed in both directions (XEP-0138 with RFC 1950). What comes is decompressed only as far as somebody reads
//! it, and never kept; whoever sends little that becomes very much has to stop.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use metronome_proto::stream::error::Condition;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::{CHUNK, Faulty, Socket};

/// Bytes that are read at once.
const READ: usize = 4 * 1024;
/// Room for what the compressor writes at the end of a piece.
const SPARE: usize = 64;
/// What XML between people and programs becomes, at most, out of one byte. The method itself could make a thousand of it.
const RATIO_MAX: u64 = 100;
/// So many bytes may come beyond that: one long run of the same character in an honest stanza.
const BEYOND_BYTES_MAX: u64 = 128 * 1024;
/// What a byte of XML takes at most where it is compressed badly: one by itself, with all that ends a piece.
const COST_MAX: u64 = 16;
/// So many bytes may be needed beyond that. What becomes nothing is counted by no limit of what is read, and could go on for ever.
const NEEDLESS_BYTES_MAX: u64 = 64 * 1024;

/// The connection.
pub(crate) struct Compressed {
    inner: Socket,
    decompressor: Decompress,
    compressor: Compress,
    /// Read and not decompressed.
    input: Vec<u8>,
    reading: Reading,
    /// Compressed and not written.
    output: Vec<u8>,
    writing: Writing,
    /// Bytes that came out beyond what those that went in account for.
    beyond: u64,
    /// Bytes that went in beyond what those that came out account for.
    needless: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Nothing is there to be decompressed.
    Idle,
    /// Something is.
    Begun,
    /// The other side has ended what it compresses.
    Ended,
    /// It has broken the rules: what still comes is not looked at.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Flushed,
    /// The compressor has something that the other side needs.
    Begun,
}

impl Compressed {
    /// With nothing compressed yet on either side.
    pub(crate) fn new(inner: Socket) -> Compressed {
        Compressed {
            inner,
            decompressor: Decompress::new(true),
            compressor: Compress::new(Compression::default(), true),
            input: Vec::new(),
            reading: Reading::Idle,
            output: Vec::new(),
            writing: Writing::Flushed,
            beyond: 0,
            needless: 0,
        }
    }

    /// What carries it.
    pub(crate) fn inner(&self) -> &Socket {
        &self.inner
    }

    // ---- in ----------------------------------------------------------------------------------------------------

    /// Decompresses as much as there is room for; whether anything came out, or the end.
    fn decompress(&mut self, buf: &mut ReadBuf<'_>) -> Result<bool, Faulty> {
        let (taken, made) = (self.decompressor.total_in(), self.decompressor.total_out());
        let status = self.decompressor.decompress(&self.input, buf.initialize_unfilled(), FlushDecompress::None);
        let status = status.map_err(|_| Faulty::Compression)?;
        let (taken, made) = (self.decompressor.total_in() - taken, self.decompressor.total_out() - made);
        self.beyond = (self.beyond + made).saturating_sub(taken * RATIO_MAX);
        self.needless = (self.needless + taken).saturating_sub(made * COST_MAX);
        if self.beyond > BEYOND_BYTES_MAX || self.needless > NEEDLESS_BYTES_MAX {
            return Err(Faulty::Rules(Condition::PolicyViolation));
        }
        self.input.drain(..taken as usize);
        buf.advance(made as usize);
        self.reading = match status {
            Status::StreamEnd => Reading::Ended,
            // It may have more than there was room for.
            _ if buf.remaining() == 0 => Reading::Begun,
            _ if self.input.is_empty() => Reading::Idle,
            _ if taken == 0 && made == 0 => return Err(Faulty::Compression),
            _ => Reading::Begun,
        };
        Ok(made > 0 || self.reading == Reading::Ended)
    }

    /// Reads; the number of bytes, none at the end of the connection.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; READ];
        let mut read = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
        if self.reading != Reading::Refused {
            self.input.extend_from_slice(read.filled());
            self.reading = Reading::Begun;
        }
        Poll::Ready(Ok(read.filled().len()))
    }

    // ---- out ---------------------------------------------------------------------------------------------------

    fn compress(&mut self, bytes: &[u8], flush: FlushCompress) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            self.output.reserve(rest.len() / 2 + SPARE);
            let taken = self.compressor.total_in();
            self.compressor
                .compress_vec(rest, &mut self.output, flush)
                .map_err(|_| io::Error::other("the compressor fails"))?;
            rest = &rest[(self.compressor.total_in() - taken) as usize..];
            // While it fills what it is given it may have more.
            if rest.is_empty() && self.output.len() < self.output.capacity() {
                return Ok(());
            }
        }
    }

    /// Writes what is compressed.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, &self.output))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => {
                    self.output.drain(..count);
                }
            }
        }
        self.output = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Compressed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.reading {
                Reading::Begun => match this.decompress(buf) {
                    Ok(true) => return Poll::Ready(Ok(())),
                    Ok(false) => {}
                    Err(faulty) => {
                        this.reading = Reading::Refused;
                        this.input = Vec::new();
                        return Poll::Ready(Err(faulty.into()));
                    }
                },
                Reading::Ended => return Poll::Ready(Ok(())),
                Reading::Idle | Reading::Refused => {
                    this.input = Vec::new();
                    if ready!(this.poll_fill(cx))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Compressed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // What is compressed cannot be taken back, so no more is than can be kept.
        ready!(this.poll_output(cx))?;
        let bytes = &bytes[..bytes.len().min(CHUNK)];
        this.compress(bytes, FlushCompress::None)?;
        this.writing = Writing::Begun;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.writing == Writing::Begun {
            this.compress(&[], FlushCompress::Sync)?;
            this.writing = Writing::Flushed;
        }
        ready!(this.poll_output(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Both ends of a connection; ours is compressed.
    async fn connected() -> (Compressed, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Compressed::new(Socket::Plain(ours)), listener.accept().await.unwrap().0)
    }

    fn deflated(compressor: &mut Compress, bytes: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        compressor.compress_vec(bytes, &mut out, flush).unwrap();
        out
    }

    #[tokio::test]
    async fn what_is_flushed_is_there_and_what_is_read_is_what_was_meant() {
        let (mut ours, mut theirs) = connected().await;
        let (mut compressor, mut decompressor) = (Compress::new(Compression::default(), true), Decompress::new(true));
        for piece in ["<a/>", "", "<b>", &"x".repeat(100_000), "</b>"] {
            let mut told = vec![0; piece.len()];
            theirs.write_all(&deflated(&mut compressor, piece.as_bytes(), FlushCompress::Sync)).await.unwrap();
            ours.read_exact(&mut told).await.unwrap();
            assert!(told == piece.as_bytes());
            ours.write_all(piece.as_bytes()).await.unwrap();
            ours.flush().await.unwrap();
            let (mut told, mut buffer) = (Vec::with_capacity(piece.len() + 1), [0; 512]);
            while told.len() < piece.len() {
                let count = theirs.read(&mut buffer).await.unwrap();
                assert!(count > 0);
                decompressor.decompress_vec(&buffer[..count], &mut told, FlushDecompress::Sync).unwrap();
            }
            assert!(told == piece.as_bytes());
        }
    }

    #[tokio::test]
    async fn a_byte_at_a_time_is_enough() {
        let (mut ours, mut theirs) = connected().await;
        let text = "<message to='a@example'><body>hello</body></message>".repeat(20);
        let bytes = deflated(&mut Compress::new(Compression::best(), true), text.as_bytes(), FlushCompress::Sync);
        let sent = tokio::spawn(async move {
            for byte in bytes {
                theirs.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            theirs
        });
        let mut told = vec![0; text.len()];
        for byte in &mut told {
            *byte = ours.read_u8().await.unwrap();
        }
        assert_eq!(told, text.as_bytes());
        drop(sent.await.unwrap());
        assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_little_that_becomes_very_much_ends_it() {
        let (mut ours, mut theirs) = connected().await;
        let bomb = deflated(&mut Compress::new(Compression::best(), true), &vec![b' '; 4 << 20], FlushCompress::Sync);
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        theirs.write_all(&bomb).await.unwrap();
        let (mut made, mut buffer) = (0, vec![0; CHUNK]);
        let error = loop {
            match ours.read(&mut buffer).await {
                Ok(count) => made += count,
                Err(error) => break error,
            }
        };
        assert!(made as u64 <= BEYOND_BYTES_MAX + bomb.len() as u64 * RATIO_MAX, "{made}");
        assert!(made < 1 << 20, "not a part of it, were it ten times as large: {made}");
        assert_eq!(Faulty::of(&error).unwrap().condition, Condition::PolicyViolation);
        // What still comes is thrown away, and the end is heard.
        theirs.write_all(&bomb).await.unwrap();
        theirs.shutdown().await.unwrap();
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn honest_words_may_be_very_much_alike() {
        let (mut ours, mut theirs) = connected().await;
        let mut compressor = Compress::new(Compression::best(), true);
        let mut told = Vec::new();
        for count in 0..2000 {
            let ping = format!("<iq type='get' id='{count}'><ping xmlns='urn:xmpp:ping'/></iq>");
            theirs.write_all(&deflated(&mut compressor, ping.as_bytes(), FlushCompress::Sync)).await.unwrap();
            told.resize(ping.len(), 0);
            ours.read_exact(&mut told).await.unwrap();
        }
        let long = format!("<body>{}</body>", "=".repeat(100_000));
        theirs.write_all(&deflated(&mut compressor, long.as_bytes(), FlushCompress::Sync)).await.unwrap();
        told.resize(long.len(), 0);
        ours.read_exact(&mut told).await.unwrap();
        assert!(told == long.as_bytes());
    }

    #[tokio::test]
    async fn much_that_becomes_nothing_ends_it() {
        let (mut ours, mut theirs) = connected().await;
        let mut compressor = Compress::new(Compression::best(), true);
        // One byte by itself costs what it costs, however often.
        for _ in 0..20_000 {
            theirs.write_all(&deflated(&mut compressor, b" ", FlushCompress::Full)).await.unwrap();
            assert_eq!(ours.read_u8().await.unwrap(), b' ');
        }
        // Blocks with nothing in them (RFC 1951 section 3.2.4).
        let nothing = [0, 0, 0, 0xff, 0xff].repeat(2 * NEEDLESS_BYTES_MAX as usize / 5);
        let sent = tokio::spawn(async move { theirs.write_all(&nothing).await.map(|()| theirs) });
        let error = ours.read_u8().await.unwrap_err();
        assert_eq!(Faulty::of(&error).unwrap().condition, Condition::PolicyViolation);
        drop(sent.await.unwrap());
    }

    #[tokio::test]
    async fn what_is_no_compression_is_told_so() {
        let mut truncated =
            deflated(&mut Compress::new(Compression::best(), true), &[b'x'; 1000], FlushCompress::Finish);
        let at = truncated.len() - 1;
        truncated[at] ^= 1;
        let wrongs = [&b"<stream:stream"[..], &[0; 64], b"\x78\x9c\xff\xff\xff\xff", b"\x78\xbb\0\0\0\0", &truncated];
        for wrong in wrongs {
            let (mut ours, mut theirs) = connected().await;
            theirs.write_all(wrong).await.unwrap();
            let mut read = Vec::new();
            let error = ours.read_to_end(&mut read).await.unwrap_err();
            let told = Faulty::of(&error).unwrap();
            assert_eq!(told.condition, Condition::UndefinedCondition, "{wrong:?}");
            assert!(
                told.application.is_some_and(|failure| failure.is("http://jabber.org/protocol/compress", "failure"))
            );
        }
    }

    #[tokio::test]
    async fn whoever_ends_its_compression_has_ended() {
        let (mut ours, mut theirs) = connected().await;
        let bytes = deflated(&mut Compress::new(Compression::best(), true), b"</stream:stream>", FlushCompress::Finish);
        theirs.write_all(&bytes).await.unwrap();
        theirs.write_all(b"and more").await.unwrap();
        let mut read = Vec::new();
        ours.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"</stream:stream>");
    }
}
