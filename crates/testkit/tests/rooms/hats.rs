//! XEP-0317: hats, by the commands of a room.

use metronome_testkit::Seen;

use crate::{INFO, ROOM, answer, coven, does, enter, pass, person, quiet, refused, server, short, so_far, until};

const HOST: &str = "http://schemas.example.com/hats#host";

fn command(node: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='hats#{var}'><value>{value}</value></field>");
    let filled: String = fields.iter().map(field).collect();
    let form = match fields {
        [] => String::new(),
        _ => format!(
            "<x xmlns='jabber:x:data' type='submit'><field type='hidden' var='FORM_TYPE'>\
             <value>urn:xmpp:hats:commands</value></field>{filled}</x>"
        ),
    };
    format!(
        "<command xmlns='http://jabber.org/protocol/commands' action='execute' node='urn:xmpp:hats:commands:{node}'>{form}</command>"
    )
}

fn host() -> String {
    command("create", &[("title", "Host"), ("uri", HOST), ("hue", "327.255249")])
}

#[track_caller]
fn wears(seen: &Seen, title: &str) {
    let hats = format!("<hats xmlns='urn:xmpp:hats:0'><hat title='{title}' uri='{HOST}' hue='327.255249'/></hats>");
    assert!(seen.contains(&hats), "{seen}");
}

// XEP-0317 example 1
// XEP-0317 example 2
#[test]
fn a_room_says_that_it_has_hats_and_by_which_commands() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let info = answer(&mut bob, "get", INFO);
    assert!(info.contains("<feature var='urn:xmpp:hats:0'/>"), "{info}");
    assert!(info.contains("<feature var='http://jabber.org/protocol/commands'/>"), "{info}");
    assert!(!info.contains("hats#hash"), "{info}");
    let list = "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>";
    assert!(answer(&mut bob, "get", list).contains("node='urn:xmpp:hats:commands:assign'"));
    does(&mut alice, "set", &host());
    assert!(answer(&mut bob, "get", INFO).contains("<field var='hats#hash'"));
}

// XEP-0317 example 3
// XEP-0317 example 4
// XEP-0317 example 5
// XEP-0317 example 6
// XEP-0317 example 7
// XEP-0317 example 8
#[test]
fn an_admin_makes_a_hat_and_somebody_wears_it() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let form = answer(&mut alice, "set", &command("create", &[]));
    assert!(form.contains("status='executing'") && form.contains("var='hats#title'"), "{form}");
    let done = does(&mut alice, "set", &host());
    assert!(done.iter().any(|seen| seen.contains("<status code='104'/>")), "{done:?}");
    pass(&mut [&mut bob, &mut carol]);
    does(&mut alice, "set", &command("assign", &[("jid", "bob@localhost"), ("uri", HOST)]));
    for client in [&mut bob, &mut carol] {
        let seen = so_far(client).pop().unwrap();
        assert!(short(&seen).starts_with("second none/participant"), "{seen}");
        wears(&seen, "Host");
    }
    let came = enter(&mut person(&server, "dave"), "fourth");
    wears(&came[1], "Host");
}

// XEP-0317 example 9
// XEP-0317 example 10
// XEP-0317 example 11
// XEP-0317 example 12
// XEP-0317 example 13
// XEP-0317 example 14
// XEP-0317 example 15
// XEP-0317 example 16
// XEP-0317 example 17
// XEP-0317 example 18
// XEP-0317 example 19
// XEP-0317 example 20
// XEP-0317 example 21
// XEP-0317 example 22
#[test]
fn hats_are_listed_taken_and_destroyed() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &host());
    does(&mut alice, "set", &command("assign", &[("jid", "bob@localhost"), ("uri", HOST)]));
    let list = answer(&mut carol, "set", &command("list", &[]));
    assert!(list.contains("status='completed'") && list.contains(&format!("<value>{HOST}</value>")), "{list}");
    let worn = answer(&mut alice, "set", &command("list-assigned", &[]));
    assert!(worn.contains("<value>bob@localhost</value>"), "{worn}");
    assert_eq!(refused(&mut carol, "set", &command("list-assigned", &[])), "auth forbidden");
    pass(&mut [&mut bob, &mut carol]);
    does(&mut alice, "set", &command("unassign", &[("jid", "bob@localhost"), ("uri", HOST)]));
    let seen = so_far(&mut carol).pop().unwrap();
    assert!(!seen.contains("hats"), "{seen}");
    does(&mut alice, "set", &command("assign", &[("jid", "bob@localhost"), ("uri", HOST)]));
    pass(&mut [&mut carol]);
    let form = answer(&mut alice, "set", &command("destroy", &[]));
    assert!(form.contains(&format!("<value>{HOST}</value>")), "{form}");
    does(&mut alice, "set", &command("destroy", &[("uri", HOST)]));
    assert!(so_far(&mut carol).iter().all(|seen| !seen.contains("<hats")));
    assert!(!answer(&mut alice, "set", &command("list-assigned", &[])).contains("bob@localhost"));
}

#[test]
fn nobody_gives_itself_a_hat() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    does(&mut alice, "set", &host());
    pass(&mut [&mut bob, &mut carol]);
    let own = [("jid", "bob@localhost"), ("uri", HOST)];
    for request in [command("assign", &own), command("unassign", &own), command("destroy", &[("uri", HOST)]), host()] {
        assert_eq!(refused(&mut bob, "set", &request), "auth forbidden", "{request}");
    }
    assert_eq!(refused(&mut alice, "set", &command("burn", &[])), "cancel item-not-found");
    assert_eq!(refused(&mut alice, "set", &command("create", &[("title", "x")])), "modify bad-request");
    let forged = "<hats xmlns='urn:xmpp:hats:0'><hat title='Host' uri='urn:mine'/></hats>";
    bob.send(&format!("<presence to='{ROOM}/second'>{forged}<show>away</show></presence>"));
    assert!(!until(&mut carol, "<presence").1.contains("hats"));
    pass(&mut [&mut alice]);
    quiet(&mut [&mut carol]);
}
