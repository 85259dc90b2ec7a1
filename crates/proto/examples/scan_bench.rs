//! How fast the scanner is: MB/s per shape of stanza and for the mix of a busy server, beside copying the same bytes.
//! `cargo run --release -p metronome-proto --example scan_bench [seconds per row]`

use std::hint::black_box;
use std::time::{Duration, Instant};

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::Received;
use metronome_proto::xml::{Item, Limits, Scanner};

/// Bytes that arrive at once, about one TCP segment.
const CHUNK_BYTES: usize = 1400;
/// Bytes of one shape that are scanned per round.
const ROUND_BYTES: usize = 2_000_000;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|arg| arg.parse().ok()).unwrap_or(1.0);
    let row = Duration::from_secs_f64(seconds);
    let (message, presence, roster) = (message(), presence(), roster());
    println!("message {} B, presence {} B, roster result {} B", message.len(), presence.len(), roster.len());
    let shapes = [
        ("message", repeat(&[(&message, 1)])),
        ("presence", repeat(&[(&presence, 1)])),
        ("roster result", repeat(&[(&roster, 1)])),
        ("mix 60/35/5", repeat(&[(&message, 12), (&presence, 7), (&roster, 1)])),
    ];
    println!("{:<15} {:>10} {:>12} {:>12} {:>10}", "shape", "scan MB/s", "to head MB/s", "memcpy MB/s", "scan ns");
    for (name, (stream, stanzas)) in &shapes {
        let copy = rate(row, stream, copy_chunks);
        let scan = rate(row, stream, scan_all);
        let route = rate(row, stream, read_and_write_heads);
        let ns_each = stream.len() as f64 / scan * 1e3 / *stanzas as f64;
        println!("{name:<15} {scan:>10.0} {route:>12.0} {copy:>12.0} {ns_each:>10.0}   1/{:.1} of memcpy", copy / scan);
    }
}

/// A stream of shapes in these proportions, and how many stanzas it has.
fn repeat(shapes: &[(&String, usize)]) -> (Vec<u8>, usize) {
    let (mut stream, mut stanzas) = (Vec::new(), 0);
    while stream.len() < ROUND_BYTES {
        for (shape, times) in shapes {
            stream.extend(std::iter::repeat_n(shape.as_bytes(), *times).flatten());
            stanzas += times;
        }
    }
    (stream, stanzas)
}

/// MB per second of CPU time, the best of nine windows: other processes take time away, never give any.
fn rate(least: Duration, stream: &[u8], run: impl Fn(&[u8])) -> f64 {
    const WINDOWS: u32 = 9;
    run(stream);
    let mut best = 0.0f64;
    for _ in 0..WINDOWS {
        let (start, clock, mut bytes) = (cpu_time(), Instant::now(), 0);
        while clock.elapsed() < least / WINDOWS {
            run(stream);
            bytes += stream.len();
        }
        let seconds = match (start, cpu_time()) {
            (Some(start), Some(end)) => (end - start).as_secs_f64(),
            _ => clock.elapsed().as_secs_f64(),
        };
        best = best.max(bytes as f64 / seconds / 1e6);
    }
    best
}

/// What this process has used of the processor; only Linux tells it in a file.
fn cpu_time() -> Option<Duration> {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    schedstat.split(' ').next()?.parse().map(Duration::from_nanos).ok()
}

fn copy_chunks(stream: &[u8]) {
    let mut buffer = Vec::with_capacity(CHUNK_BYTES);
    for chunk in stream.chunks(CHUNK_BYTES) {
        buffer.clear();
        buffer.extend_from_slice(black_box(chunk));
        black_box(&buffer);
    }
}

fn each_element(stream: &[u8], mut take: impl FnMut(metronome_proto::xml::Element)) {
    let mut scanner = Scanner::elements(Limits::CLIENT);
    for mut chunk in stream.chunks(CHUNK_BYTES) {
        while let Some(item) = scanner.next(&mut chunk).expect("the shapes are well-formed") {
            if let Item::Element(element) = item {
                take(element);
            }
        }
    }
}

fn scan_all(stream: &[u8]) {
    each_element(stream, |element| {
        black_box(element);
    });
}

fn read_and_write_heads(stream: &[u8]) {
    let from = Jid::parse("alice@example.org/phone").expect("a JID");
    let mut out = Vec::new();
    each_element(stream, |element| {
        let received = Received::read(element, ns::CLIENT).expect("the shapes are stanzas");
        let stanza = received.stamp(from.clone());
        out.clear();
        stanza.write_head(&mut out, stanza.to.as_ref(), None);
        black_box((&out, &stanza));
    });
}

fn message() -> String {
    "<message to='bob@example.org/laptop' id='5e3d0b41-6a0e-4d6b-9a39-7f0a3c1f5f12' type='chat' xml:lang='en'>\
     <body>See you at the station at half past seven, then.</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
     <origin-id xmlns='urn:xmpp:sid:0' id='5e3d0b41-6a0e-4d6b-9a39'/></message>"
        .to_owned()
}

fn presence() -> String {
    "<presence from='room@conference.example.org/Zoë' to='alice@example.org/phone' id='b3c7a2f0-11'>\
     <show>away</show><status>out for a walk, back at six</status><priority>5</priority>\
     <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://client.example.org/' \
     ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/><x xmlns='vcard-temp:x:update'>\
     <photo>da39a3ee5e6b4b0d3255bfef95601890afd80709</photo></x>\
     <idle xmlns='urn:xmpp:idle:1' since='2026-11-22T16:23:04Z'/>\
     <x xmlns='http://jabber.org/protocol/muc#user'>\
     <item affiliation='member' role='participant' jid='zoe@example.net/tablet'/></x></presence>"
        .to_owned()
}

fn roster() -> String {
    let item = |n: usize| {
        format!(
            "<item jid='contact-{n:03}@example.net' name='Contact No {n:03}' subscription='both'><group>Friends</group></item>"
        )
    };
    let items: String = (0..36).map(item).collect();
    format!(
        "<iq to='alice@example.org/phone' id='r-17' type='result'><query xmlns='jabber:iq:roster' ver='42'>{items}</query></iq>"
    )
}
