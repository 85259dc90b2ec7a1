//! XEP-0313 section 4.1: by address, time and id; the form that says so; what is no such form.

use metronome_testkit::{Client, on_both_stores};

use crate::{MAM, ask, form, query, refused, say, set};

// XEP-0313 example 6
#[test]
fn messages_are_found_by_the_address_they_were_exchanged_with() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        say(&mut alice, "bob@localhost", "bare");
        say(&mut alice, "bob@localhost/desk", "desk");
        say(&mut alice, "carol@localhost", "carol");
        say(&mut alice, "alice@localhost", "self");
        say(&mut bob, "alice@localhost/phone", "back");
        let mut with = |address: &str| query(&mut alice, &form(&[("with", address)])).bodies();
        assert_eq!(with("bob@localhost"), ["bare", "desk", "back"]);
        assert_eq!(with("bob@localhost/desk"), ["desk", "back"]);
        assert_eq!(with("BOB@localhost"), ["bare", "desk", "back"]);
        assert_eq!(with("bob@localhost/elsewhere"), [""; 0]);
        assert_eq!(with("carol@localhost"), ["carol"]);
        assert_eq!(with("dave@localhost"), [""; 0]);
        assert_eq!(with("localhost"), [""; 0]);
        assert_eq!(with("alice@localhost"), ["self"], "one's own address stands for what one wrote to oneself");
    });
}

// XEP-0313 example 7
// XEP-0313 example 8
#[test]
fn messages_are_found_by_their_time() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for n in 1..=3 {
            say(&mut alice, "bob@localhost", &n.to_string());
        }
        let stamps: Vec<String> =
            query(&mut alice, "").results.iter().map(|result| result.attribute_of("delay", "stamp").unwrap()).collect();
        let mut between = |fields: &[(&str, &str)]| query(&mut alice, &form(fields)).bodies();
        assert_eq!(between(&[("start", "2010-08-07T00:00:00Z")]), ["1", "2", "3"]);
        assert_eq!(between(&[("end", "2010-08-07T00:00:00Z")]), [""; 0]);
        assert_eq!(between(&[("start", "2010-06-07T00:00:00Z"), ("end", "2010-07-07T13:23:54Z")]), [""; 0]);
        assert_eq!(between(&[("start", "9999-01-01T00:00:00Z")]), [""; 0]);
        assert_eq!(between(&[("end", "1931-01-01T00:00:00+02:00")]), [""; 0]);
        let from_second = between(&[("start", &stamps[1])]);
        assert!(from_second.contains(&"2".to_owned()) && from_second.contains(&"3".to_owned()), "both ends count");
        assert!(between(&[("end", &stamps[1])]).contains(&"2".to_owned()));
    });
}

// XEP-0313 example 9
// XEP-0313 example 10
// XEP-0313 example 11
#[test]
fn messages_are_found_by_their_ids() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for n in 1..=6 {
            say(&mut alice, "bob@localhost", &n.to_string());
        }
        let ids = query(&mut alice, "").ids();
        let mut found = |inside: &str| query(&mut alice, inside).bodies();
        assert_eq!(found(&form(&[("after-id", &ids[3])])), ["5", "6"]);
        assert_eq!(found(&form(&[("before-id", &ids[2])])), ["1", "2"]);
        let between = form(&[("after-id", &ids[0]), ("before-id", &ids[4])]);
        assert_eq!(found(&between), ["2", "3", "4"]);
        // Pages of the range, from either end.
        assert_eq!(found(&(between.clone() + &set("<max>2</max>"))), ["2", "3"]);
        assert_eq!(found(&(between + &set("<max>2</max><before/>"))), ["3", "4"]);
        let some =
            format!("<field var='ids'><value>{}</value><value>{}</value><value>{0}</value></field>", ids[4], ids[1]);
        let some = form(&[]).replace("</x>", &format!("{some}</x>"));
        assert_eq!(found(&some), ["2", "5"], "in the order of the archive, each once");
        assert_eq!(found(&form(&[("ids", &ids[2]), ("with", "carol@localhost")])), [""; 0]);
    });
}

// XEP-0313 example 12
// XEP-0313 example 13
#[test]
fn whether_messages_of_rooms_are_included_can_be_said() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        for value in ["true", "false", "1", "0"] {
            assert_eq!(query(&mut alice, &form(&[("include-groupchat", value)])).bodies(), ["one"]);
        }
        assert_eq!(refused(&mut alice, &form(&[("include-groupchat", "maybe")])), "bad-request");
    });
}

// XEP-0313 example 14
// XEP-0313 example 15
#[test]
fn the_form_tells_what_can_be_asked_for() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let answer = ask(&mut alice, "get", "", &format!("<query xmlns='{MAM}'/>"));
        assert!(
            answer.fits("<iq type='result'") && answer.contains("<x xmlns='jabber:x:data' type='form'>"),
            "{answer}"
        );
        for field in [
            "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>",
            "<field var='with' type='jid-single'/>",
            "<field var='start' type='text-single'/>",
            "<field var='end' type='text-single'/>",
            "<field var='before-id' type='text-single'/>",
            "<field var='after-id' type='text-single'/>",
            "<field var='include-groupchat' type='boolean'/>",
            "<field var='ids' type='list-multi'><validate xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:string'><open/></validate></field>",
        ] {
            assert!(answer.contains(field), "{field}: {answer}");
        }
    });
}

// XEP-0313 example 16
#[test]
fn a_field_that_the_server_does_not_know_is_not_implemented() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        for field in ["{http://example.com/}free-text-search", "withtext", "With", ""] {
            assert_eq!(refused(&mut alice, &form(&[(field, "x")])), "feature-not-implemented", "{field}");
        }
        // It does not matter what else is asked for.
        assert_eq!(refused(&mut alice, &form(&[("with", "bob@localhost"), ("x", "y")])), "feature-not-implemented");
    });
}

#[test]
fn a_form_with_something_malformed_is_a_bad_request() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        say(&mut alice, "bob@localhost", "one");
        for (field, value) in [
            ("with", "@"),
            ("with", ""),
            ("with", "a@b@c"),
            ("start", "yesterday"),
            ("start", ""),
            ("start", "2010-13-40T00:00:00Z"),
            ("end", "2010-08-07"),
            ("end", "1281139200"),
        ] {
            assert_eq!(refused(&mut alice, &form(&[(field, value)])), "bad-request", "{field} {value}");
        }
        let two = "<field var='with'><value>a@b</value><value>c@d</value></field>";
        for inside in [
            form(&[]).replace("</x>", &format!("{two}</x>")),
            form(&[]).replace("submit", "cancel"),
            form(&[]).replace("submit", "form"),
            form(&[]).replace(MAM, "urn:xmpp:mam:1"),
            "<x xmlns='jabber:x:data' type='submit'/>".to_owned(),
            "<x xmlns='jabber:x:data'/>".to_owned(),
            set("<max>x</max>"),
            set("<max>-1</max>"),
            set("<max/>"),
            set("<index>1.5</index>"),
        ] {
            assert_eq!(refused(&mut alice, &inside), "bad-request", "{inside}");
        }
        // What nobody has filled in is not asked for.
        let empty = form(&[]).replace("</x>", "<field var='with'/><field var='start'/></x>");
        assert_eq!(query(&mut alice, &empty).bodies(), ["one"]);
    });
}
