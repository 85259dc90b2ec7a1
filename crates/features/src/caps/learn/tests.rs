//! What is believed of clients, and for whom.

use metronome_proto::stanza::Kind;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::xml::Content;

use super::*;

fn stanza(kind: Kind, xml: &str) -> Stanza {
    let from = Jid::parse("romeo@localhost/orchard").unwrap();
    Stanza::new(kind, from).with_content(Content::parse(xml.as_bytes()).unwrap())
}

fn name_of(xml: &str) -> Option<(String, String)> {
    let announcement = announced(&stanza(Kind::Presence(PresenceType::Available), xml))?;
    Some((announcement.name.into(), announcement.node.into()))
}

fn answer(features: &str) -> Stanza {
    let xml = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{features}</query>");
    stanza(Kind::Iq(IqType::Result), &xml)
}

fn info(features: &str) -> Info {
    Info::read(&answer(features).child(ns::DISCO_INFO, "query").unwrap()).unwrap()
}

fn is(verdict: Verdict) -> (&'static str, Vec<String>) {
    let nodes = |wants: Wants| wants.iter().map(str::to_owned).collect();
    match verdict {
        Verdict::Proved(wants) => ("proved", nodes(wants)),
        Verdict::Told(wants) => ("told", nodes(wants)),
        Verdict::Nothing => ("nothing", Vec::new()),
    }
}

const CLIENT: &str = "<identity category='client' type='pc' name='Exodus 0.9.1'/>\
    <feature var='http://jabber.org/protocol/muc'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#items'/>";

/// XEP-0115 sections 4 and 5.4.
#[test]
fn a_name_is_shared_if_it_can_be_proved() {
    let ver =
        |hash: &str| name_of(&format!("<c xmlns='http://jabber.org/protocol/caps' {hash} node='urn:x' ver='q0='/>"));
    assert_eq!(ver("hash='sha-1'").unwrap(), ("ver sha-1 q0=".into(), "urn:x#q0=".into()));
    assert_eq!(ver("hash='md5'").unwrap().0, "alone romeo@localhost/orchard urn:x#q0=");
    assert_eq!(ver(""), None, "the old kind");
    let long = "x".repeat(2000);
    assert_eq!(name_of(&format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='{long}' ver='q'/>")), None);
    assert_eq!(name_of("<show>away</show>"), None);
}

/// XEP-0390 sections 6 and 8.
#[test]
fn the_strongest_hash_of_a_set_counts_and_before_the_older_kind() {
    let hash = |algo: &str| format!("<hash xmlns='urn:xmpp:hashes:2' algo='{algo}'>u7=</hash>");
    let set = |algos: &[&str]| {
        let hashes: String = algos.iter().map(|algo| hash(algo)).collect();
        let ver = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='q0='/>";
        name_of(&format!("{ver}<c xmlns='urn:xmpp:caps'>{hashes}</c>")).unwrap()
    };
    let (name, node) = set(&["sha3-256", "sha-256", "sha-512", "sha-1"]);
    assert_eq!((&*name, &*node), ("set sha-512 u7=", "urn:xmpp:caps#sha-512.u7="));
    let (name, node) = set(&["sha3-256"]);
    assert_eq!(name, format!("alone romeo@localhost/orchard {node}"));
    assert_eq!(node, "urn:xmpp:caps#sha3-256.u7=");
    assert!(set(&["sha-1"]).0.starts_with("alone "), "too weak to be believed for others");
    assert_eq!(set(&[]).0, "ver sha-1 q0=");
}

#[test]
fn only_what_hashes_to_the_name_proves_it() {
    let judged = |name: &str, features: &str| is(judge(name, &answer(features)));
    let name = "ver sha-1 QgayPKawpkPSDYmwT/WM94uAlu0=";
    assert_eq!(judged(name, CLIENT), ("proved", vec![]));
    let lie =
        format!("{CLIENT}<feature var='tune+notify'/><feature var='+notify'/><feature var='mood+notify'/>");
    assert_eq!(judged(name, &lie), ("told", vec!["mood".to_owned(), "tune".to_owned()]));
    assert_eq!(judged("alone a/b urn:x#QgayPKawpkPSDYmwT/WM94uAlu0=", CLIENT).0, "told");
    assert_eq!(judged("ver sha-256 QgayPKawpkPSDYmwT/WM94uAlu0=", CLIENT).0, "told");
    // Section 5.4, step 3.4: what is told twice is told badly.
    assert_eq!(judged(name, &format!("{CLIENT}<feature var='http://jabber.org/protocol/caps'/>")).0, "told");
    assert_eq!(is(judge(name, &stanza(Kind::Iq(IqType::Result), ""))).0, "nothing");
}

/// The weakness of XEP-0115 section 9.1: other features with the same string.
#[test]
fn a_poisoned_answer_is_not_believed_for_others() {
    let features = "<feature var='urn:a'/><feature var='urn:b+notify'/><feature var='urn:c+notify'/>";
    let string = caps::verification_string(&info(features));
    let name = format!("ver sha-1 {}", Function::Sha1.base64(string.as_bytes()));
    assert_eq!(is(judge(&name, &answer(features))), ("proved", vec!["urn:b".to_owned(), "urn:c".to_owned()]));
    let poison = "<feature var='urn:a'/><x xmlns='jabber:x:data' type='result'>\
        <field var='FORM_TYPE' type='hidden'><value>urn:b+notify</value></field><field var='urn:c+notify'/></x>";
    assert_eq!(caps::verification_string(&info(poison)), string);
    assert_eq!(is(judge(&name, &answer(poison))), ("told", vec![]));
}

const SIMPLE: &str = "<identity category='client' name='BombusMod' type='mobile'/>\
    <feature var='http://jabber.org/protocol/si'/><feature var='http://jabber.org/protocol/bytestreams'/>\
    <feature var='http://jabber.org/protocol/chatstates'/><feature var='http://jabber.org/protocol/disco#info'/>\
    <feature var='http://jabber.org/protocol/disco#items'/><feature var='urn:xmpp:ping'/><feature var='jabber:iq:time'/>\
    <feature var='jabber:iq:privacy'/><feature var='jabber:iq:version'/><feature var='http://jabber.org/protocol/rosterx'/>\
    <feature var='urn:xmpp:time'/><feature var='jabber:x:oob'/><feature var='http://jabber.org/protocol/ibb'/>\
    <feature var='http://jabber.org/protocol/si/profile/file-transfer'/><feature var='urn:xmpp:receipts'/>\
    <feature var='jabber:iq:roster'/><feature var='jabber:iq:last'/>";

/// The examples of XEP-0390 sections 4.5.1 and 4.5.2; the second one with two languages and a form.
#[test]
fn the_examples_of_the_second_document_are_proved() {
    let name = "set sha-256 kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=";
    assert_eq!(is(judge(name, &answer(SIMPLE))), ("proved", vec![]));
    let mut spoken = answer(SIMPLE);
    spoken.lang = Some("en".into());
    assert_eq!(is(judge(name, &spoken)).0, "proved", "many clients forget the language around it");
    assert_eq!(is(judge(name, &answer(&format!("{SIMPLE}<extra xmlns='urn:x'/>")))).0, "told");
    let pubsub = ["activity", "activity+notify", "geoloc", "geoloc+notify", "mood", "mood+notify", "tune"];
    let others = ["bytestreams", "chatstates", "commands", "disco#info", "disco#items", "evil", "feature-neg", "ibb", "iqibb", "rosterx", "si", "si/profile/file-transfer"];
    let jabber = ["avatar", "browse", "dtcp", "filexfer", "ibb", "inband", "jidlink", "last", "oob", "privacy", "roster", "time", "version"];
    let rest = [
        "games:board", "http://www.facebook.com/xmpp/messages", "http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify",
        "jabber:x:data", "jabber:x:event", "jabber:x:oob", "urn:xmpp:avatar:metadata+notify", "urn:xmpp:ping", "urn:xmpp:receipts", "urn:xmpp:time",
    ];
    let names = (pubsub.iter().chain(&others).map(|name| format!("http://jabber.org/protocol/{name}")))
        .chain(jabber.iter().map(|name| format!("jabber:iq:{name}")))
        .chain(rest.iter().map(|name| (*name).to_owned()));
    let features: String = names.map(|name| format!("<feature var='{name}'/>")).collect();
    let field = |var: &str, kind: &str, value: &str| format!("<field var='{var}' {kind}><value>{value}</value></field>");
    let fields = [
        field("FORM_TYPE", "type='hidden'", "urn:xmpp:dataforms:softwareinfo"),
        field("software", "", "Tkabber"),
        field("software_version", "", "0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)"),
        field("os", "", "Windows"),
        field("os_version", "", "XP"),
    ];
    let complex = format!(
        "<identity category='client' name='Tkabber' type='pc' xml:lang='en'/>\
         <identity category='client' name='\u{422}\u{43a}\u{430}\u{431}\u{431}\u{435}\u{440}' type='pc' xml:lang='ru'/>\
         {features}<x xmlns='jabber:x:data' type='result'>{}</x>",
        fields.concat()
    );
    let judged = is(judge("set sha-256 u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=", &answer(&complex)));
    assert_eq!((judged.0, judged.1.len()), ("proved", 5));
}

#[test]
fn a_client_wants_only_so_much() {
    let many: String = (0..1000).map(|number| format!("<feature var='{number:04}+notify'/>")).collect();
    assert_eq!(is(judge("alone", &answer(&many))).1.len(), NODES_MAX);
    let long = "x".repeat(1000);
    let long: String = (0..100).map(|number| format!("<feature var='{number:04}{long}+notify'/>")).collect();
    assert_eq!(is(judge("alone", &answer(&long))).1.len(), NODES_BYTES_MAX / 1004);
}
