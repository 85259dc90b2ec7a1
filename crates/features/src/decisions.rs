//! What becomes of every kind of message, decision by decision in one table: archived, copied for the sender's and the recipient's other
//! devices, pushed.

use metronome_model::Direction;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::xml::{Item, Limits, Scanner};

use crate::archive::{self, Worth};
use crate::carbons::{self, Copies};
use crate::push::decide::{self as push, Tells};

fn stanza(to: &str, kind: &str, content: &str) -> Stanza {
    let mut scanner = Scanner::new(Limits::CLIENT);
    let header = format!("<stream:stream xmlns='jabber:client' xmlns:stream='{}'>", ns::STREAMS);
    let xml = format!("{header}<message to='{to}' type='{kind}'>{content}</message>");
    let mut bytes = xml.as_bytes();
    let Ok(Some(Item::Open(_))) = scanner.next(&mut bytes) else { panic!("a stream") };
    let Ok(Some(Item::Element(element))) = scanner.next(&mut bytes) else { panic!("{xml} is one stanza") };
    Received::read(element, ns::CLIENT).unwrap().stamp(Jid::parse("alice@localhost/a").unwrap())
}

/// Archived, copied as sent and as received, pushed: `A` archived, `U` kept until seen; `C` copied, `c` as what it answers; `P` pushed with
/// its words, `p` without; `-` not.
fn fate(to: &str, kind: &str, content: &str) -> String {
    let stanza = stanza(to, kind, content);
    let worth = archive::decide(&stanza).worth;
    let kept = match worth {
        Worth::Archive => 'A',
        Worth::UntilSeen => 'U',
        Worth::Nothing => '-',
    };
    let copied = |side| match carbons::decide(&stanza, side).copies {
        Copies::Made => 'C',
        Copies::AsOfItsCause => 'c',
        Copies::None => '-',
    };
    // Only what is stored is ever asked about.
    let pushed = match push::decide(&stanza).tells {
        _ if worth == Worth::Nothing => '-',
        Tells::Words => 'P',
        Tells::Arrival => 'p',
        Tells::Nothing => '-',
    };
    [kept, copied(Direction::Sent), copied(Direction::Received), pushed].iter().collect()
}

const BODY: &str = "<body>hi</body>";
const STATE: &str = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const RECEIPT: &str = "<received xmlns='urn:xmpp:receipts' id='1'/>";
const REQUEST: &str = "<request xmlns='urn:xmpp:receipts'/>";
const DISPLAYED: &str = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>";
const MARKABLE: &str = "<markable xmlns='urn:xmpp:chat-markers:0'/>";
const REACTION: &str = "<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>";
const OMEMO: &str = "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>";
const OMEMO_2: &str = "<encrypted xmlns='urn:xmpp:omemo:2'/>";
const OPENPGP: &str = "<openpgp xmlns='urn:xmpp:openpgp:0'/>";
const EME: &str = "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>";
const CORRECTION: &str = "<replace xmlns='urn:xmpp:message-correct:0' id='1'/>";
const RETRACTION: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>";
const INVITE: &str = "<x xmlns='jabber:x:conference' jid='room@muc.localhost'/>";
const MEDIATED: &str = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='b@localhost'/></x>";
const DECLINED: &str = "<x xmlns='http://jabber.org/protocol/muc#user'><decline from='b@localhost'/></x>";
const OF_ROOM: &str = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
const STATUS: &str = "<x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x>";
const FILE: &str = "<file-sharing xmlns='urn:xmpp:sfs:0'/>";
const NO_STORE: &str = "<no-store xmlns='urn:xmpp:hints'/>";
const STORE: &str = "<store xmlns='urn:xmpp:hints'/>";
const NO_PERMANENT: &str = "<no-permanent-store xmlns='urn:xmpp:hints'/>";
const NO_COPY: &str = "<no-copy xmlns='urn:xmpp:hints'/>";
const PRIVATE: &str = "<private xmlns='urn:xmpp:carbons:2'/>";
const ERROR: &str = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";

fn jingle(name: &str) -> String {
    format!("<{name} xmlns='urn:xmpp:jingle-message:0' id='1'/>")
}

#[test]
fn what_becomes_of_every_kind_of_message() {
    let both = |one: &str, two: &str| format!("{one}{two}");
    let table: &[(&str, String, &str)] = &[
        // RFC 6121 section 5.2.2: the types, with words and without.
        ("chat", BODY.into(), "ACCP"),
        ("normal", BODY.into(), "ACCP"),
        ("something else", BODY.into(), "ACCP"),
        ("headline", BODY.into(), "----"),
        ("groupchat", BODY.into(), "----"),
        ("error", both(BODY, ERROR), "-cc-"),
        ("chat", String::new(), "-CC-"),
        ("normal", String::new(), "----"),
        ("chat", "<subject>hi</subject>".into(), "ACCp"),
        ("normal", "<subject>hi</subject>".into(), "A--p"),
        ("chat", "<body/>".into(), "ACC-"),
        ("normal", "<body xmlns='http://www.w3.org/1999/xhtml'>hi</body>".into(), "----"),
        // XEP-0085.
        ("chat", STATE.into(), "-CC-"),
        ("normal", STATE.into(), "-CC-"),
        ("chat", both(STATE, BODY), "ACCP"),
        // XEP-0184 and XEP-0333: answers are kept, what asks for one alone is not.
        ("chat", RECEIPT.into(), "ACC-"),
        ("normal", RECEIPT.into(), "ACC-"),
        ("chat", REQUEST.into(), "-CC-"),
        ("chat", both(BODY, REQUEST), "ACCP"),
        ("chat", DISPLAYED.into(), "ACC-"),
        ("normal", DISPLAYED.into(), "ACC-"),
        ("normal", MARKABLE.into(), "-CC-"),
        // XEP-0444, XEP-0308 and XEP-0424.
        ("chat", REACTION.into(), "ACCp"),
        ("normal", REACTION.into(), "A--p"),
        ("chat", both(BODY, CORRECTION), "ACCP"),
        ("chat", RETRACTION.into(), "ACC-"),
        ("chat", both(BODY, RETRACTION), "ACC-"),
        // XEP-0384, XEP-0373 and XEP-0380, whose bodies are fallbacks.
        ("chat", OMEMO.into(), "ACCp"),
        ("chat", OMEMO_2.into(), "ACCp"),
        ("chat", both(OMEMO, BODY), "ACCp"),
        ("normal", OMEMO.into(), "A--p"),
        ("chat", OPENPGP.into(), "ACCp"),
        ("chat", both(EME, BODY), "ACCp"),
        ("chat", both(OMEMO, NO_STORE), "-CC-"),
        // XEP-0353.
        ("chat", jingle("propose"), "ACCp"),
        ("chat", jingle("retract"), "ACCp"),
        ("chat", jingle("accept"), "ACC-"),
        ("chat", jingle("reject"), "ACC-"),
        ("chat", jingle("finish"), "ACC-"),
        ("chat", jingle("ringing"), "-CC-"),
        ("chat", both(&jingle("ringing"), STORE), "ACC-"),
        // XEP-0249 and XEP-0045.
        ("normal", INVITE.into(), "ACCp"),
        ("normal", MEDIATED.into(), "ACCp"),
        ("normal", DECLINED.into(), "ACCp"),
        ("normal", STATUS.into(), "----"),
        ("groupchat", STATUS.into(), "----"),
        ("normal", FILE.into(), "A--p"),
        // XEP-0334.
        ("chat", both(BODY, NO_STORE), "-CC-"),
        ("chat", format!("{BODY}{NO_STORE}{STORE}"), "-CC-"),
        ("chat", both(BODY, NO_PERMANENT), "UCCP"),
        ("chat", both(STATE, NO_PERMANENT), "-CC-"),
        ("chat", both(STATE, STORE), "ACC-"),
        ("chat", both(BODY, NO_COPY), "A--P"),
        ("headline", both(BODY, STORE), "A--P"),
        ("headline", STATE.into(), "-CC-"),
        ("groupchat", both(BODY, STORE), "----"),
        ("error", format!("{BODY}{ERROR}{STORE}"), "-cc-"),
        ("error", format!("{BODY}{ERROR}{PRIVATE}"), "-cc-"),
        // XEP-0280 section 9.
        ("chat", both(BODY, PRIVATE), "A--P"),
        ("chat", format!("{BODY}{PRIVATE}{NO_COPY}"), "A--P"),
    ];
    for (kind, content, expected) in table {
        for to in ["bob@localhost", "bob@localhost/x"] {
            assert_eq!(fate(to, kind, content), *expected, "<message to='{to}' type='{kind}'>{content}");
        }
    }
}

/// XEP-0280 section 6.1: a room sends the private message of an occupant to every session that is in it.
#[test]
fn private_messages_of_a_room_are_copied_for_the_sender_only() {
    assert_eq!(fate("bob@localhost/x", "chat", &format!("{BODY}{OF_ROOM}")), "AC-P");
    assert_eq!(fate("bob@localhost/x", "normal", &format!("{BODY}{OF_ROOM}")), "AC-P");
    assert_eq!(fate("bob@localhost/x", "normal", MEDIATED), "ACCp");
    assert_eq!(fate("bob@localhost", "chat", &format!("{BODY}{OF_ROOM}")), "ACCP");
}
