//! XEP-0016 sections 2.9 to 2.13: for every way to say whom a rule is about and which stanzas, what it keeps back and what not.

use metronome_testkit::{Client, Server};

use crate::{befriend, condition, online, privacy, say, set, set_list};

/// Whom a rule is about, and which stanzas; nothing is everybody, or everything.
const RULES: &[(&str, &str)] = &[
    // XEP-0016 example 29
    ("type='jid' value='bob@localhost'", "message"),
    // XEP-0016 example 30
    ("type='group' value='Enemies'", "message"),
    // XEP-0016 example 31
    ("type='subscription' value='both'", "message"),
    // XEP-0016 example 32
    ("", "message"),
    // XEP-0016 example 33
    ("type='jid' value='bob@localhost'", "presence-in"),
    // XEP-0016 example 34
    ("type='group' value='Enemies'", "presence-in"),
    // XEP-0016 example 35
    ("type='subscription' value='both'", "presence-in"),
    // XEP-0016 example 36
    ("", "presence-in"),
    // XEP-0016 example 37
    ("type='jid' value='bob@localhost'", "presence-out"),
    // XEP-0016 example 38
    ("type='group' value='Enemies'", "presence-out"),
    // XEP-0016 example 39
    ("type='subscription' value='both'", "presence-out"),
    // XEP-0016 example 40
    ("", "presence-out"),
    // XEP-0016 example 41
    ("type='jid' value='bob@localhost'", "iq"),
    // XEP-0016 example 42
    ("type='group' value='Enemies'", "iq"),
    // XEP-0016 example 43
    ("type='subscription' value='both'", "iq"),
    // XEP-0016 example 44
    ("", "iq"),
    // XEP-0016 example 45
    ("type='jid' value='bob@localhost'", ""),
    // XEP-0016 example 46
    ("type='group' value='Enemies'", ""),
    // XEP-0016 example 47
    ("type='subscription' value='both'", ""),
    // XEP-0016 example 48
    ("", ""),
];

/// What a rule has kept back between two people who see each other's presence.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    message: bool,
    iq: bool,
    presence_in: bool,
    presence_out: bool,
    sent: bool,
}

/// Bob tries everything towards alice, and she writes to him.
fn tried(alice: &mut Client, bob: &mut Client) -> Kept {
    let is_returned = |answer: &[metronome_testkit::Seen], expected: &str| {
        answer.first().is_some_and(|error| condition(error) == expected)
    };
    let message = is_returned(&say(bob, "alice@localhost/phone", "in"), "service-unavailable");
    bob.send("<iq type='get' to='alice@localhost/phone' id='q'><query xmlns='jabber:iq:version'/></iq>");
    // It comes back, or it comes to her.
    let iq = bob.settle("alice@localhost").iter().any(|seen| seen.fits("<iq type='error' id='q'"));
    bob.send("<presence><show>away</show></presence>");
    bob.so_far();
    let came = alice.so_far();
    assert_eq!(message, !came.iter().any(|seen| seen.fits("<message><body>in</body>")), "{came:?}");
    assert_eq!(iq, !came.iter().any(|seen| seen.fits("<iq type='get' id='q'")), "{came:?}");
    let presence_in = !came.iter().any(|seen| seen.fits("<presence from='bob@localhost/desk'><show>away</show>"));
    alice.send("<presence><show>dnd</show></presence>");
    alice.so_far();
    let came = bob.so_far();
    let presence_out = !came.iter().any(|seen| seen.fits("<presence from='alice@localhost/phone'><show>dnd</show>"));
    let sent = is_returned(&say(alice, "bob@localhost/desk", "out"), "not-acceptable");
    bob.so_far();
    Kept { message, iq, presence_in, presence_out, sent }
}

#[test]
fn every_rule_keeps_back_what_it_is_about() {
    let server = Server::start();
    let (mut alice, mut bob) = (online(&server, "alice", "phone"), online(&server, "bob", "desk"));
    befriend(&mut alice, &mut bob);
    let item = "<item jid='bob@localhost'><group>Enemies</group></item>";
    set(&mut alice, &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
    for (who, kind) in RULES {
        let about = if kind.is_empty() { String::new() } else { format!("<{kind}/>") };
        set_list(&mut alice, "example", &format!("<item {who} action='deny' order='3'>{about}</item>"));
        set(&mut alice, &privacy("<active name='example'/>"));
        alice.so_far();
        bob.so_far();
        let is = |name: &str| kind.is_empty() || *kind == name;
        let expected = Kept {
            message: is("message"),
            iq: is("iq"),
            presence_in: is("presence-in"),
            presence_out: is("presence-out"),
            sent: kind.is_empty(),
        };
        assert_eq!(tried(&mut alice, &mut bob), expected, "{who} {kind}");
    }
}
