//! What scanning costs in memory, counted by the allocator: bounded by the input, nothing while idle, and a handful of
//! allocations for a stanza that is routed.
#![allow(clippy::unwrap_used)]

use allocation_counter::measure;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::Received;
use metronome_proto::xml::{Item, Limits, Scanner};

/// What a scanner may hold beside the bytes: stacks, scopes and index at their limits.
const FIXED_BYTES: i64 = 8 * 1024;

/// Shapes that would grow most in a tree, each about as large as a stanza may be.
fn shapes() -> Vec<(&'static str, String)> {
    let most = Limits::CLIENT.stanza_bytes;
    let fill = |head: &str, piece: &str, tail: &str| {
        let times = (most - head.len() - tail.len()) / piece.len();
        format!("{head}{}{tail}", piece.repeat(times))
    };
    let attributes: String = (0..60).map(|n| format!(" a{n:02}=''")).collect();
    let declarations: String = (0..30).map(|n| format!(" xmlns:p{n:02}='u'")).collect();
    let parents = |inner: &str| format!("<p>{}</p>", inner.repeat(8000));
    vec![
        ("empty children", format!("<m>{}</m>", "<a/>".repeat(8192))),
        ("empty grandchildren", format!("<m>{}</m>", parents("<a/>").repeat(8))),
        ("attributes", fill("<m>", &format!("<a{attributes}/>"), "</m>")),
        ("declarations", fill("<m>", &format!("<a{declarations}/>"), "</m>")),
        ("text", fill("<m>", "x", "</m>")),
        ("references", fill("<m>", "&lt;", "</m>")),
        ("one attribute", fill("<m a='", "x", "'/>")),
        ("cdata", fill("<m>", "<![CDATA[]]>", "</m>")),
        ("depth", fill("<m>", &format!("{}{}", "<a>".repeat(63), "</a>".repeat(63)), "</m>")),
        ("odd namespaces", format!("<m>{}</m>", "<a xmlns='&lt;'/>".repeat(8192))),
        ("prefix of the stanza", format!("<m xmlns:p='u'>{}</m>", "<p:a/>".repeat(60) + &"x".repeat(most - 1000))),
    ]
}

#[test]
fn memory_stays_within_1_6_times_the_input() {
    for (shape, xml) in shapes() {
        for step in [1400, 16 * 1024, usize::MAX] {
            let mut scanner = Scanner::elements(Limits::CLIENT);
            let (mut held, mut fed, mut done) = (0, 0, None);
            for piece in xml.as_bytes().chunks(step.min(xml.len())) {
                fed += piece.len() as i64;
                let info = measure(|| {
                    if let Ok(Some(Item::Element(element))) = scanner.next(&mut { piece }) {
                        done = Some(element);
                    }
                });
                // A buffer that grows is for a moment there twice, unless the allocator can extend it in place.
                assert!(held + info.bytes_max as i64 <= fed * 26 / 10 + FIXED_BYTES, "{shape}: peak");
                held += info.bytes_current;
                assert!(held <= fed * 16 / 10 + FIXED_BYTES, "{shape}: {held} bytes held for {fed} received");
                assert!(scanner.memory_usage() as i64 <= held.max(0) + 64, "{shape}: memory_usage() tells too much");
            }
            assert!(done.is_some(), "{shape} was not accepted");
        }
    }
}

/// Trees are for cold paths, but a peer chooses what is in them.
#[test]
fn a_tree_is_bounded_although_its_namespace_is_long() {
    let xml = format!("<iq><q xmlns='{}'>{}</q></iq>", "u".repeat(1000), "<a/>".repeat(8000));
    let Ok(Some(Item::Element(element))) = Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes()) else {
        panic!()
    };
    let info = measure(|| drop(element.tree()));
    assert!(info.bytes_max < 64 * xml.len() as u64, "{} bytes for {}", info.bytes_max, xml.len());
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let stream = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='x' version='1.0'>\
                  <message><body>x</body></message> <presence/>";
    for step in [1, 10, 1000] {
        let mut scanner = Scanner::new(Limits::CLIENT);
        let info = measure(|| {
            for mut piece in stream.as_bytes().chunks(step) {
                while scanner.next(&mut piece).unwrap().is_some() {}
            }
        });
        assert_eq!(scanner.buffered(), 0);
        assert!(info.bytes_current < 400, "{} bytes held", info.bytes_current);
    }
}

#[test]
fn a_routed_chat_message_costs_four_allocations() {
    let xml = "<message to='bob@example.org/laptop' id='5e3d0b41-6a0e-4d6b' type='chat'><body>See you at seven.</body>\
               <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>";
    let from = Jid::parse("alice@example.org/phone").unwrap();
    let mut scanner = Scanner::elements(Limits::CLIENT);
    let mut out = Vec::with_capacity(1024);
    let info = measure(|| {
        let Ok(Some(Item::Element(element))) = scanner.next(&mut xml.as_bytes()) else { panic!() };
        let stanza = Received::read(element, ns::CLIENT).unwrap().stamp(from.clone());
        assert!(stanza.has(ns::RECEIPTS, "request") && !stanza.has(ns::HINTS, "no-store"));
        for _ in 0..10 {
            let copy = stanza.clone();
            copy.write_head(&mut out, copy.to.as_ref(), None);
            out.extend_from_slice(copy.content.bytes());
            out.extend_from_slice(copy.tail().as_bytes());
            out.clear();
        }
    });
    // The bytes, their count of sharers, the recipient, the id; and ten copies of the id.
    assert_eq!(info.count_total - 10, 4);
}

#[test]
fn names_that_a_peer_invents_leave_nothing_behind() {
    let mut scanner = Scanner::elements(Limits::CLIENT);
    let from = Jid::parse("alice@example.org/phone").unwrap();
    let info = measure(|| {
        for n in 0..20_000 {
            let xml = format!(
                "<message to='u{n}@h{n}.example/r{n}'><n{n} xmlns='urn:{n}' a{n}='{n}'/><p{n}:x xmlns:p{n}='urn:{n}'/></message>"
            );
            let Ok(Some(Item::Element(element))) = scanner.next(&mut xml.as_bytes()) else { panic!() };
            let stanza = Received::read(element, ns::CLIENT).unwrap().stamp(from.clone());
            assert!(stanza.has(&format!("urn:{n}"), &format!("n{n}")));
        }
    });
    assert_eq!((info.count_current, info.bytes_current), (0, 0));
    assert!(info.bytes_max < 16 * 1024, "{} bytes at once", info.bytes_max);
}
