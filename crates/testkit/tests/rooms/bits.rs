//! Small images in rooms (XEP-0231): the room has what came with a message also when its author is gone.

use metronome_testkit::{Client, Seen, ask, condition};

use crate::{INFO, ROOM, answer, coven, enter, pass, person, server, until};

/// SHA-1 of `hello`.
const CID: &str = "sha1+aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d@bob.xmpp.org";

fn request() -> String {
    format!("<data xmlns='urn:xmpp:bob' cid='{CID}'/>")
}

fn data(base64: &str, age: &str) -> String {
    format!("<data xmlns='urn:xmpp:bob' cid='{CID}' max-age='{age}' type='image/png'>{base64}</data>")
}

#[track_caller]
fn say_with(bob: &mut Client, others: &mut [&mut Client], more: &str) -> Seen {
    bob.send(&format!("<message to='{ROOM}' type='groupchat' id='bob'><body>look</body>{more}</message>"));
    let heard = until(bob, "<message type='groupchat' id='bob'").1;
    pass(others);
    heard
}

// XEP-0231 example 4
// XEP-0231 example 5
// XEP-0231 example 6
#[test]
fn what_came_with_a_message_is_there_when_its_author_is_gone() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    assert!(answer(&mut bob, "get", INFO).contains("<feature var='urn:xmpp:bob'/>"));
    let heard = say_with(&mut bob, &mut [&mut alice, &mut carol], &data("aGVsbG8=", "86400"));
    assert!(heard.contains("aGVsbG8="), "it goes on to everybody as it came: {heard}");
    bob.close();
    until(&mut carol, &format!("<presence type='unavailable' from='{ROOM}/second'"));
    for to in [ROOM.to_owned(), format!("{ROOM}/second"), format!("{ROOM}/first")] {
        let answer = ask(&mut carol, "get", &to, &request());
        assert!(answer.fits(&format!("<iq type='result' from='{to}'")), "{answer}");
        assert!(answer.contains("type='image/png'>aGVsbG8=</data>"), "{answer}");
    }
    let mut dave = person(&server, "dave");
    let answer = ask(&mut dave, "get", ROOM, &request());
    assert!(answer.fits("<iq type='error'"), "it is for those in the room: {answer}");
    enter(&mut dave, "fourth");
    assert!(ask(&mut dave, "get", ROOM, &request()).contains("aGVsbG8="));
}

#[test]
fn what_is_not_what_its_name_says_is_not_kept() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    for more in [data("Zm9yZ2Vk", "86400"), data("aGVsbG8=", "0"), data("", "86400"), data("!!", "86400")] {
        say_with(&mut bob, &mut [&mut alice, &mut carol], &more);
        assert_eq!(condition(&ask(&mut carol, "get", ROOM, &request())), "item-not-found", "{more}");
    }
}

// XEP-0231 example 1
// XEP-0231 example 2
// XEP-0231 example 3
#[test]
fn what_a_message_only_names_is_asked_for_once() {
    let server = server();
    let (mut alice, mut bob, mut carol) = coven(&server, &[]);
    let html = format!(
        "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'>\
         <p><img alt='A spot' src='cid:{CID}'/></p></body></html>"
    );
    bob.send(&format!("<message to='{ROOM}' type='groupchat' id='bob'><body>look</body>{html}</message>"));
    let asked = until(&mut bob, &format!("<iq type='get' from='{ROOM}'")).1;
    assert_eq!(asked.attribute_of("data", "cid").as_deref(), Some(CID), "{asked}");
    let id = asked.attribute("id").unwrap();
    bob.send(&format!("<iq type='result' id='{id}' to='{ROOM}'>{}</iq>", data("aGVsbG8=", "60")));
    say_with(&mut bob, &mut [&mut alice, &mut carol], "");
    bob.close();
    until(&mut carol, &format!("<presence type='unavailable' from='{ROOM}/second'"));
    assert!(ask(&mut carol, "get", ROOM, &request()).contains("aGVsbG8="));
}
