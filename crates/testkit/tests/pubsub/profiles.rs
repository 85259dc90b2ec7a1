//! Nodes of accounts that other documents define, published without a word about their configuration: who reads each, and how many items it
//! keeps.

use metronome_testkit::{Client, online};

use crate::personal::subscribe;
use crate::{get, refused, server, set};

/// Who reads a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Everybody,
    Contacts,
    Nobody,
}

use Read::{Contacts, Everybody, Nobody};

/// The node, the name and the namespace of what is in it, who reads it, and how many of two items it keeps.
const NODES: &[(&str, &str, &str, Read, usize)] = &[
    // XEP-0080, XEP-0107, XEP-0108, XEP-0118, XEP-0172
    ("http://jabber.org/protocol/geoloc", "geoloc", "http://jabber.org/protocol/geoloc", Contacts, 1),
    ("http://jabber.org/protocol/mood", "mood", "http://jabber.org/protocol/mood", Contacts, 1),
    ("http://jabber.org/protocol/activity", "activity", "http://jabber.org/protocol/activity", Contacts, 1),
    ("http://jabber.org/protocol/tune", "tune", "http://jabber.org/protocol/tune", Contacts, 1),
    ("http://jabber.org/protocol/nick", "nick", "http://jabber.org/protocol/nick", Contacts, 1),
    // XEP-0084
    ("urn:xmpp:avatar:metadata", "metadata", "urn:xmpp:avatar:metadata", Contacts, 1),
    // XEP-0189
    ("urn:xmpp:pubkey:2", "pubkey", "urn:xmpp:pubkey:2", Contacts, 2),
    // XEP-0194 to XEP-0197
    ("urn:xmpp:chatting:0", "room", "urn:xmpp:chatting:0", Contacts, 1),
    ("urn:xmpp:browsing:0", "page", "urn:xmpp:browsing:0", Contacts, 1),
    ("urn:xmpp:gaming:0", "game", "urn:xmpp:gaming:0", Contacts, 1),
    ("urn:xmpp:viewing:0", "video", "urn:xmpp:viewing:0", Contacts, 1),
    // XEP-0384, as it is and as most clients have it
    ("urn:xmpp:omemo:2:devices", "devices", "urn:xmpp:omemo:2", Everybody, 2),
    ("urn:xmpp:omemo:2:bundles", "bundle", "urn:xmpp:omemo:2", Everybody, 2),
    ("eu.siacs.conversations.axolotl.devicelist", "list", "eu.siacs.conversations.axolotl", Everybody, 2),
    ("eu.siacs.conversations.axolotl.bundles:1", "bundle", "eu.siacs.conversations.axolotl", Everybody, 2),
    // XEP-0223 and XEP-0490
    ("urn:xmpp:mds:displayed:0", "displayed", "urn:xmpp:mds:displayed:0", Nobody, 2),
    ("urn:xmpp:bookmarks:1", "conference", "urn:xmpp:bookmarks:1", Nobody, 2),
];

fn count(client: &mut Client, node: &str) -> usize {
    get(client, "alice@localhost", &format!("<items node='{node}'/>")).matches("<item ").count()
}

#[test]
fn each_is_for_those_whom_its_document_means() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let mut carol = online(&server, "carol", "desk");
    subscribe(&mut bob, &mut alice);
    for (node, name, ns, read, kept) in NODES {
        for id in ["one@rooms.localhost", "two@rooms.localhost"] {
            let item = format!("<item id='{id}'><{name} xmlns='{ns}'/></item>");
            set(&mut alice, "", &format!("<publish node='{node}'>{item}</publish>"));
        }
        assert_eq!(count(&mut alice, node), *kept, "{node}");
        let items = format!("<items node='{node}'/>");
        match read {
            Nobody => refused(&mut bob, "get", "alice@localhost", &items, "not-allowed closed-node"),
            Contacts | Everybody => assert_eq!(count(&mut bob, node), *kept, "{node}"),
        }
        match read {
            Everybody => assert_eq!(count(&mut carol, node), *kept, "{node}"),
            Contacts | Nobody => refused(&mut carol, "get", "alice@localhost", &items, "item-not-found"),
        }
    }
}
