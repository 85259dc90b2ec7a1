//! XEP-0421: what an occupant is known by whatever its nickname, and what cannot be learnt from that.

use metronome_testkit::{Client, Seen};
use serde_json::json;

use crate::{INFO, ROOM, answer, coven, enter, enter_in, hears, pass, person, say, server, until};

#[track_caller]
fn id(seen: &Seen) -> String {
    assert_eq!(seen.matches("<occupant-id ").count(), 1, "{seen}");
    seen.attribute_of("occupant-id", "id").unwrap()
}

// XEP-0421 example 1
// XEP-0421 example 2
#[test]
fn rooms_say_that_they_have_ids() {
    let server = server();
    let (_alice, mut bob, _carol) = coven(&server, &[]);
    assert!(answer(&mut bob, "get", INFO).contains("<feature var='urn:xmpp:occupant-id:0'/>"));
}

// XEP-0421 example 3
// XEP-0421 example 4
// XEP-0421 example 5
// XEP-0421 example 6
// XEP-0421 example 7
#[test]
fn an_account_has_the_same_id_in_all_it_does() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    let mut dave = person(&server, "dave");
    let came = enter(&mut dave, "fourth");
    let own = id(&came[3]);
    assert_eq!(id(&alice.next_piece()), own);
    assert_eq!(id(&bob.next_piece()), own);
    say(&mut dave, "hello");
    let heard = hears(&mut alice, "fourth", "hello");
    assert_eq!(id(&heard), own);
    dave.send(&format!("<presence to='{ROOM}/oldhag'/>"));
    assert_eq!(id(&until(&mut alice, &format!("<presence from='{ROOM}/oldhag'")).1), own);
    dave.send(&format!("<message to='{ROOM}/second' type='chat'><body>psst</body></message>"));
    assert_eq!(id(&until(&mut bob, "<message type='chat'").1), own);
    dave.close();
    assert_eq!(id(&until(&mut alice, "<presence type='unavailable'").1), own);
    let mut laptop = Client::login(&server, "dave", "laptop");
    let came = enter(&mut laptop, "somebody");
    let back = came.iter().find(|seen| seen.contains("code='110'")).unwrap();
    assert_eq!(id(back), own, "and when it comes again, as whatever");
    let past = came.iter().find(|seen| seen.contains("<body>hello")).unwrap();
    assert_eq!(id(past), own);
}

#[test]
fn ids_of_two_accounts_and_of_two_rooms_differ() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    pass(&mut [&mut alice, &mut bob]);
    say(&mut bob, "b");
    say(&mut carol, "c");
    let mut ids: Vec<String> = (0..2).map(|_| id(&alice.expect("<message type='groupchat'"))).collect();
    let came = enter_in(&mut bob, "heath@rooms.localhost", "second", "");
    ids.push(id(came.iter().find(|seen| seen.fits("<presence")).unwrap()));
    ids.iter().for_each(|id| assert!(id.len() <= 128 && !id.contains("bob"), "{id}"));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

/// Section 4: what a client claims is taken away, wherever it claims it.
#[test]
fn nobody_goes_by_the_id_of_another() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    say(&mut alice, "mine");
    let other = id(&hears(&mut bob, "first", "mine"));
    let claim = format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{other}'/>");
    bob.send(&format!("<presence to='{ROOM}/second'>{claim}<status>x</status></presence>"));
    bob.send(&format!("<message to='{ROOM}' type='groupchat'><body>not mine</body>{claim}</message>"));
    bob.send(&format!("<message to='{ROOM}/first' type='chat'><body>nor this</body>{claim}</message>"));
    hears(&mut alice, "first", "mine");
    for _ in 0..3 {
        assert_ne!(id(&alice.next_piece()), other);
    }
}

/// An account that is deleted is nobody any more: whoever gets its name does not speak as the one that had it.
#[test]
fn whoever_gets_the_name_of_an_account_that_is_gone_has_another_id() {
    let server = server();
    let (mut alice, mut bob, _carol) = coven(&server, &[("persistentroom", "1")]);
    say(&mut bob, "hello");
    let heard = hears(&mut alice, "second", "hello");
    let (was, stanza_id) = (id(&heard), heard.attribute_of("stanza-id", "id").unwrap());
    server.control().run("user delete", json!({ "jid": "bob@localhost" }));
    until(&mut alice, &format!("<presence type='unavailable' from='{ROOM}/second'"));
    server.control().add_user("bob@localhost");
    let mut bob = person(&server, "bob");
    let came = enter(&mut bob, "second");
    let own = came.iter().find(|seen| seen.contains("code='110'")).unwrap();
    assert_ne!(id(own), was);
    assert_eq!(
        id(came.iter().find(|seen| seen.contains("<body>hello")).unwrap()),
        was,
        "what was said stays whose it was"
    );
    assert_eq!(id(&until(&mut alice, &format!("<presence from='{ROOM}/second'")).1), id(own));
    // Nor does it take back what the other has said.
    bob.send(&format!(
        "<message to='{ROOM}' type='groupchat' id='r'><retract xmlns='urn:xmpp:message-retract:1' id='{stanza_id}'/></message>"
    ));
    assert_eq!(crate::error(&until(&mut bob, "<message type='error' id='r'").1), "auth forbidden");
}
