//! Open nodes as Atom feeds (RFC 4287), and those that are not open.

use std::time::{Duration, Instant};

use metronome_proto::ns::ATOM;
use metronome_proto::xml::{Content, Tree};
use metronome_testkit::{Answer, Browser, Client, Seen, WAIT, ask, online};

use crate::{get, is_missing, server};

const SERVICE: &str = "pubsub.localhost";
const BLOG: &str = "urn:xmpp:microblog:0";

#[track_caller]
fn set(client: &mut Client, to: &str, request: &str) -> Seen {
    let pubsub = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'>{request}</pubsub>");
    let answer = ask(client, "set", to, &pubsub);
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{answer}");
    answer
}

fn submit(kind: &str, fields: &[(&str, &str)]) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='pubsub#{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#{kind}</value></field>{fields}</x>"
    )
}

/// Makes a node with this configuration, or configures it.
#[track_caller]
fn create(client: &mut Client, to: &str, node: &str, fields: &[(&str, &str)]) {
    let form = submit("node_config", fields);
    set(client, to, &format!("<create node='{node}'/><configure>{form}</configure>"));
}

#[track_caller]
fn configure(client: &mut Client, to: &str, node: &str, fields: &[(&str, &str)]) {
    let form = submit("node_config", fields);
    let owner = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{node}'>{form}</configure></pubsub>"
    );
    let answer = ask(client, "set", to, &owner);
    assert_eq!(answer.attribute("type").as_deref(), Some("result"), "{answer}");
}

fn entry(inside: &str) -> String {
    format!("<entry xmlns='http://www.w3.org/2005/Atom'>{inside}</entry>")
}

#[track_caller]
fn publish(client: &mut Client, to: &str, node: &str, id: &str, payload: &str) {
    set(client, to, &format!("<publish node='{node}'><item id='{id}'>{payload}</item></publish>"));
}

/// A feed with the header fields that all have; it is well-formed and has what it must have.
#[track_caller]
fn feed(browser: &mut Browser, path: &str) -> (Answer, Tree) {
    let answer = get(browser, path);
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("application/atom+xml; charset=utf-8")),
        "{path}: {answer:?}"
    );
    assert!(answer.field("content-security-policy").unwrap().ends_with("sandbox"), "{answer:?}");
    assert!(answer.field("last-modified").unwrap().ends_with(" GMT"), "{answer:?}");
    let (_, root) = answer.text().split_once("?>\n").unwrap();
    let feed = Content::parse(root.as_bytes()).unwrap().child(ATOM, "feed").unwrap().tree();
    for tree in [&feed].into_iter().chain(feed.elements().filter(|element| element.is(ATOM, "entry"))) {
        for name in ["id", "title", "updated"] {
            assert_eq!(tree.elements().filter(|element| element.is(ATOM, name)).count(), 1, "{name}: {answer:?}");
        }
    }
    (answer, feed)
}

/// The titles of the entries, in their order.
fn titles(feed: &Tree) -> Vec<String> {
    let entries = feed.elements().filter(|element| element.is(ATOM, "entry"));
    entries.map(|entry| entry.get_child(ATOM, "title").unwrap().get_text()).collect()
}

#[test]
fn a_node_of_the_service_is_a_feed_with_the_newest_first() {
    let server = server("web.url = \"https://chat.example\"");
    let mut alice = online(&server, "alice", "phone");
    create(
        &mut alice,
        SERVICE,
        "news/of the day",
        &[("access_model", "open"), ("title", "Cats &amp; &lt;dogs&gt;"), ("max_items", "max")],
    );
    let mut browser = server.dial_as_browser().browse();
    let path = "/feeds/news~2fof%20the%20day";
    let (empty, nothing) = feed(&mut browser, path);
    assert!(titles(&nothing).is_empty());
    assert_eq!(nothing.get_child(ATOM, "title").unwrap().get_text(), "Cats & <dogs>");
    let text = empty.text();
    assert!(text.contains("rel='self' href='https://chat.example/feeds/news~2fof%20the%20day'"), "{text}");
    assert!(text.contains("<id>xmpp:pubsub.localhost?;node=news%2Fof%20the%20day</id>"), "{text}");
    for number in 1..=60 {
        publish(
            &mut alice,
            SERVICE,
            "news/of the day",
            &format!("p{number}"),
            &entry(&format!("<title>number {number}</title>")),
        );
    }
    let (_, full) = feed(&mut browser, path);
    let expected: Vec<String> = (11..=60).rev().map(|number| format!("number {number}")).collect();
    assert_eq!(titles(&full), expected, "the fifty newest");
    assert!(!get(&mut browser, path).text().contains("alice"), "who publishes is told by entries alone");
    assert_eq!(browser.ask_host(SERVICE, "GET", path, "").status, 200);
    assert_eq!(get(&mut browser, path).field("access-control-allow-origin"), Some("*"));
}

/// RFC 9110 section 13.1.2.
#[test]
fn who_has_a_feed_already_is_told_so_until_something_changes() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    create(&mut alice, SERVICE, "news", &[("access_model", "open")]);
    for id in ["one", "two"] {
        publish(&mut alice, SERVICE, "news", id, &entry(&format!("<title>{id}</title>")));
    }
    let mut browser = server.dial_as_browser().browse();
    let (first, _) = feed(&mut browser, "/feeds/news");
    let tag = first.field("etag").unwrap();
    let asked = format!("If-None-Match: \"x\", {tag}\r\n");
    let known = browser.ask("GET", "/feeds/news", &asked);
    assert_eq!((known.status, known.body.len(), known.field("etag")), (304, 0, Some(tag)));
    assert_eq!(browser.ask("HEAD", "/feeds/news", "").field("etag"), Some(tag));
    set(&mut alice, SERVICE, "<retract node='news'><item id='one'/></retract>");
    let after = browser.ask("GET", "/feeds/news", &asked);
    assert_eq!(after.status, 200);
    assert!(
        !after.text().contains("<title>one</title>") && after.text().contains("<title>two</title>"),
        "{}",
        after.text()
    );
}

/// XEP-0277.
#[test]
fn an_open_blog_is_a_feed_and_one_for_contacts_is_not_there() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut browser = server.dial_as_browser().browse();
    is_missing(&mut browser, "/blogs/alice");
    create(&mut alice, "", BLOG, &[("access_model", "presence")]);
    publish(&mut alice, "", BLOG, "p1", &entry("<title>hello</title><author><name>Alice</name></author>"));
    for nobody in
        ["/blogs/alice", "/blogs/bob", "/blogs/nobody", "/blogs/localhost", "/blogs/ALICE", "/blogs/alice@localhost"]
    {
        is_missing(&mut browser, nobody);
    }
    configure(&mut alice, "", BLOG, &[("access_model", "open")]);
    let (answer, blog) = feed(&mut browser, "/blogs/alice");
    assert_eq!(titles(&blog), ["hello"]);
    assert!(
        answer.text().contains("<id>xmpp:alice@localhost?;node=urn%3Axmpp%3Amicroblog%3A0</id>"),
        "{}",
        answer.text()
    );
    // Other nodes of the account are no blogs, and the service has none of its own.
    assert_eq!(browser.ask_host(SERVICE, "GET", "/blogs/alice", "").status, 404);
    is_missing(&mut browser, "/feeds/urn:xmpp:microblog:0");
    server.control().run("user lock", serde_json::json!({ "jid": "alice@localhost" }));
    is_missing(&mut browser, "/blogs/alice");
}

#[test]
fn nodes_that_are_not_open_are_not_there_and_an_administrator_can_do_without() {
    let open = server("");
    let mut alice = online(&open, "alice", "phone");
    create(&mut alice, SERVICE, "news", &[("access_model", "open")]);
    let mut browser = open.dial_as_browser().browse();
    feed(&mut browser, "/feeds/news");
    let nothing = get(&mut browser, "/feeds/nowhere").text().to_owned();
    for model in ["whitelist", "authorize", "presence", "roster"] {
        configure(&mut alice, SERVICE, "news", &[("access_model", model)]);
        let answer = get(&mut browser, "/feeds/news");
        assert_eq!((answer.status, answer.text()), (404, &*nothing), "{model}");
    }
    create(&mut alice, SERVICE, "all", &[("access_model", "open"), ("node_type", "collection")]);
    for path in [
        "/feeds/all",
        "/feeds/",
        "/feeds/news/",
        "/feeds/~",
        "/feeds/%2A",
        "/feeds/~2e~2e",
        "/feeds/urn:xmpp:pps:subscribers:0~2fnews",
    ] {
        is_missing(&mut browser, path);
    }
    let off = server("pubsub.feeds = false");
    let mut alice = online(&off, "alice", "phone");
    create(&mut alice, SERVICE, "news", &[("access_model", "open")]);
    is_missing(&mut off.dial_as_browser().browse(), "/feeds/news");
}

/// XEP-0060: what has expired is removed now and then, and nobody gets it until then either.
#[test]
fn what_has_expired_is_not_there() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut browser = server.dial_as_browser().browse();
    for (to, node, path) in [(SERVICE, "news", "/feeds/news"), ("", BLOG, "/blogs/alice")] {
        create(&mut alice, to, node, &[("access_model", "open"), ("item_expire", "1")]);
        publish(&mut alice, to, node, "one", &entry("<title>for a second</title>"));
        // Until XMPP has it no more; nothing was removed yet.
        let get = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='{node}'/></pubsub>");
        let to = if to.is_empty() { "alice@localhost" } else { to };
        let deadline = Instant::now() + WAIT;
        while ask(&mut alice, "get", to, &get).contains("for a second") {
            assert!(Instant::now() < deadline, "it expires");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(titles(&feed(&mut browser, path).1).is_empty(), "{path}");
    }
}

#[test]
fn nothing_that_runs_is_passed_on() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    create(&mut alice, SERVICE, "news", &[("access_model", "open")]);
    let trick = "&lt;script&gt;alert(1)&lt;/script&gt;";
    let inside = format!(
        "<title>{trick}</title><link href='javascript:alert(1)'/><script xmlns='http://www.w3.org/1999/xhtml'>alert(2)</script>\
         <content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p onclick='alert(3)'>text<script>alert(4)</script>\
         <a href='javascript:alert(5)'>link</a><iframe src='https://example.org'/></p></div></content>"
    );
    publish(&mut alice, SERVICE, "news", "&lt;id&gt;", &entry(&inside));
    publish(&mut alice, SERVICE, "news", "other", "<script xmlns='http://www.w3.org/1999/xhtml'>alert(6)</script>");
    let mut browser = server.dial_as_browser().browse();
    let (answer, news) = feed(&mut browser, "/feeds/news");
    assert_eq!(titles(&news), ["other", "<script>alert(1)</script>"]);
    let text = answer.text();
    assert!(!text.contains("<script") && !text.contains("onclick") && !text.contains("javascript:"), "{text}");
    assert!(!text.contains("iframe") && text.contains("<a>link</a>"), "{text}");
    assert!(text.contains("<content>alert(6)</content>"), "the text of another payload is text: {text}");
}
