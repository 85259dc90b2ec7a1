//! The PROXY protocol, versions 1 and 2: a few bytes with which a proxy that passes on whole connections says whom it speaks for. Exactly
//! these are read, and nothing of what comes behind them. Taken from `web.proxies` only, and then demanded: who could leave it out could
//! also make it up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use metronome_host::options::{Kind, Setting};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Whether proxies speak it.
pub(super) const SPOKEN: Setting = Setting::new(
    "web.proxy_protocol",
    Kind::Flag,
    "false",
    "Whether connections from `web.proxies` begin with a header of the PROXY protocol, version 1 or 2. Those without one are closed.",
)
.for_new_streams();

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, its end included.
const LINE_BYTES_MAX: usize = 107;
/// Most bytes behind the fixed part of version 2.
const BLOCK_BYTES_MAX: usize = 2048;

/// Reads the header. None: the proxy speaks for itself, or for somebody without an address.
pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, &'static str> {
    const GONE: &str = "the connection ended";
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.map_err(|_| GONE)?;
    if head == SIGNATURE {
        let mut fixed = [0; 4];
        socket.read_exact(&mut fixed).await.map_err(|_| GONE)?;
        let length = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if length > BLOCK_BYTES_MAX {
            return Err("a header that is too long");
        }
        let mut block = vec![0; length];
        socket.read_exact(&mut block).await.map_err(|_| GONE)?;
        return second(fixed, &block);
    }
    if !head.starts_with(b"PROXY ") {
        return Err("no header");
    }
    let mut line = head.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err("a line that is too long");
        }
        line.push(socket.read_u8().await.map_err(|_| GONE)?);
    }
    first(&line[..line.len() - 2])
}

/// The line of version 1.
fn first(line: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    const WRONG: &str = "a line that is wrong";
    let line = std::str::from_utf8(line).map_err(|_| WRONG)?;
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        [_, "UNKNOWN", ..] => Ok(None),
        [_, family @ ("TCP4" | "TCP6"), source, _, port, _] => {
            let address: IpAddr = source.parse().map_err(|_| WRONG)?;
            let port = port.parse().map_err(|_| WRONG)?;
            let fits = address.is_ipv4() == (family == "TCP4");
            if fits { Ok(Some(SocketAddr::new(address.to_canonical(), port))) } else { Err(WRONG) }
        }
        _ => Err(WRONG),
    }
}

/// The block of version 2.
fn second(fixed: [u8; 4], block: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    const SHORT: &str = "a header that is too short";
    match fixed[0] {
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err("a command that is unknown"),
    }
    let port = |at: usize| block.get(at..at + 2).map(|port| u16::from_be_bytes([port[0], port[1]]));
    match fixed[1] >> 4 {
        1 => {
            let octets: [u8; 4] = block.get(..4).and_then(|octets| octets.try_into().ok()).ok_or(SHORT)?;
            Ok(Some(SocketAddr::new(Ipv4Addr::from(octets).into(), port(8).ok_or(SHORT)?)))
        }
        2 => {
            let octets: [u8; 16] = block.get(..16).and_then(|octets| octets.try_into().ok()).ok_or(SHORT)?;
            let address = IpAddr::from(Ipv6Addr::from(octets)).to_canonical();
            Ok(Some(SocketAddr::new(address, port(32).ok_or(SHORT)?)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read, and what is left behind it.
    fn given(bytes: &[u8]) -> (Result<Option<String>, &'static str>, Vec<u8>) {
        let mut rest = bytes;
        let read = futures_util::FutureExt::now_or_never(read(&mut rest)).unwrap();
        (read.map(|named| named.map(|named| named.to_string())), rest.to_vec())
    }

    fn block(fixed: [u8; 2], addresses: &[u8]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend(fixed);
        bytes.extend((addresses.len() as u16).to_be_bytes());
        bytes.extend(addresses);
        bytes
    }

    #[test]
    fn a_line_names_the_client_and_nothing_behind_it_is_read() {
        let (named, rest) = given(b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 443\r\nGET /");
        assert_eq!((named, &rest[..]), (Ok(Some("203.0.113.9:51234".into())), &b"GET /"[..]));
        let (named, _) = given(b"PROXY TCP6 2001:db8::9 2001:db8::1 51234 443\r\n");
        assert_eq!(named, Ok(Some("[2001:db8::9]:51234".into())));
        assert_eq!(given(b"PROXY UNKNOWN\r\n").0, Ok(None));
    }

    #[test]
    fn a_block_names_the_client_and_nothing_behind_it_is_read() {
        let mut bytes = block([0x21, 0x11], &[203, 0, 113, 9, 192, 0, 2, 1, 0xc8, 0x22, 1, 0xbb]);
        bytes.extend(b"GET /");
        let (named, rest) = given(&bytes);
        assert_eq!((named, &rest[..]), (Ok(Some("203.0.113.9:51234".into())), &b"GET /"[..]));
        assert_eq!(given(&block([0x20, 0], &[])).0, Ok(None));
        assert_eq!(given(&block([0x21, 0], &[1, 2, 3])).0, Ok(None));
    }

    #[test]
    fn whatever_else_there_is_ends_the_connection() {
        let long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let wrong: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 2001:db8::9 2001:db8::1 1 2\r\n",
            b"PROXY TCP4 203.0.113.9 192.0.2.1 99999 443\r\n",
            b"PROXY TCP4 203.0.113.9\r\n",
            b"PROXY TCP",
            &long,
        ];
        for bytes in wrong {
            assert!(given(bytes).0.is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(given(&block([0x21, 0x11], &[1, 2, 3])).0.is_err());
        assert!(given(&block([0x22, 0x11], &[0; 12])).0.is_err());
        assert!(given(&block([0x21, 0x11], &[0; 4000])).0.is_err());
    }
}
