//! Our scanner against one of another author, over a corpus and seeded mutations of it.
#![allow(clippy::unwrap_used)]

mod oracle;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' xmlns:q='urn:q' to='x' version='1.0'>";

/// Streams that both accept.
const STREAMS: &[&str] = &[
    "<message to='bob@example.org' id='a1' type='chat' xml:lang='en'><body>hi &amp; bye &#x41;</body>\
     <active xmlns='http://jabber.org/protocol/chatstates'/></message></stream:stream>",
    "<presence><show>away</show><c xmlns='http://jabber.org/protocol/caps' ver='x='/></presence> <iq id='1' type='get'/>",
    "<iq id='2' type='set'><query xmlns='jabber:iq:roster'><item jid=\"a@b\" name='&lt;&quot;&apos;&gt;'><group>é</group></item></query></iq>",
    "<c:message xmlns:c='jabber:client' c:x='1' to='a'><c:body>x</c:body><body xmlns='jabber:client'/></c:message>",
    "<message xmlns='jabber:client' xmlns:p='urn:p' xmlns:r='urn:r'><p:a p:b='1' r:b='2' b='3'/><q:a q:b='1'/></message>",
    "<stream:error><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>x</text></stream:error>",
    "<message><body><![CDATA[<a>&b;]]]]><![CDATA[>]]> tail</body></message >",
    "<a xmlns=''><b xmlns='urn:b'><c xmlns=''/></b></a>",
    "<message\n\tto = 'a'\r\nid\t=\"b\"\n><body>a\r\nb</body >\n</message\t>",
    "<p:m xmlns:p='urn:&amp;&#65;' xmlns='urn:d'><x/><p:y z='&#10;&#9; a\tb'/><u xmlns=' urn:s '/></p:m>",
    "<m><a xmlns:n='urn:n'><n:b><n:c n:d='1' e='2'/></n:b></a><stream:x stream:y='1'/></m>",
    "<élan ü:x='1' xmlns:ü='urn:u'>\u{1F980}\u{FFFD}\u{85}\u{2028}\u{FEFF}</élan>",
];

/// Pieces that mutations put in.
const PIECES: &[&str] = &[
    "<",
    ">",
    "/",
    "/>",
    "</",
    "'",
    "\"",
    "=",
    " ",
    "\t",
    "\r\n",
    "&",
    ";",
    "&amp;",
    "&#0;",
    "&#x1F980;",
    "&#65;",
    "&foo;",
    ":",
    "xmlns",
    "xmlns=",
    "xmlns:p='urn:p'",
    " xmlns=''",
    " xmlns:p=''",
    " xmlns:xml='urn:x'",
    "xml:",
    " xml:lang='de'",
    "p:",
    "q:",
    "stream:",
    "<!--",
    "-->",
    "<?",
    "?>",
    "<![CDATA[",
    "]]>",
    "]]",
    "<!DOCTYPE a>",
    "<a>",
    "</a>",
    "<a/>",
    " a='1'",
    " p:b='1'",
    "<message>",
    "</message>",
    "</stream:stream>",
    "é",
    "\u{D7}",
    "\u{FFFE}",
    "\0",
    "\u{1}",
    "1a",
    "-a",
    ".",
];

#[test]
fn the_corpus_is_seen_alike() {
    for stream in STREAMS {
        oracle::check(format!("{HEADER}{stream}").as_bytes());
        let (_, error) = oracle::scan(format!("{HEADER}{stream}").as_bytes(), 1);
        assert_eq!(error, None, "{stream}");
    }
}

#[test]
fn mutations_of_the_corpus_are_seen_alike() {
    let mut rng = fastrand::Rng::with_seed(0x6d65_7472_6f6e);
    for round in 0..20_000 {
        let stream = format!("{HEADER}{}", STREAMS[rng.usize(..STREAMS.len())]);
        let mut input = stream.into_bytes();
        for _ in 0..rng.usize(1..4) {
            mutate(&mut input, &mut rng);
        }
        let shown = input.clone();
        let outcome = std::panic::catch_unwind(|| oracle::check(&input));
        assert!(outcome.is_ok(), "round {round}: {}", String::from_utf8_lossy(&shown));
    }
}

fn mutate(input: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    // Mostly behind the header, or nothing else would ever be tried.
    let from = if rng.u8(..8) == 0 { 0 } else { HEADER.len().min(input.len()) };
    let at = rng.usize(from..=input.len());
    let end = (at + rng.usize(..8)).min(input.len());
    match rng.u8(..6) {
        0 => drop(input.drain(at..end)),
        1 if at < end => input[at] = rng.u8(..),
        2 => {
            let copied = input[at..end].to_vec();
            let to = rng.usize(from..=input.len());
            drop(input.splice(to..to, copied));
        }
        _ => {
            let piece = PIECES[rng.usize(..PIECES.len())];
            drop(input.splice(at..at, piece.bytes()));
        }
    }
}
