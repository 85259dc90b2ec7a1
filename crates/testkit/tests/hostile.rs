//! A crowd of unauthenticated connections doing their worst, while two clients chat as if nothing was: nobody suffers but the crowd.
//! `METRONOME_HOSTILE_CONNECTIONS` says how large it is: 200 where it is not set; `make test-full` runs it with 2000.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use metronome_testkit::{Backend, Client, Dial, Setup, on_both_stores_with};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism=";

/// Messages that must go through in each direction while the crowd is at work.
const MESSAGES: usize = 60;

/// Between two visits of one attacker, for each attacker: together they make about 700 visits in a second, however many they are.
const PAUSE: Duration = Duration::from_micros(1500);

fn crowd_size() -> usize {
    let given = std::env::var("METRONOME_HOSTILE_CONNECTIONS").ok();
    given.map_or(200, |text| text.parse().expect("METRONOME_HOSTILE_CONNECTIONS is a number"))
}

/// One visit: connects, does its worst, and leaves in one way or another. Errors are what it is here for.
type Attack = fn(&Dial, &AtomicBool) -> std::io::Result<()>;

const ATTACKS: [(&str, Attack); 16] = [
    ("says nothing", |dial, stop| {
        let mut client = dial.try_clear()?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("begins a handshake", |dial, stop| {
        let mut client = dial.try_direct_without_handshake()?;
        client.try_send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("sends a header a byte at a time", |dial, stop| {
        let mut client = dial.try_clear()?;
        for byte in Client::header("localhost").bytes() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            client.try_send(&[byte])?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }),
    ("sends a name without an end", |dial, stop| {
        let mut client = dial.try_clear()?;
        client.try_send(b"<stream:stream ")?;
        while !stop.load(Ordering::Relaxed) {
            client.try_send(&[b'x'; 4096])?;
        }
        Ok(())
    }),
    ("sends an attribute without an end", |dial, stop| {
        let mut client = open(dial.try_direct()?)?;
        client.try_send(b"<a b='")?;
        while !stop.load(Ordering::Relaxed) {
            client.try_send(&[b'x'; 4096])?;
        }
        Ok(())
    }),
    ("nests", |dial, stop| {
        let mut client = open(dial.try_direct()?)?;
        while !stop.load(Ordering::Relaxed) {
            client.try_send("<a>".repeat(1000).as_bytes())?;
        }
        Ok(())
    }),
    ("declares namespaces", |dial, stop| {
        let mut client = open(dial.try_direct()?)?;
        let mut at = 0u64;
        while !stop.load(Ordering::Relaxed) {
            at += 1;
            client.try_send(format!("<a{at} xmlns:n{at}='urn:{at}' n{at}:x=''>").as_bytes())?;
        }
        Ok(())
    }),
    ("laughs a billion times", |dial, stop| {
        let mut client = dial.try_clear()?;
        client.try_send(b"<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol1 '&lol;&lol;&lol;'>]><lolz>&lol1;</lolz>")?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("sends noise", |dial, stop| {
        let mut client = if fastrand::bool() { dial.try_clear()? } else { dial.try_direct_without_handshake()? };
        while !stop.load(Ordering::Relaxed) {
            client.try_send(&noise())?;
        }
        Ok(())
    }),
    ("sends noise inside of TLS", |dial, stop| {
        let mut client = dial.try_direct()?;
        while !stop.load(Ordering::Relaxed) {
            client.try_send(&noise())?;
        }
        Ok(())
    }),
    ("shakes hands and leaves", |dial, _| dial.try_direct().map(Client::drop_connection)),
    ("opens a stream and sits", |dial, stop| {
        let mut client = open(dial.try_direct()?)?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("guesses", |dial, stop| {
        let mut client = open(dial.try_direct()?)?;
        while !stop.load(Ordering::Relaxed) {
            let name = fastrand::u32(..);
            client.try_send(
                format!("{AUTH}'SCRAM-SHA-1'>{}</auth>", metronome_testkit::base64(format!("n,,n={name},r=abcdefgh")))
                    .as_bytes(),
            )?;
            client.try_send(b"<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdz</response>")?;
            if client.next_within(Duration::from_secs(1)).is_none() {
                break;
            }
        }
        Ok(())
    }),
    ("sends commands behind STARTTLS", |dial, stop| {
        let mut client = open(dial.try_clear()?)?;
        client.try_send(format!("{STARTTLS}{AUTH}'PLAIN'>AGFsaWNlAHg=</auth>").as_bytes())?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("asks for STARTTLS and speaks XML", |dial, stop| {
        let mut client = open(dial.try_clear()?)?;
        client.try_send(STARTTLS.as_bytes())?;
        let _ = client.next_within(Duration::from_secs(5));
        client.try_send(Client::header("localhost").as_bytes())?;
        linger(&mut client, stop);
        Ok(())
    }),
    ("never reads", |dial, stop| {
        let mut client = dial.try_clear()?;
        client.set_write_timeout(Duration::from_secs(1));
        while !stop.load(Ordering::Relaxed) {
            client.try_send(Client::header("localhost").as_bytes())?;
        }
        Ok(())
    }),
];

fn noise() -> [u8; 512] {
    let mut noise = [0; 512];
    fastrand::fill(&mut noise);
    noise
}

fn open(mut client: Client) -> std::io::Result<Client> {
    client.try_send(Client::header("localhost").as_bytes())?;
    for _ in 0..2 {
        client.next_within(Duration::from_secs(5)).ok_or(std::io::ErrorKind::TimedOut)?;
    }
    Ok(client)
}

/// Holds the connection for as long as the server lets it, or until the end.
fn linger(client: &mut Client, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) && client.is_open_after(Duration::from_millis(200)) {}
}

#[test]
fn hostile_connections_do_their_worst_and_two_clients_chat() {
    let crowd = crowd_size();
    // Each has a file descriptor here and one at the server.
    raise_descriptor_limit();
    let server = Setup::default().options("limits.login_failures.per_ip = \"1000000/min\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "desk");
    alice.available();
    bob.available();
    // Some visitors before, so that what the allocator keeps for itself is not counted as the crowd's.
    for (_, attack) in ATTACKS {
        let stop = AtomicBool::new(true);
        let _ = attack(&server.dial().from("127.0.0.2"), &stop);
    }
    let (before, sockets) = (server.resident_bytes(), server.sockets());
    let (stop, visits) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut peak = 0;
    std::thread::scope(|scope| {
        let guard = StopAtEnd(&stop);
        for at in 0..crowd {
            let dial = server.dial().from(&format!("127.0.{}.{}", 1 + at / 200, 1 + at % 200));
            let (stop, visits) = (&stop, &visits);
            let attacker = move || {
                // A real crowd brings its own machines. This one shares ours, and must not win by taking its cores.
                rustix::process::setpriority_process(None, 19).unwrap();
                let (_, attack) = ATTACKS[at % ATTACKS.len()];
                std::thread::sleep(PAUSE * at as u32);
                while !stop.load(Ordering::Relaxed) {
                    let _ = attack(&dial, stop);
                    visits.fetch_add(1, Ordering::Relaxed);
                    // All share this machine's cores with the server: more visits would measure the attackers' own work.
                    std::thread::sleep(PAUSE * crowd as u32);
                }
            };
            std::thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, attacker).unwrap();
        }
        let until = Instant::now() + (PAUSE * 3 * crowd as u32).max(Duration::from_secs(6));
        let mut at = 0;
        while at < MESSAGES || Instant::now() < until {
            let (from, to) = if at % 2 == 0 { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
            let address = to.jid().split('/').next().unwrap().to_owned();
            from.send(&format!("<message to='{address}' type='chat' id='m{at}'><body>hello</body></message>"));
            to.expect(&format!("<message id='m{at}'"));
            from.expect_nothing_before_ping();
            peak = peak.max(server.resident_bytes());
            at += 1;
        }
        // A newcomer gets in as well.
        Client::login(&server, "carol", "new").expect_nothing_before_ping();
        drop(guard);
    });
    let grown = peak.saturating_sub(before);
    eprintln!("{crowd} hostile connections, {} visits: {grown} bytes more at the peak", visits.load(Ordering::Relaxed));
    // A handshake and a stream before its login: rustls' buffers and 8 KiB of ours, and what the allocator rounds up.
    let bound = 32 * 1024 * crowd as u64 + (16 << 20);
    assert!(grown < bound, "{grown} bytes more, and {bound} are the bound");
    assert_eq!(server.figure("panics"), 0);
    assert_eq!(server.figure("logins"), 3);
    alice.expect_nothing_before_ping();
    // Nothing of the crowd stays.
    let until = Instant::now() + Duration::from_secs(20);
    while server.sockets() > sockets {
        assert!(Instant::now() < until, "{} sockets, and {sockets} before", server.sockets());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A failed expectation must not leave the crowd running.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
}

#[test]
fn hostile_headers_that_never_end_are_ended_by_us() {
    // From the first byte to the bound resource there is half a minute, whatever arrives meanwhile.
    let server = Setup::default().store(Backend::Memory).start();
    let mut slow: Vec<_> = (0..4).map(|_| Client::connect(&server)).collect();
    let mut sitting = Client::direct_tls(&server);
    sitting.open();
    let header = format!("<?xml version='1.0'?>{}", " ".repeat(2_000));
    for byte in header.bytes() {
        let gone = slow.iter_mut().filter_map(|client| client.try_send(&[byte]).err()).count();
        if gone == slow.len() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for client in &mut slow {
        let said = client.drain(Duration::from_secs(5));
        assert!(said.is_empty() || said.contains("<connection-timeout "), "{said}");
    }
    sitting.expect_stream_error("connection-timeout");
}

#[test]
fn hostile_floods_of_a_logged_in_client_slow_only_itself() {
    on_both_stores_with("", |server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut carol = Client::login(server, "carol", "desk");
        let mut alice = Client::login(server, "alice", "phone");
        alice.set_write_timeout(Duration::from_millis(200));
        let flood = "<iq type='get' id='f' to='bob@localhost'><ping xmlns='urn:xmpp:ping'/></iq>".repeat(200);
        for round in 0..10 {
            let _ = alice.try_send(flood.as_bytes());
            carol.send(&format!("<message to='bob@localhost' type='chat' id='m{round}'><body>hello</body></message>"));
            bob.expect(&format!("<message id='m{round}' from='carol@localhost/desk'"));
            carol.expect_nothing_before_ping();
        }
        assert_eq!(server.figure("panics"), 0);
    });
}
