//! Bookmarks from one form to the other and back.

use super::*;

const PLAY: &str = "<conference xmlns='urn:xmpp:bookmarks:1' name='The Play&apos;s the Thing' autojoin='true'><nick>JC</nick></conference>";
const ORCHARD: &str = "<conference xmlns='urn:xmpp:bookmarks:1' name='The Orcard' autojoin='1'><nick>JC</nick>\
    <extensions><state  xmlns='http://myclient.example/bookmark/state' minimized=\"true\"/></extensions></conference>";

const ITEMS: [(&str, &str); 2] =
    [("theplay@conference.shakespeare.lit", PLAY), ("orchard@conference.shakespeare.lit", ORCHARD)];

fn items<'a>(items: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    items.iter().map(|(id, payload)| (*id, payload.as_bytes()))
}

fn listed(of: &[(&str, &str)], before: Option<&str>) -> String {
    let before = before.map(|xml| Content::parse(xml.as_bytes()).unwrap());
    let before = before.as_ref().and_then(|content| content.iter().next());
    String::from_utf8(list(items(of), before.as_ref())).unwrap()
}

fn changed(of: &[(&str, &str)], storage: &str) -> (Vec<(String, String)>, Vec<String>) {
    let content = Content::parse(storage.as_bytes()).unwrap();
    let Changes { publish, retract } = changes(items(of), &content.iter().next().unwrap()).unwrap();
    let publish = publish.into_iter().map(|(id, payload)| (id.into(), String::from_utf8(payload).unwrap())).collect();
    (publish, retract.into_iter().map(String::from).collect())
}

#[test]
fn the_list_has_every_room_with_all_that_is_known_of_it() {
    assert_eq!(
        listed(&ITEMS, None),
        "<storage xmlns='storage:bookmarks'>\
         <conference xmlns='storage:bookmarks' name='The Play&apos;s the Thing' autojoin='true' \
         jid='theplay@conference.shakespeare.lit'><nick>JC</nick></conference>\
         <conference xmlns='storage:bookmarks' name='The Orcard' autojoin='true' jid='orchard@conference.shakespeare.lit'>\
         <nick>JC</nick><extensions xmlns='urn:xmpp:bookmarks:1'><state  xmlns='http://myclient.example/bookmark/state' \
         minimized=\"true\"/></extensions></conference></storage>"
    );
}

#[test]
fn pages_stay_in_the_list() {
    let before = "<storage xmlns='storage:bookmarks'><conference jid='old@x'/><url name='Works' url='http://x/?a&amp;b'/></storage>";
    let list = listed(&[], Some(before));
    assert_eq!(
        list,
        "<storage xmlns='storage:bookmarks'><url xmlns='storage:bookmarks' name='Works' url='http://x/?a&amp;b'/></storage>"
    );
}

#[test]
fn a_list_that_says_the_same_changes_nothing() {
    assert_eq!(changed(&ITEMS, &listed(&ITEMS, None)), (vec![], vec![]));
    // An old client may have dropped what it does not know, and write addresses its own way.
    let plain = "<storage xmlns='storage:bookmarks'>\
        <conference jid='Orchard@conference.shakespeare.lit' name='The Orcard' autojoin='1'><nick>JC</nick></conference>\
        <conference jid='theplay@conference.shakespeare.lit' name=\"The Play's the Thing\" autojoin='true'><nick>JC</nick></conference></storage>";
    assert_eq!(changed(&ITEMS, plain), (vec![], vec![]));
}

#[test]
fn a_changed_room_keeps_its_extensions() {
    let edited = "<storage xmlns='storage:bookmarks'>\
        <conference jid='orchard@conference.shakespeare.lit' name='The Orchard'><nick>JC</nick><password>s&lt;</password></conference></storage>";
    let (publish, retract) = changed(&ITEMS, edited);
    let expected = "<conference xmlns='urn:xmpp:bookmarks:1' name='The Orchard'><nick>JC</nick><password>s&lt;</password>\
        <extensions xmlns='urn:xmpp:bookmarks:1'><state  xmlns='http://myclient.example/bookmark/state' minimized=\"true\"/></extensions></conference>";
    assert_eq!(publish, [("orchard@conference.shakespeare.lit".to_owned(), expected.to_owned())]);
    assert_eq!(retract, ["theplay@conference.shakespeare.lit"]);
}

#[test]
fn a_new_room_becomes_an_item_and_what_is_no_address_does_not() {
    let storage = "<storage xmlns='storage:bookmarks'><conference jid='New@x.lit' autojoin='maybe'/><conference jid='@'/><conference/>\
        <conference jid='new@x.lit' name='again'/><url url='http://x'/></storage>";
    let (publish, retract) = changed(&[], storage);
    let expected = "<conference xmlns='urn:xmpp:bookmarks:1'></conference>";
    assert_eq!(publish, [("new@x.lit".to_owned(), expected.to_owned())]);
    assert!(retract.is_empty());
}

#[test]
fn items_that_are_no_bookmarks_stay() {
    let odd = [("x@y", "<other xmlns='urn:o'/>"), ("z@y", "no XML <")];
    assert_eq!(changed(&odd, "<storage xmlns='storage:bookmarks'/>"), (vec![], vec![]));
    assert_eq!(listed(&odd, None), "<storage xmlns='storage:bookmarks'></storage>");
}

#[test]
fn every_item_survives_the_way_through_the_list() {
    let (publish, _) = changed(&[], &listed(&ITEMS, None));
    let extensions = |xml: &str| Some(xml[xml.find("<state")?..xml.find("/></ext")?].to_owned());
    for ((id, payload), (new_id, new)) in ITEMS.iter().zip(&publish) {
        assert_eq!((*id, extensions(payload)), (&**new_id, extensions(new)));
        let read = |xml: &str| Bookmark::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap());
        assert_eq!(read(payload), read(new));
    }
}

#[test]
fn a_list_of_too_many_rooms_is_malformed_rather_than_cut() {
    let of = |count: usize| {
        let many: String = (0..count).map(|number| format!("<conference jid='{number}@x'/>")).collect();
        let content =
            Content::parse(format!("<storage xmlns='storage:bookmarks'>{many}</storage>").as_bytes()).unwrap();
        rooms(&content.iter().next().unwrap()).map(|rooms| rooms.len())
    };
    assert_eq!(of(ROOMS_MAX), Ok(ROOMS_MAX));
    assert!(of(ROOMS_MAX + 1).is_err());
}
