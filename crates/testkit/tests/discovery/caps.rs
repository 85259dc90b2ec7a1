//! XEP-0115 of the server, as a client checks it.

use metronome_testkit::{Backend, Client, Sasl, Seen, Server, Setup, base64};
use serde_json::json;
use sha1::{Digest, Sha1};

use crate::{ask, condition};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

/// Node and version of the capabilities in a stream's features.
fn announced(features: &Seen) -> (String, String) {
    assert_eq!(features.matches("<c xmlns='http://jabber.org/protocol/caps'").count(), 1, "{features}");
    let attribute = |name| features.attribute_of("c", name).unwrap_or_else(|| panic!("{name}: {features}"));
    assert_eq!(attribute("hash"), "sha-1");
    (attribute("node"), attribute("ver"))
}

/// Logs in; answers what the features say before and after the login.
fn login(server: &Server) -> (Client, [(String, String); 2]) {
    let mut client = Client::direct_tls(server);
    let before = announced(&client.open());
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
    let after = announced(&client.open());
    client.bind("phone");
    (client, [before, after])
}

/// Sections 5.1 and 5.4 as they are written, from the text of an answer. Nothing in it is written with references.
fn ver(info: &str) -> String {
    let sorted = |mut parts: Vec<String>| {
        parts.sort();
        parts.concat()
    };
    let identity = |tag: &str| {
        let [category, kind, lang, name] = ["category", "type", "xml:lang", "name"].map(|name| attribute(tag, name));
        format!("{category}/{kind}/{lang}/{name}<")
    };
    let identities = info.split("<identity").skip(1).map(identity).collect();
    // Sorted by themselves: what is appended to each comes behind `#`.
    let mut features: Vec<String> = info.split("<feature").skip(1).map(|tag| attribute(tag, "var")).collect();
    features.sort();
    let features: String = features.iter().map(|feature| format!("{feature}<")).collect();
    let forms = info.split("<x xmlns='jabber:x:data'").skip(1).map(form).collect();
    base64(Sha1::digest(sorted(identities) + &features + &sorted(forms)))
}

fn form(xml: &str) -> String {
    let (mut form_type, mut fields) = (String::new(), Vec::new());
    for field in xml.split("<field").skip(1) {
        let var = attribute(field, "var");
        let texts = field.split("<value>").skip(1).map(|value| value.split("</value>").next().unwrap());
        let mut values: Vec<String> = texts.map(|text| format!("{text}<")).collect();
        values.sort();
        match &*var {
            "FORM_TYPE" => form_type = values.concat(),
            _ => fields.push(format!("{var}<{}", values.concat())),
        }
    }
    fields.sort();
    form_type + &fields.concat()
}

/// An attribute of the tag that the text is in.
fn attribute(text: &str, name: &str) -> String {
    let tag = text.split('>').next().unwrap();
    let value = tag.split(&format!(" {name}='")).nth(1);
    value.map(|value| value.split('\'').next().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn the_hash_in_the_stream_features_is_that_of_what_discovery_tells() {
    let options =
        "contact = { security = [\"xmpp:z@localhost\", \"mailto:a@localhost\"], abuse = [\"mailto:abuse@localhost\"] }";
    for options in ["", options] {
        let server = Setup::default().store(Backend::Memory).options(options).start();
        let (mut alice, [before, after]) = login(&server);
        assert_eq!(before, after, "the login changes nothing");
        let (node, told) = after;
        let info = ask(&mut alice, "get", "localhost", INFO);
        assert_eq!(ver(&info), told, "{info}");

        let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}#{told}'/>");
        let named = ask(&mut alice, "get", "localhost", &query);
        assert_eq!(named.attribute_of("query", "node").unwrap(), format!("{node}#{told}"));
        assert_eq!(ver(&named), told, "{named}");
        for wrong in [format!("{node}#{told}x"), node.clone(), format!("{node}#"), format!("#{told}")] {
            let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{wrong}'/>");
            assert_eq!(condition(&ask(&mut alice, "get", "localhost", &query)), "item-not-found", "{wrong}");
        }
        let items = ask(&mut alice, "get", "localhost", &query.replace("#info'", "#items'"));
        assert_eq!(condition(&items), "item-not-found", "the node of capabilities has no items");
    }
}

#[test]
fn a_reload_that_changes_what_is_told_changes_the_hash() {
    let server = Setup::default().store(Backend::Memory).start();
    let (_first, [(node, old), _]) = login(&server);
    server.write_options("disco.name = \"Another name\"");
    server.control().run("reload", json!({}));
    let (mut alice, [(_, new), _]) = login(&server);
    assert_ne!(old, new);
    assert_eq!(ver(&ask(&mut alice, "get", "localhost", INFO)), new);
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}#{old}'/>");
    assert_eq!(condition(&ask(&mut alice, "get", "localhost", &query)), "item-not-found", "that is what it was");
}

/// What a client like these tells of itself, and its hash.
const TOLD: &str = "<identity category='client' type='pc'/><feature var='urn:xmpp:mood+notify'/><feature var='urn:xmpp:avatar:metadata+notify'/>";
const HASH: &str = "IZLpgEG5sAVLgJYfN6qA26sxVCo=";

// XEP-0115 examples 1, 3 and 4; XEP-0163 section 4.2.
#[test]
fn the_server_asks_one_client_for_all_that_announce_the_same() {
    let server = Setup::default().store(Backend::Memory).start();
    let available = |name: &str| {
        let mut client = Client::login(&server, name, "x");
        client.send(&format!(
            "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:app' ver='{HASH}'/></presence>"
        ));
        client.expect("<presence");
        client
    };
    let mut alice = available("alice");
    let asked = alice.expect("<iq type='get' from='localhost' to='alice@localhost/x'>");
    assert_eq!(asked.attribute_of("query", "node").unwrap(), format!("urn:app#{HASH}"));
    let answer = |told: &str| {
        let id = asked.attribute("id").unwrap();
        format!(
            "<iq type='result' to='localhost' id='{id}'><query xmlns='http://jabber.org/protocol/disco#info'>{told}</query></iq>"
        )
    };
    // An answer of somebody else is none.
    let mut bob = available("bob");
    bob.send(&answer("<feature var='urn:xmpp:tune+notify'/>"));
    bob.expect_nothing_before_ping();
    alice.send(&answer(TOLD));
    alice.expect_nothing_before_ping();
    bob.expect_nothing_before_ping();
    let mut carol = Client::login(&server, "bob", "later");
    carol.send(&format!(
        "<presence><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:other' ver='{HASH}'/></presence>"
    ));
    carol.expect("<presence");
    carol.so_far();
    carol.expect_nothing_before_ping();
}
