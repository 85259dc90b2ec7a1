//! As much of SOCKS5 (RFC 1928) as a bytestream needs: the method without authentication, and the command CONNECT to the hash of the stream as a
//! domain name, at port 0. Exactly these bytes are read, and nothing of what comes behind them.

use std::io;

use metronome_host::bytestreams::StreamHash;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const V4: u8 = 1;
const DOMAIN: u8 = 3;
const V6: u8 = 4;

/// What a request is answered with (section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Succeeded = 0,
    /// Somebody else has the place, or there is none.
    NotAllowed = 2,
    /// The name is not the hash of a stream, or the port not 0.
    HostUnreachable = 4,
    CommandNotSupported = 7,
    AddressTypeNotSupported = 8,
}

/// What somebody has asked for, and what is to be said to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) reply: Reply,
    /// The stream, if it has named one.
    pub(super) hash: Option<StreamHash>,
}

/// Hears the methods and the request. What is nothing of the kind is not answered.
pub(super) async fn hear(socket: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<Request, &'static str> {
    const GONE: &str = "the connection ended";
    let mut head = [0; 2];
    socket.read_exact(&mut head).await.map_err(|_| GONE)?;
    let [version, count] = head;
    if version != VERSION {
        return Err("another version");
    }
    let mut methods = [0; 255];
    let methods = &mut methods[..usize::from(count)];
    socket.read_exact(methods).await.map_err(|_| GONE)?;
    let is_offered = methods.contains(&NO_AUTHENTICATION);
    let method = if is_offered { NO_AUTHENTICATION } else { NO_METHOD };
    socket.write_all(&[VERSION, method]).await.map_err(|_| GONE)?;
    if !is_offered {
        return Err("no method that would be understood");
    }
    let mut head = [0; 4];
    socket.read_exact(&mut head).await.map_err(|_| GONE)?;
    let [version, command, _, kind] = head;
    if version != VERSION {
        return Err("another version");
    }
    let length = match kind {
        V4 => 4,
        V6 => 16,
        DOMAIN => usize::from(socket.read_u8().await.map_err(|_| GONE)?),
        _ => return Err("an unknown type of address"),
    };
    let mut name = [0; 255];
    let name = &mut name[..length];
    socket.read_exact(name).await.map_err(|_| GONE)?;
    let port = socket.read_u16().await.map_err(|_| GONE)?;
    Ok(judge(command, kind, name, port))
}

fn judge(command: u8, kind: u8, name: &[u8], port: u16) -> Request {
    if command != CONNECT {
        return Request { reply: Reply::CommandNotSupported, hash: None };
    }
    if kind != DOMAIN {
        return Request { reply: Reply::AddressTypeNotSupported, hash: None };
    }
    match StreamHash::parse(name).filter(|_| port == 0) {
        Some(hash) => Request { reply: Reply::Succeeded, hash: Some(hash) },
        None => Request { reply: Reply::HostUnreachable, hash: None },
    }
}

/// Answers a request; what was connected to is what was asked for (XEP-0065 section 6.3.2).
pub(super) async fn answer(
    socket: &mut (impl AsyncWrite + Unpin),
    reply: Reply,
    hash: Option<StreamHash>,
) -> io::Result<()> {
    let mut bytes = vec![VERSION, reply as u8, 0];
    match hash {
        Some(hash) => {
            bytes.extend([DOMAIN, StreamHash::DIGITS as u8]);
            bytes.extend(hash.to_string().as_bytes());
        }
        None => bytes.extend([V4, 0, 0, 0, 0]),
    }
    bytes.extend([0, 0]);
    socket.write_all(&bytes).await
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const HASH: &str = "416781edf1ae50bad01cb8509ba35b43952bc345";

    fn request(command: u8, kind: u8, name: &[u8], port: u16) -> Vec<u8> {
        let length = if kind == DOMAIN { vec![name.len() as u8] } else { Vec::new() };
        [&[VERSION, command, 0, kind], &length[..], name, &port.to_be_bytes()].concat()
    }

    /// What is heard of somebody who says this and then ends, what it is told meanwhile, and what is left behind it.
    async fn heard(bytes: &[u8]) -> (Result<Request, &'static str>, Vec<u8>, Vec<u8>) {
        let (mut ours, mut theirs) = duplex(4096);
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        let heard = hear(&mut ours).await;
        let mut left = Vec::new();
        ours.read_to_end(&mut left).await.unwrap();
        drop(ours);
        let mut told = Vec::new();
        theirs.read_to_end(&mut told).await.unwrap();
        (heard, told, left)
    }

    async fn asked(command: u8, kind: u8, name: &[u8], port: u16) -> Reply {
        let bytes = [&[VERSION, 1, NO_AUTHENTICATION][..], &request(command, kind, name, port)].concat();
        heard(&bytes).await.0.unwrap().reply
    }

    #[tokio::test]
    async fn a_stream_is_named_and_nothing_behind_it_is_read() {
        let bytes =
            [&[VERSION, 2, 2, NO_AUTHENTICATION][..], &request(CONNECT, DOMAIN, HASH.as_bytes(), 0), b"early"].concat();
        let hash = StreamHash::parse(HASH.as_bytes());
        let (request, told, left) = heard(&bytes).await;
        assert_eq!(request, Ok(Request { reply: Reply::Succeeded, hash }));
        assert_eq!((&told[..], &left[..]), (&[VERSION, NO_AUTHENTICATION][..], &b"early"[..]));
        let mut answered = Vec::new();
        answer(&mut answered, Reply::Succeeded, hash).await.unwrap();
        assert_eq!(answered, [&[5, 0, 0, 3, 40][..], HASH.as_bytes(), &[0, 0]].concat());
    }

    #[tokio::test]
    async fn whoever_wants_something_else_is_told_so() {
        let hash = HASH.as_bytes();
        assert_eq!(asked(2, DOMAIN, hash, 0).await, Reply::CommandNotSupported);
        assert_eq!(asked(3, DOMAIN, hash, 0).await, Reply::CommandNotSupported);
        assert_eq!(asked(CONNECT, V4, &[192, 0, 2, 1], 80).await, Reply::AddressTypeNotSupported);
        assert_eq!(asked(CONNECT, V6, &[0; 16], 80).await, Reply::AddressTypeNotSupported);
        assert_eq!(asked(CONNECT, DOMAIN, hash, 80).await, Reply::HostUnreachable);
        let capital = HASH.to_uppercase();
        for name in [b"example.org", &hash[1..], &[hash, b"0"].concat()[..], capital.as_bytes(), b"", &[b'a'; 255]] {
            assert_eq!(asked(CONNECT, DOMAIN, name, 0).await, Reply::HostUnreachable, "{name:?}");
        }
        let mut answered = Vec::new();
        answer(&mut answered, Reply::HostUnreachable, None).await.unwrap();
        assert_eq!(answered, [5, 4, 0, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test]
    async fn whoever_says_nothing_of_the_kind_is_not_answered() {
        for bytes in [&[4, 1, 0, 0][..], b"GET / HTTP/1.1\r\n", b"", &[VERSION], &[VERSION, 3, 0]] {
            let (heard, told, _) = heard(bytes).await;
            assert!(heard.is_err() && told.is_empty(), "{bytes:?}");
        }
        for methods in [&[VERSION, 0][..], &[VERSION, 2, 1, 2]] {
            assert_eq!(heard(methods).await.1, [VERSION, NO_METHOD]);
        }
        let begin = [VERSION, 1, NO_AUTHENTICATION];
        for request in [&[4, 1, 0, 3, 40][..], &[VERSION, 1, 0, 9, 40, 0, 0, 0], &[VERSION, 1, 0, 3, 40, b'a']] {
            let (heard, told, _) = heard(&[&begin[..], request].concat()).await;
            assert!(heard.is_err() && told == [VERSION, NO_AUTHENTICATION], "{request:?}");
        }
    }

    /// Whatever comes, it ends, and only what names a stream in full is one.
    #[tokio::test]
    async fn random_bytes_are_no_streams() {
        let good = [&[VERSION, 1, NO_AUTHENTICATION][..], &request(CONNECT, DOMAIN, HASH.as_bytes(), 0)].concat();
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..2000 {
            let mut bytes = good.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            bytes.truncate(1 + random(2 * good.len()));
            if let (Ok(Request { reply: Reply::Succeeded, hash }), ..) = heard(&bytes).await {
                let named = &bytes[bytes.len() - 42..bytes.len() - 2];
                assert_eq!(hash.unwrap().to_string().as_bytes(), named, "{bytes:?}");
            }
        }
    }
}
