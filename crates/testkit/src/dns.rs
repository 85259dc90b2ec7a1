//! A name server for scenarios: it answers for every name from the zone that the test gives, as a recursive resolver would, over
//! UDP and TCP on a loopback address, and counts what it is asked. It can be slow, broken and a liar.
//!
//! ```no_run
//! use metronome_testkit::{Manner, NameServer};
//!
//! let names = NameServer::start();
//! names.service("_xmpp-server._tcp.a.example", (5, 1, 5269, "host.a.example"));
//! names.address("host.a.example", "127.0.0.2");
//! names.manner("b.example", Manner::Broken);
//! assert_eq!(names.asked("host.a.example", "AAAA"), 0);
//! ```

mod message;
mod zone;

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::ports;
use message::{Question, Transport};
use zone::Zone;

pub use zone::Manner;

/// How often the threads look whether they are still needed.
const TICK: Duration = Duration::from_millis(20);
/// How often other ports are tried, where somebody else was faster.
const STARTS_MAX: u32 = 5;

/// A running name server. Dropped, it ends.
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    ended: Arc<AtomicBool>,
}

impl NameServer {
    /// One that knows no name yet, on 127.0.0.1 and a free port.
    pub fn start() -> NameServer {
        NameServer::start_at(Ipv4Addr::LOCALHOST.into())
    }

    /// The same on another loopback address.
    pub fn start_at(host: IpAddr) -> NameServer {
        for _ in 0..STARTS_MAX {
            let address = SocketAddr::new(host, ports::free());
            if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
                let server = NameServer { address, zone: Arc::default(), ended: Arc::default() };
                server.serve(udp, tcp);
                return server;
            }
        }
        panic!("the name server found no port");
    }

    fn serve(&self, udp: UdpSocket, tcp: TcpListener) {
        let (zone, ended) = (self.zone.clone(), self.ended.clone());
        thread::spawn(move || serve_udp(&Arc::new(udp), &zone, &ended));
        let (zone, ended) = (self.zone.clone(), self.ended.clone());
        thread::spawn(move || serve_tcp(&tcp, &zone, &ended));
    }

    /// Where it answers.
    pub fn socket_address(&self) -> SocketAddr {
        self.address
    }

    /// The options that make a server ask here.
    pub fn options(&self) -> String {
        format!("[dns]\nserver = [\"{}\"]\n", self.address)
    }

    /// Adds an SRV record: priority, weight, port, target (RFC 2782). The target `.` says that there is no such service.
    pub fn service(&self, name: &str, record: (u16, u16, u16, &str)) {
        self.zone.lock().service(name, record);
    }

    /// Adds an A or AAAA record, by the family of the address.
    pub fn address(&self, name: &str, address: &str) {
        self.zone.lock().address(name, address.parse().expect("an IP address"));
    }

    /// Adds a CNAME record.
    pub fn alias(&self, name: &str, target: &str) {
        self.zone.lock().alias(name, target);
    }

    /// Removes everything that is known of a name.
    pub fn forget(&self, name: &str) {
        self.zone.lock().forget(name);
    }

    /// How questions about a name are treated from now on.
    pub fn manner(&self, name: &str, manner: Manner) {
        self.zone.lock().manner(name, manner);
    }

    /// For how many seconds all answers may be kept, those included that say that there is nothing; 300 unless it is said.
    pub fn ttl(&self, seconds: u32) {
        self.zone.lock().ttl_s = seconds;
    }

    /// How often it was asked for records of this type (`A`, `AAAA`, `SRV` ...) of a name.
    pub fn asked(&self, name: &str, kind: &str) -> usize {
        self.zone.lock().asked(name, kind)
    }

    /// How many questions there were in all.
    pub fn asked_in_all(&self) -> usize {
        self.zone.lock().asked_in_all()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

fn serve_udp(socket: &Arc<UdpSocket>, zone: &Arc<Mutex<Zone>>, ended: &AtomicBool) {
    socket.set_read_timeout(Some(TICK)).expect("a time is set");
    let mut buffer = [0; 4096];
    while !ended.load(Ordering::Acquire) {
        let Ok((len, peer)) = socket.recv_from(&mut buffer) else { continue };
        let Some(question) = Question::read(&buffer[..len]) else { continue };
        let (zone, socket) = (zone.clone(), socket.clone());
        let answer = move || {
            if let Some(answer) = answer(&zone, &question, Transport::Udp) {
                let _ = socket.send_to(&answer, peer);
            }
        };
        // A slow name must not make the others slow.
        thread::spawn(answer);
    }
}

fn serve_tcp(listener: &TcpListener, zone: &Arc<Mutex<Zone>>, ended: &Arc<AtomicBool>) {
    listener.set_nonblocking(true).expect("a listener can be asked without waiting");
    while !ended.load(Ordering::Acquire) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(TICK);
            continue;
        };
        let (zone, ended) = (zone.clone(), ended.clone());
        thread::spawn(move || answer_stream(stream, &zone, &ended));
    }
}

/// Answers the questions of one connection (RFC 7766): each message comes behind its length.
fn answer_stream(mut stream: TcpStream, zone: &Mutex<Zone>, ended: &AtomicBool) -> Option<()> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(TICK)).ok()?;
    loop {
        let mut length = [0; 2];
        read_whole(&mut stream, &mut length, ended)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        read_whole(&mut stream, &mut message, ended)?;
        let question = Question::read(&message)?;
        let answer = answer(zone, &question, Transport::Tcp)?;
        let length = u16::try_from(answer.len()).expect("an answer fits into a message");
        stream.write_all(&[&length.to_be_bytes(), &*answer].concat()).ok()?;
    }
}

/// Fills the buffer; none at the end of the stream or of the server.
fn read_whole(stream: &mut TcpStream, buffer: &mut [u8], ended: &AtomicBool) -> Option<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return None,
            Ok(read) => filled += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if ended.load(Ordering::Acquire) {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
    Some(())
}

fn answer(zone: &Mutex<Zone>, question: &Question, transport: Transport) -> Option<Vec<u8>> {
    let (manner, reply) = {
        let mut zone = zone.lock();
        let manner = zone.count(question);
        (manner, zone.reply(question))
    };
    if let Manner::Late(wait) = manner {
        thread::sleep(wait);
    }
    message::write(question, &reply, manner, transport)
}
