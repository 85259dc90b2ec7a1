//! Who gets a slot, for what, and what they are told who do not (XEP-0363 sections 3 to 6).

use std::time::{SystemTime, UNIX_EPOCH};

use metronome_testkit::{Client, Component, Seen, Server, ask, condition};

use crate::{INFO, SERVICE, Slot, eventually, get, put, request, server, setup, slot, upload};

const ITEMS: &str = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
const PURPOSE: &str = "urn:xmpp:http:upload:purpose:0";

/// Type and condition of an error.
#[track_caller]
fn error(seen: &Seen) -> String {
    let condition = condition(seen);
    format!("{} {condition}", seen.attribute_of("error", "type").unwrap_or_default())
}

#[test]
fn the_service_is_found_with_what_it_takes() {
    let server = setup("upload.size = \"5 MiB\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let items = ask(&mut alice, "get", "localhost", ITEMS);
    assert!(items.contains("<item jid='upload.localhost' name='HTTP File Upload'/>"), "{items}");
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(info.contains("<identity category='store' type='file' name='HTTP File Upload'/>"), "{info}");
    for feature in ["urn:xmpp:http:upload:0", "http://jabber.org/protocol/disco#info"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{info}");
    }
    for purpose in ["message", "profile", "ephemeral", "permanent"] {
        assert!(info.contains(&format!("<feature var='{PURPOSE}#{purpose}'/>")), "{info}");
    }
    assert!(info.contains("<value>urn:xmpp:http:upload:0</value>"), "{info}");
    assert!(info.contains("var='max-file-size'") && info.contains("<value>5242880</value>"), "{info}");
}

#[test]
fn where_there_is_no_web_server_nothing_is_announced() {
    let server = metronome_testkit::Setup::default().store(metronome_testkit::Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(!ask(&mut alice, "get", "localhost", ITEMS).contains(SERVICE));
    let info = ask(&mut alice, "get", SERVICE, INFO);
    assert!(!info.contains("urn:xmpp:http:upload"), "{info}");
    assert_eq!(error(&request(&mut alice, "filename='a' size='1'", "")), "cancel service-unavailable");
}

#[test]
fn a_file_too_large_is_refused_with_the_number() {
    let server = setup("upload.size = \"20000 B\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let refused = request(&mut alice, "filename='a.jpg' size='20001' content-type='image/jpeg'", "");
    assert_eq!(error(&refused), "modify not-acceptable");
    assert!(refused.contains("File too large. The maximum file size is 20000 bytes"), "{refused}");
    let most = "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size></file-too-large>";
    assert!(refused.contains(most), "{refused}");
    slot(&mut alice, "a.jpg", 20000, "image/jpeg");
}

#[test]
fn a_quota_counts_files_and_slots_and_says_when_there_is_room() {
    let server = setup("[upload]\nsize = \"10 KiB\"\nquota = \"10 KiB\"\nkeep = \"1 h\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    upload(&server, &mut alice, "a.bin", "application/octet-stream", &[1; 6000]);
    slot(&mut alice, "b.bin", 3000, "application/octet-stream");
    let refused = request(&mut alice, "filename='c.bin' size='3000'", "");
    assert_eq!(error(&refused), "wait resource-constraint");
    assert!(refused.contains("Quota reached"), "{refused}");
    assert!(refused.contains("<retry xmlns='urn:xmpp:http:upload:0' stamp='20"), "{refused}");
    let mut bob = Client::login(&server, "bob", "phone");
    slot(&mut bob, "c.bin", 3000, "application/octet-stream");
    let profile = format!("<profile xmlns='{PURPOSE}'/>");
    Slot::read(&request(&mut alice, "filename='me.png' size='3000'", &profile));
}

#[test]
fn all_together_have_a_limit_as_well() {
    let server = setup("upload.total = \"10 KiB\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    upload(&server, &mut alice, "a.bin", "application/octet-stream", &[1; 6000]);
    let mut bob = Client::login(&server, "bob", "phone");
    slot(&mut bob, "b.bin", 3000, "application/octet-stream");
    assert_eq!(error(&request(&mut bob, "filename='c.bin' size='3000'", "")), "wait resource-constraint");
    let server = setup("upload.free = \"1000000 GiB\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    assert_eq!(error(&request(&mut alice, "filename='c.bin' size='1'", "")), "wait resource-constraint");
}

#[test]
fn only_so_many_files_are_uploaded_in_a_while() {
    let server = setup("upload.rate = \"2/h\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    slot(&mut alice, "a.png", 1, "image/png");
    slot(&mut alice, "b.png", 1, "image/png");
    let refused = request(&mut alice, "filename='c.png' size='1'", "");
    assert_eq!(error(&refused), "wait resource-constraint");
    assert!(refused.contains("<retry xmlns='urn:xmpp:http:upload:0' stamp="), "{refused}");
}

#[test]
fn types_may_be_limited() {
    let server = setup("upload.types = [\"image/*\", \"text/plain\"]").start();
    let mut alice = Client::login(&server, "alice", "phone");
    slot(&mut alice, "a.png", 1, "image/png");
    slot(&mut alice, "a.txt", 1, "Text/Plain; charset=utf-8");
    let refused = request(&mut alice, "filename='a.html' size='1' content-type='text/html'", "");
    assert_eq!(error(&refused), "modify not-acceptable");
    // Whoever does not say the type is asked for it with the file.
    let unsaid = Slot::read(&request(&mut alice, "filename='a' size='1'", ""));
    assert_eq!(put(&server, &unsaid, "text/html", b"x").status, 415);
    assert_eq!(put(&server, &unsaid, "image/gif", b"x").status, 201);
    assert_eq!(get(&server, &unsaid.path).field("content-type"), Some("image/gif"));
}

#[test]
fn what_is_asked_for_must_be_a_file() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let long = format!("filename='{}' size='1'", "x".repeat(2000));
    for wrong in [
        "",
        "filename='a'",
        "size='1'",
        "filename='a' size='0'",
        "filename='a' size='-1'",
        "filename='a' size='1e3'",
        "filename='' size='1'",
        "filename='a' size='1' content-type='png'",
        "filename='a' size='1' content-type='image/png&#10;X-Evil: 1'",
        &long,
    ] {
        assert_eq!(error(&request(&mut alice, wrong, "")), "modify bad-request", "{wrong:.60}");
    }
    let huge = request(&mut alice, "filename='a' size='99999999999999999999999999'", "");
    assert_eq!(error(&huge), "modify not-acceptable");
    for wrong in
        ["<story xmlns='urn:xmpp:http:upload:purpose:0'/>", "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0'/>"]
    {
        assert_eq!(error(&request(&mut alice, "filename='a' size='1'", wrong)), "modify bad-request", "{wrong}");
    }
    let set = "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>";
    assert_eq!(error(&ask(&mut alice, "set", SERVICE, set)), "cancel service-unavailable");
}

#[test]
fn a_name_is_shown_and_leads_nowhere() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    for (name, shown) in [
        ("../../../etc/passwd", "passwd"),
        ("..", "file"),
        ("C:\\autoexec.bat", "autoexec.bat"),
        ("a%2e%2e%2f.png", "a_2e_2e_2f.png"),
        ("&lt;script&gt;.png", "%3Cscript%3E.png"),
        ("a\u{202e}gpj.exe", "agpj.exe"),
    ] {
        let slot = upload(&server, &mut alice, name, "application/octet-stream", b"x");
        assert_eq!(slot.path.split('/').nth(3), Some(shown), "{name}");
        assert_eq!(get(&server, &slot.path).text(), "x");
    }
}

#[test]
fn a_purpose_decides_how_long_a_file_stays() {
    let server = setup("upload.permanent.quota = \"0 B\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    assert!(!ask(&mut alice, "get", SERVICE, INFO).contains("#permanent"));
    let permanent = format!("<permanent xmlns='{PURPOSE}'/>");
    assert_eq!(error(&request(&mut alice, "filename='a' size='1'", &permanent)), "modify not-acceptable");
    let over = format!("<ephemeral xmlns='{PURPOSE}' expire-before='2020-01-01T00:00:00Z'/>");
    assert_eq!(error(&request(&mut alice, "filename='a' size='1'", &over)), "modify not-acceptable");
    let message = format!("<message xmlns='{PURPOSE}'/>");
    Slot::read(&request(&mut alice, "filename='a' size='1'", &message));
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64 + 2000;
    let soon = metronome_proto::payload::delay::format_time(soon as i64);
    let story = format!("<ephemeral xmlns='{PURPOSE}' expire-before='{soon}'/>");
    let slot = Slot::read(&request(&mut alice, "filename='story.png' size='1' content-type='image/png'", &story));
    assert_eq!(put(&server, &slot, "image/png", b"x").status, 201);
    eventually("a story is over", || get(&server, &slot.path).status == 404);
}

#[test]
fn browsers_keep_a_file_no_longer_than_it_is_there() {
    let server = setup("upload.keep = \"1 h\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "a.png", "image/png", b"x");
    let answer = get(&server, &slot.path);
    let kept =
        answer.field("cache-control").and_then(|kept| kept.split("max-age=").nth(1)?.split(',').next()?.parse().ok());
    assert!(kept.is_some_and(|kept: u64| (3000..=3600).contains(&kept)), "{answer:?}");
}

#[test]
fn files_are_over_when_their_time_is_and_are_removed() {
    let server = setup("upload.keep = \"1 s\"").start();
    let mut alice = Client::login(&server, "alice", "phone");
    let slot = upload(&server, &mut alice, "a.png", "image/png", b"x");
    eventually("a file is over", || get(&server, &slot.path).status == 404);
    assert_eq!(crate::names(&server, "files").len(), 1);
    let removed = server.control().run("upload expire", serde_json::json!({}));
    assert_eq!(removed, "1 files were removed, 1 B");
    assert_eq!(crate::names(&server, "files").len() + crate::names(&server, "of").len(), 0);
}

fn with_others() -> Server {
    let options = "auth.mechanisms = [\"SCRAM-SHA-256\", \"ANONYMOUS\"]";
    setup(options).domain("b.example").account("dave@b.example").component("gateway.example").start()
}

#[test]
fn accounts_of_the_domain_have_files_and_nobody_else() {
    let server = with_others();
    let wanted = "<request xmlns='urn:xmpp:http:upload:0' filename='a' size='1'/>";
    let mut dave = server.dial().domain("b.example").direct();
    dave.log_in("dave", "phone");
    assert_eq!(error(&ask(&mut dave, "get", SERVICE, wanted)), "auth forbidden");
    assert!(ask(&mut dave, "get", "upload.b.example", wanted).contains("https://b.example:"));
    let mut guest = server.dial().direct();
    guest.open();
    guest.auth("ANONYMOUS", b"");
    guest.expect("<success");
    guest.open();
    guest.bind("");
    assert_eq!(error(&ask(&mut guest, "get", SERVICE, wanted)), "auth forbidden");
    let mut gateway = Component::connect(&server, "gateway.example");
    let refused = gateway.ask("x@gateway.example", SERVICE, "get", wanted);
    assert!(refused.contains("<forbidden"), "{refused}");
}
