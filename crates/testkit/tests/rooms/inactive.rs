//! XEP-0352 in rooms: whoever does not look hears of what is said when somebody speaks of them, and of all of it then.

use std::time::Duration;

use metronome_testkit::Client;

use crate::{ROOM, bodies, coven, hears, pass, say, server, until, with};

const INACTIVE: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";

/// Bob looks no more; the server has heard so when this returns.
fn looks_away(bob: &mut Client) {
    bob.send(INACTIVE);
    bob.expect_nothing_before_ping();
}

/// What is held cannot be seen but by its not coming.
#[track_caller]
fn hears_nothing(bob: &mut Client) {
    let seen = bob.next_within(Duration::from_millis(300));
    assert!(seen.is_none(), "{seen:?}");
}

#[test]
fn what_is_said_waits_until_somebody_is_mentioned_and_comes_in_order() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    looks_away(&mut bob);
    for body in ["one", "two"] {
        say(&mut alice, body);
        hears(&mut carol, "first", body);
    }
    carol.send(&format!("<presence to='{ROOM}/third'><show>away</show></presence>"));
    until(&mut alice, "<presence");
    hears_nothing(&mut bob);
    say(&mut alice, "Second, look!");
    let (before, _) = until(&mut bob, "<message><body>Second, look!");
    assert_eq!(bodies(&before), ["one", "two"]);
    assert!(before.iter().any(|seen| seen.fits(&format!("<presence from='{ROOM}/third'><show>away"))), "{before:?}");
    // It goes on waiting, and comes when somebody looks.
    say(&mut alice, "three");
    pass(&mut [&mut alice]);
    hears_nothing(&mut bob);
    bob.send("<active xmlns='urn:xmpp:csi:0'/>");
    hears(&mut bob, "first", "three");
}

/// Another name is nobody's in this room, and what is said to somebody alone does not wait.
#[test]
fn the_name_of_somebody_else_is_no_mention_and_a_private_message_needs_none() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    looks_away(&mut bob);
    say(&mut alice, "third: bob is away");
    hears(&mut carol, "first", "third: bob is away");
    hears_nothing(&mut bob);
    carol.send(&format!("<message to='{ROOM}/second' type='chat'><body>psst</body></message>"));
    let (before, _) = until(&mut bob, &format!("<message from='{ROOM}/third' type='chat'><body>psst"));
    assert_eq!(bodies(&before), ["third: bob is away"]);
}

#[test]
fn who_wants_to_hear_all_at_once_does() {
    let server = with("csi.rooms = \"all\"");
    let (mut alice, mut bob, _carol) = coven(&server, &[]);
    looks_away(&mut bob);
    say(&mut alice, "one");
    hears(&mut bob, "first", "one");
}
