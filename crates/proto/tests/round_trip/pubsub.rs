//! Requests of publish-subscribe: whatever is read is the same after writing and reading it again, and its payloads stand alone.
//! Shared by `tests/pubsub.rs` and the fuzz target.

use metronome_proto::ns;
use metronome_proto::payload::pubsub::{Listing, OwnerRequest, Payload, Request};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Child, Content};

const KINDS: [IqType; 2] = [IqType::Get, IqType::Set];

/// Reads every request that `input` may be: a whole element, or the inside of one.
pub(crate) fn check(input: &[u8]) {
    check_content(input);
    for ns in [ns::PUBSUB, ns::PUBSUB_OWNER, ns::DISCO_ITEMS] {
        check_content(&[format!("<pubsub xmlns='{ns}'>").as_bytes(), input, b"</pubsub>"].concat());
    }
}

fn check_content(bytes: &[u8]) {
    let Ok(content) = Content::parse(bytes) else { return };
    content.iter().for_each(|child| check_element(&child));
}

fn check_element(element: &Child<'_>) {
    for kind in KINDS {
        if let Ok(request) = Request::read(kind, element) {
            check_payloads(&request);
            let again = Content::parse(&request.to_vec()).expect("our own request");
            let again = Request::read(kind, &again.iter().next().expect("an element"));
            assert_eq!(again.as_ref(), Ok(&request));
            assert_eq!(request.kind(), kind);
        }
        if let Ok(request) = OwnerRequest::read(kind, element) {
            let again = Content::from_tree(&request.tree());
            assert_eq!(OwnerRequest::read(kind, &again.iter().next().expect("an element")).as_ref(), Ok(&request));
        }
    }
    // What it says is not written anywhere; that it can be read is enough.
    let _ = Listing::read(element);
}

fn check_payloads(request: &Request) {
    let Request::Publish { items, .. } = request else { return };
    for payload in items.iter().filter_map(|item| item.payload.as_ref()) {
        // Whatever namespace is around it, it means the same.
        for around in ["", "urn:other"] {
            let wrapped = [format!("<item xmlns='{around}'>").as_bytes(), &payload.bytes, b"</item>"].concat();
            let content = Content::parse(&wrapped).expect("a payload that stands alone");
            let element = content.iter().next().and_then(|item| item.children().next()).expect("an element");
            assert_eq!(Payload::of(&element).as_ref(), Ok(payload));
        }
    }
}
