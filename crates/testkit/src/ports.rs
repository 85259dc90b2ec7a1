//! Free ports on the loopback interface. Below the range from which the system takes those of outgoing connections, so that
//! no test's client sits on the port that another test's server is about to bind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 15_000;
const COUNT: u16 = 16_000;

/// A port that nobody listens on, over IPv4 and IPv6. Another process may still be faster: starting a server is tried again.
pub(crate) fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() * 37 % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let at = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (seed + at % COUNT) % COUNT;
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if loopback.iter().all(|&address| TcpListener::bind((address, port)).is_ok()) {
            return port;
        }
    }
    panic!("no port is free");
}
