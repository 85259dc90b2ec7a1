use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

use JidError::{Empty, Forbidden, TooLong};
use Part::{Domain, Local, Resource};

fn parsed(text: &str) -> Result<String, JidError> {
    let jid = Jid::parse(text)?;
    assert_eq!(Jid::parse(jid.as_str()).as_ref(), Ok(&jid), "{text:?} is not stable");
    assert_eq!(Jid::from_parts(jid.local(), jid.domain(), jid.resource()), Ok(jid.clone()));
    Ok(jid.to_string())
}

#[track_caller]
fn becomes(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(parsed(text).as_deref(), Ok(*expected), "{text:?}");
    }
}

#[track_caller]
fn fails(table: &[(&str, JidError)]) {
    for (text, expected) in table {
        assert_eq!(parsed(text), Err(*expected), "{text:?}");
    }
}

#[test]
fn parts_are_found() {
    let jid = Jid::parse("romeo@montague.example/or/ch@rd").unwrap();
    assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some("romeo"), "montague.example", Some("or/ch@rd")));
    assert_eq!((jid.is_full(), jid.is_bare(), jid.is_domain()), (true, false, false));
    assert_eq!(jid.bare().as_str(), "romeo@montague.example");
    assert_eq!(jid.domain_jid().as_str(), "montague.example");
    assert_eq!(jid.bare_str(), jid.bare().as_str());
    assert!(jid.bare().is_bare() && !jid.bare().is_domain() && jid.domain_jid().is_domain());

    let domain = Jid::parse("montague.example/a@b").unwrap();
    assert_eq!((domain.local(), domain.domain(), domain.resource()), (None, "montague.example", Some("a@b")));
    assert!(domain.is_full() && !domain.is_domain() && domain.bare().is_domain());
    assert!(!jid.same_bare(&domain) && jid.same_bare(&Jid::parse("Romeo@Montague.example").unwrap()));
}

#[test]
fn a_bare_address_is_shared_and_not_copied() {
    let jid = Jid::parse("romeo@montague.example").unwrap();
    assert!(std::ptr::eq(jid.bare().as_str(), jid.as_str()));
    assert!(std::ptr::eq(jid.clone().as_str(), jid.as_str()));
    let host = Jid::parse("montague.example").unwrap();
    assert!(std::ptr::eq(host.domain_jid().as_str(), host.as_str()));
}

#[test]
fn a_resource_is_replaced() {
    let jid = Jid::parse("romeo@montague.example/orchard").unwrap();
    assert_eq!(jid.with_resource("cell\u{A0}2").unwrap().as_str(), "romeo@montague.example/cell 2");
    assert_eq!(jid.bare().with_resource("x").unwrap().as_str(), "romeo@montague.example/x");
    assert_eq!(jid.domain_jid().with_resource("x").unwrap().as_str(), "montague.example/x");
    assert_eq!(jid.with_resource(""), Err(Empty(Resource)));
    assert_eq!(jid.with_resource("\u{1}"), Err(Forbidden(Resource)));
}

#[test]
fn maps_keyed_by_jid_are_searched_by_text() {
    let jid = Jid::parse("Romeo@montague.example").unwrap();
    let map = HashMap::from([(jid.clone(), 1)]);
    assert_eq!(map.get("romeo@montague.example"), Some(&1));
    assert_eq!(format!("{jid:?} {jid:>24}"), "Jid(\"romeo@montague.example\")   romeo@montague.example");
    assert_eq!("romeo@montague.example".parse(), Ok(jid));
}

/// RFC 7622 section 3.5, table 1; what differs from it is said.
#[test]
fn examples_of_rfc_7622() {
    becomes(&[
        ("juliet@example.com", "juliet@example.com"),
        ("juliet@example.com/foo", "juliet@example.com/foo"),
        ("juliet@example.com/foo bar", "juliet@example.com/foo bar"),
        ("juliet@example.com/foo@bar", "juliet@example.com/foo@bar"),
        ("foo\\20bar@example.com", "foo\\20bar@example.com"),
        ("fussball@example.com", "fussball@example.com"),
        ("fu\u{DF}ball@example.com", "fussball@example.com"), // folded, as RFC 6122 does
        ("\u{3C0}@example.com", "\u{3C0}@example.com"),
        ("\u{3A3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C3}@example.com/foo", "\u{3C3}@example.com/foo"),
        ("\u{3C2}@example.com/foo", "\u{3C3}@example.com/foo"), // folded, as RFC 6122 does
        ("king@example.com/\u{265A}", "king@example.com/\u{265A}"),
        ("example.com", "example.com"),
        ("example.com/foobar", "example.com/foobar"),
        ("a.example.com/b@example.net", "a.example.com/b@example.net"),
    ]);
    fails(&[
        ("\"juliet\"@example.com", Forbidden(Local)),
        ("foo bar@example.com", Forbidden(Local)),
        ("@example.com/", Empty(Local)),
        ("@example.com", Empty(Local)),
        ("example.com/", Empty(Resource)),
        ("juliet@", Empty(Domain)),
        ("/foobar", Empty(Domain)),
        ("", Empty(Domain)),
    ]);
    // Table 2 refuses these; RFC 6122 does not, and they are in use on deployed servers.
    becomes(&[("henry\u{2163}@example.com", "henryiv@example.com"), ("\u{265A}@example.com", "\u{265A}@example.com")]);
}

#[test]
fn known_nasties_in_the_local_part() {
    becomes(&[
        ("RoMeO@x.org", "romeo@x.org"),
        ("\u{2163}@x.org", "iv@x.org"),                       // Roman numeral four
        ("\u{FB01}@x.org", "fi@x.org"),                       // ligature
        ("a\u{AD}b@x.org", "ab@x.org"),                       // soft hyphen
        ("a\u{200B}\u{FEFF}b@x.org", "ab@x.org"),             // zero width space, byte order mark
        ("a\u{180F}\u{E0100}b@x.org", "ab@x.org"),            // variation selectors
        ("\u{FF41}\u{FF22}@x.org", "ab@x.org"),               // fullwidth
        ("\u{212A}@x.org", "k@x.org"),                        // Kelvin sign
        ("caf\u{E9}@x.org", "caf\u{E9}@x.org"),               // composed
        ("cafe\u{301}@x.org", "caf\u{E9}@x.org"),             // decomposed
        ("\u{130}@x.org", "i\u{307}@x.org"),                  // Turkish I with dot: not a plain i
        ("\u{131}@x.org", "\u{131}@x.org"),                   // Turkish i without dot: not a plain i
        ("I@x.org", "i@x.org"),                               // no locale
        ("\u{1E9E}@x.org", "ss@x.org"),                       // capital sharp s, newer than RFC 3454
        ("\u{10A0}\u{1C90}@x.org", "\u{2D00}\u{10D0}@x.org"), // capitals newer than RFC 3454
        ("\u{1F468}\u{200D}\u{1F467}@x.org", "\u{1F468}\u{1F467}@x.org"), // joiners have no place in a name
        ("\u{2764}\u{FE0F}@x.org", "\u{2764}@x.org"),
        ("\u{5D0}\u{5D1}1@x.org", "\u{5D0}\u{5D1}1@x.org"), // Hebrew, then a digit
        ("\u{2024}a@x.org", ".a@x.org"),                    // one dot leader
    ]);
    fails(&[
        ("\u{AD}@x.org", Empty(Local)),
        ("\u{200B}\u{200D}@x.org", Empty(Local)),
        ("a\u{FF20}b@x.org", Forbidden(Local)),  // fullwidth @
        ("a\u{FF0F}b@x.org", Forbidden(Local)),  // fullwidth /
        ("a\u{FF1A}b@x.org", Forbidden(Local)),  // fullwidth :
        ("a\u{A0}b@x.org", Forbidden(Local)),    // no-break space
        ("a\u{3000}b@x.org", Forbidden(Local)),  // ideographic space
        ("a\u{B4}@x.org", Forbidden(Local)),     // acute accent: NFKC makes a space of it
        ("a\u{202E}b@x.org", Forbidden(Local)),  // right-to-left override
        ("a\u{2066}b@x.org", Forbidden(Local)),  // isolates, newer than RFC 3454
        ("a\u{E000}b@x.org", Forbidden(Local)),  // private use
        ("a\u{FFFD}b@x.org", Forbidden(Local)),  // replacement character
        ("a\u{FDD0}b@x.org", Forbidden(Local)),  // noncharacter
        ("a\u{378}b@x.org", Forbidden(Local)),   // unassigned
        ("a\u{3164}b@x.org", Forbidden(Local)),  // Hangul filler: a letter that draws nothing
        ("a\u{E0041}b@x.org", Forbidden(Local)), // tag
        ("a\u{5D0}@x.org", Forbidden(Local)),    // mixed directions
        ("\u{5D0}a\u{5D1}@x.org", Forbidden(Local)),
        ("1\u{5D0}@x.org", Forbidden(Local)),
        ("a'b@x.org", Forbidden(Local)),
        ("a\u{7F}@x.org", Forbidden(Local)),
        ("a\0@x.org", Forbidden(Local)),
    ]);
}

#[test]
fn known_nasties_in_the_domain() {
    becomes(&[
        ("EXAMPLE.Org", "example.org"),
        ("example.org.", "example.org"),
        ("u@Example.org./r", "u@example.org/r"),
        ("x_y.org", "x_y.org"),
        ("b\u{FC}cher.example", "b\u{FC}cher.example"),
        ("B\u{DC}CHER.example", "b\u{FC}cher.example"),
        ("xn--bcher-kva.example", "b\u{FC}cher.example"),
        ("XN--BCHER-KVA.example", "b\u{FC}cher.example"),
        ("a\u{3002}b\u{FF0E}c\u{FF61}", "a.b.c"), // three other full stops, the last one trailing
        ("\u{FF45}xample.org", "example.org"),    // fullwidth e
        ("exam\u{AD}ple.org", "example.org"),     // soft hyphen
        ("\u{2163}.org", "iv.org"),
        ("fa\u{DF}.de", "fa\u{DF}.de"), // kept since IDNA2008
        ("xn--fa-hia.de", "fa\u{DF}.de"),
        ("r3---sn.example", "r3---sn.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("u@[::1]/r", "u@[::1]/r"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
    ]);
    fails(&[
        (".", Empty(Domain)),
        ("..", Empty(Domain)),
        ("a..b", Empty(Domain)),
        (".a", Empty(Domain)),
        ("a..", Empty(Domain)),
        ("\u{3002}a", Empty(Domain)),
        ("a\u{3002}\u{3002}b", Empty(Domain)),
        ("\u{AD}", Empty(Domain)),
        ("u@\u{AD}.org", Empty(Domain)),
        ("a\u{FF20}b.org", Forbidden(Domain)), // fullwidth @
        ("a@b@c.org", Forbidden(Domain)),
        ("a b.org", Forbidden(Domain)),
        ("a.org:5222", Forbidden(Domain)),
        ("a\u{FF1A}1", Forbidden(Domain)),
        ("a\u{FF0F}b", Forbidden(Domain)), // fullwidth /
        ("a%b.org", Forbidden(Domain)),
        ("*.org", Forbidden(Domain)),
        ("xn--a.org", Forbidden(Domain)), // bad punycode
        ("xn--.org", Forbidden(Domain)),
        ("a\u{202E}b.org", Forbidden(Domain)),
        ("a\u{378}.org", Forbidden(Domain)),
        ("[::1", Forbidden(Domain)),
        ("::1", Forbidden(Domain)),
        ("[]", Forbidden(Domain)),
        ("[1.2.3.4]", Forbidden(Domain)),
        ("[fe80::1%eth0]", Forbidden(Domain)),
        ("[::1]x", Forbidden(Domain)),
    ]);
}

#[test]
fn known_nasties_in_the_resource() {
    for kept in [
        "MiXeD",
        " spaces  stay ",
        "\u{2026}", // horizontal ellipsis: RFC 6122 made three dots of it
        "\u{FB01}", // ligature
        "\u{2163}",
        "Zo\u{EB} \u{1F980}",
        "\u{2764}\u{FE0F}",                                                // red heart
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}",    // family
        "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308}",                              // rainbow flag
        "\u{1F44D}\u{1F3FD}",                                              // skin tone
        "\u{1F469}\u{1F3FD}\u{200D}\u{1F4BB}",                             // profession with skin tone
        "\u{1F1E9}\u{1F1EA}",                                              // flag
        "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}", // Scotland
        "\u{1FAE9}",                                                       // Unicode 16
        "\u{1FAFF}",                                                       // whatever it will be: reserved for emoji
        "\u{915}\u{94D}\u{200D}\u{937}",                                   // joiner after a virama
        "\u{5D0}a\u{5D1}",                                                 // mixed directions are the room's matter
    ] {
        assert_eq!(parsed(&format!("u@x.org/{kept}")), Ok(format!("u@x.org/{kept}")));
    }
    becomes(&[
        ("x.org/a\u{A0}b\u{3000}c", "x.org/a b c"),
        ("x.org/cafe\u{301}", "x.org/caf\u{E9}"),
        ("x.org/a\u{AD}\u{200B}\u{2060}b", "x.org/ab"),
        ("x.org/alice\u{200D}", "x.org/alice"),
        ("x.org/alice\u{FE0F}", "x.org/alice"),
        ("x.org/1\u{FE0F}\u{20E3}", "x.org/1\u{20E3}"),
        ("x.org/\u{1F468}\u{200D}", "x.org/\u{1F468}"),
        ("x.org/\u{1F468}\u{200D}\u{200D}\u{1F467}", "x.org/\u{1F468}\u{200D}\u{1F467}"),
        ("x.org/\u{1F468}\u{FE0F}\u{FE0F}", "x.org/\u{1F468}\u{FE0F}"),
    ]);
    fails(&[
        ("x.org/\u{AD}", Empty(Resource)),
        ("x.org/\u{200D}", Empty(Resource)),
        ("x.org/\u{FE0F}", Empty(Resource)),
        ("x.org/a\nb", Forbidden(Resource)),
        ("x.org/a\u{85}b", Forbidden(Resource)),
        ("x.org/a\u{2028}b", Forbidden(Resource)),
        ("x.org/a\u{202E}b", Forbidden(Resource)),
        ("x.org/a\u{200E}b", Forbidden(Resource)),
        ("x.org/a\u{2066}b", Forbidden(Resource)),
        ("x.org/a\u{E000}", Forbidden(Resource)),
        ("x.org/a\u{FFFD}", Forbidden(Resource)),
        ("x.org/a\u{10FFFF}", Forbidden(Resource)),
        ("x.org/a\u{378}", Forbidden(Resource)),
        ("x.org/a\u{3164}", Forbidden(Resource)),
        ("x.org/a\u{E0067}\u{E007F}", Forbidden(Resource)), // tags without a flag
        ("x.org/\u{1F3F4}\u{E0067}", Forbidden(Resource)),  // a flag without its end
        ("x.org/\u{1F3F4}\u{E0067}a", Forbidden(Resource)),
    ]);
}

#[test]
fn each_part_holds_1023_bytes() {
    let max = "a".repeat(1023);
    let longest = format!("{max}@{max}/{max}");
    let jid = Jid::parse(&longest).unwrap();
    assert_eq!((jid.as_str().len(), jid.local().unwrap().len(), jid.resource().unwrap().len()), (3071, 1023, 1023));
    let more = "a".repeat(1024);
    fails(&[
        (&format!("{more}@x.org"), TooLong(Local)),
        (&more, TooLong(Domain)),
        (&format!("x.org/{more}"), TooLong(Resource)),
        (&format!("x.org/{}", "a".repeat(100_000)), TooLong(Resource)),
        // Short enough as it is typed, too long once it is prepared: one code point becomes eighteen.
        (&format!("{}@x.org", "\u{FDFA}".repeat(341)), TooLong(Local)),
    ]);
    // And the other way round: too long as it is typed, fine once it is prepared.
    becomes(&[(&format!("x.org/{}", "e\u{301}".repeat(400)), &format!("x.org/{}", "\u{E9}".repeat(400)))]);
}

type Profile = fn(&str) -> Result<Cow<'_, str>, JidError>;

const PROFILES: [Profile; 3] = [prepare_local, prepare_domain, prepare_resource];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn preparation_is_idempotent_for_any_text(text in "\\PC{0,12}") {
        for prepare in PROFILES {
            if let Ok(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once), Ok(Cow::Borrowed(&*once)));
                prop_assert!(!once.is_empty() && once.len() <= PART_BYTES_MAX);
            }
        }
    }

    #[test]
    fn preparation_is_idempotent_for_awkward_text(text in proptest::collection::vec(awkward(), 1..8)) {
        let text: String = text.into_iter().collect();
        for prepare in PROFILES {
            if let Ok(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once), Ok(Cow::Borrowed(&*once)));
            }
        }
    }

    #[test]
    fn parsing_is_idempotent(text in "[a-zA-Zä\u{FF20}\u{3002}@/. ]{1,4}@[a-zA-ZÜß.\u{AD}-]{1,6}/[ -~é\u{1F980}\u{200D}]{1,6}") {
        if let Ok(jid) = Jid::parse(&text) {
            prop_assert_eq!(&Jid::parse(jid.as_str()).unwrap(), &jid);
            prop_assert_eq!(&Jid::from_parts(jid.local(), jid.domain(), jid.resource()).unwrap(), &jid);
            prop_assert_eq!(jid.bare(), Jid::parse(jid.bare_str()).unwrap());
            prop_assert_eq!(jid.domain_jid(), Jid::parse(jid.domain()).unwrap());
        }
    }

    #[test]
    fn equal_texts_are_equal_jids(a in "[ab]{1,2}@[ab]{1,2}/[ab]{1,2}", b in "[ab]{1,2}@[ab]{1,2}/[ab]{1,2}") {
        let (left, right) = (Jid::parse(&a).unwrap(), Jid::parse(&b).unwrap());
        prop_assert_eq!(left == right, a == b);
        prop_assert_eq!(left.cmp(&right), a.cmp(&b));
    }
}

/// Code points that normalise, fold, join or vanish.
fn awkward() -> impl Strategy<Value = char> {
    proptest::sample::select(
        "aA1.-\u{AD}\u{300}\u{345}\u{34F}\u{130}\u{131}\u{3A3}\u{1F80}\u{1FBC}\u{1E9E}\u{2163}\u{FB01}\u{FF21}\u{200C}\
         \u{200D}\u{FE0F}\u{1F468}\u{1F3FD}\u{1F3F4}\u{E0067}\u{E007F}\u{94D}\u{915}\u{5D0}\u{661}\u{1100}\u{1161}\u{AC00}\
         \u{2126}\u{212B}\u{340}\u{FDFA}\u{3300}\u{B4}\u{13A0}\u{AB70}\u{10400}\u{1E900}\u{3002}\u{2024}\u{1C90}"
            .chars()
            .collect::<Vec<_>>(),
    )
}

/// Prints what parsing costs here (`cargo test --release -p metronome-proto cost_of_parsing -- --nocapture`).
#[test]
fn cost_of_parsing_is_printed() {
    const ROUNDS: u32 = 20_000;
    for text in [
        "juliet@capulet.example",
        "juliet@capulet.example/balcony.8f2c01d7",
        "Juliet@Capulet.Example/balcony.8f2c01d7",
        "room@conference.capulet.example/Zo\u{EB} \u{1F980}",
        "j\u{FC}liet@b\u{FC}cher.example/balcony",
        &format!("xn--{}", "a".repeat(1000)),
    ] {
        let start = std::time::Instant::now();
        let rounds = if text.len() > 100 { 100 } else { ROUNDS };
        for _ in 0..rounds {
            let _ = std::hint::black_box(Jid::parse(std::hint::black_box(text)));
        }
        println!("{:6} ns  {}", start.elapsed().as_nanos() / u128::from(rounds), &text[..text.len().min(48)]);
    }
}
