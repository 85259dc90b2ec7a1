//! What we write, we read back: shared by `tests/stanzas.rs` and the fuzz target.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::stanza::{Name, Received, Stanza, StanzaError, Unreadable};
use metronome_proto::xml::{Content, Element, Item, Limits, Scanner, Tree};

/// Escapes and added declarations may make a stanza larger than its sender was allowed to.
const LIMITS: Limits = Limits::STORED;

/// The only element in `bytes`.
fn only_element(bytes: &[u8]) -> Element {
    let mut rest = bytes;
    match Scanner::elements(LIMITS).next(&mut rest) {
        Ok(Some(Item::Element(element))) if rest.is_empty() => element,
        other => panic!("{other:?} and {rest:?} in {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn read_back(stanza: &Stanza) -> Stanza {
    let received = Received::read(only_element(&stanza.to_vec()), ns::CLIENT).expect("what was read can be read");
    assert_eq!(received.from.as_ref(), Some(&stanza.from));
    received.stamp(stanza.from.clone())
}

/// Reads every stanza of `input` and panics if one is not what it was after it was written.
pub(crate) fn check(input: &[u8]) {
    let from = Jid::parse("alice@example.org/x&y'z\"<>").expect("a JID");
    let mut scanner = Scanner::elements(Limits::CLIENT);
    let mut rest = input;
    while let Ok(Some(Item::Element(element))) = scanner.next(&mut rest) {
        match Received::read(element, ns::CLIENT) {
            Ok(received) => check_stanza(&received.stamp(from.clone())),
            Err(Unreadable::Refused(refused)) => {
                // An iq without an id is refused, and so is the answer, which cannot have one either.
                let has_id = refused.name != Name::Iq || refused.id.is_some();
                if let Some(reply) = refused.into_reply(from.domain_jid(), from.clone()).filter(|_| has_id) {
                    assert_eq!(read_back(&reply), reply);
                }
            }
            Err(Unreadable::NotStanza(element)) => check_tree(&element.tree()),
            Err(Unreadable::BadFrom) => {}
        }
    }
}

fn check_stanza(stanza: &Stanza) {
    assert_eq!(read_back(stanza), *stanza);
    let trees: Vec<Tree> = stanza.content.iter().map(|child| child.tree()).collect();
    trees.iter().for_each(check_tree);
    // Routing asks the index, the payload its own start tag: both must give one answer.
    for tree in &trees {
        let child = stanza.child(tree.ns(), tree.name()).expect("a child that was just seen");
        assert!(child.is(tree.ns(), tree.name()));
    }
    assert_eq!(stanza.content.count(), trees.len());
    assert_eq!(Content::parse(stanza.content.bytes()).expect("our own content"), stanza.content);
    let none = stanza.content.clone().without(|_| true);
    assert_eq!(none.iter().count(), 0);
    assert_eq!(none.text(), stanza.content.text());
    assert_eq!(stanza.content.clone().without(|_| false), stanza.content);
    if let Some(error) = stanza.error(&StanzaError::new(metronome_proto::stanza::error::Condition::ItemNotFound)) {
        let error = read_back(&error);
        assert!(error.kind.is_error() && error.child(ns::CLIENT, "error").is_some());
    }
}

fn check_tree(tree: &Tree) {
    assert_eq!(only_element(&tree.to_vec(ns::CLIENT)).tree(), *tree);
}
