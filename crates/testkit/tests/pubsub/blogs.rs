//! Microblogs (XEP-0277): posts that strangers read, comments that they write, and subscribers who hear of both.

use metronome_testkit::{Client, Server, World, ask, condition};

use crate::{get, publish_options, refused, set, submit};

const BLOG: &str = "urn:xmpp:microblog:0";
const COMMENTS: &str = "urn:xmpp:microblog:0:comments/post-1";

fn online(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client.send("<presence/>");
    client.so_far();
    client
}

fn post(id: &str, text: &str) -> String {
    format!(
        "<item id='{id}'><entry xmlns='http://www.w3.org/2005/Atom'><title type='text'>{text}</title>\
         <id>tag:a.example,2026:{id}</id><updated>2026-01-01T00:00:00Z</updated>\
         <link rel='replies' title='comments' href='xmpp:alice@a.example?;node=urn%3Axmpp%3Amicroblog%3A0%3Acomments%2F{id}'/>\
         </entry></item>"
    )
}

/// XEP-0277 sections 2 and 3: a blog that everybody may read, with a node for the comments on each post that everybody may write to.
#[test]
fn strangers_read_posts_and_write_comments() {
    let world = World::new();
    let (a, b) = (world.server("a.example", "alice", ""), world.server("b.example", "bob", ""));
    let (mut alice, mut bob) = (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"));
    let open = publish_options(&[("pubsub#access_model", "open"), ("pubsub#persist_items", "true")]);
    set(&mut alice, "", &format!("<publish node='{BLOG}'>{}</publish>{open}", post("post-1", "hello world")));
    let config = submit("node_config", &[("pubsub#access_model", "open"), ("pubsub#publish_model", "open")]);
    set(&mut alice, "", &format!("<create node='{COMMENTS}'/><configure>{config}</configure>"));
    let posts = get(&mut bob, "alice@a.example", &format!("<items node='{BLOG}'/>"));
    assert!(posts.contains("hello world") && posts.contains("rel='replies'"), "{posts}");
    set(&mut bob, "alice@a.example", &format!("<subscribe node='{BLOG}' jid='bob@b.example'/>"));
    set(&mut bob, "alice@a.example", &format!("<publish node='{COMMENTS}'>{}</publish>", post("c1", "a comment")));
    assert!(get(&mut alice, "", &format!("<items node='{COMMENTS}'/>")).contains("a comment"));
    set(&mut alice, "", &format!("<publish node='{BLOG}'>{}</publish>", post("post-2", "a second one")));
    assert!(bob.wait_for("<message from='alice@a.example'").contains("a second one"));
    // A comment is its author's and the owner's; a post is the owner's alone.
    let retract = |node: &str, id: &str| format!("<retract node='{node}'><item id='{id}'/></retract>");
    refused(&mut bob, "set", "alice@a.example", &retract(BLOG, "post-1"), "forbidden");
    refused(
        &mut bob,
        "set",
        "alice@a.example",
        &format!("<publish node='{BLOG}'>{}</publish>", post("x", "mine")),
        "forbidden",
    );
    set(&mut bob, "alice@a.example", &retract(COMMENTS, "c1"));
    assert!(!get(&mut alice, "", &format!("<items node='{COMMENTS}'/>")).contains("a comment"));
    let delete = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='{BLOG}'/></pubsub>");
    assert_eq!(condition(&ask(&mut bob, "set", "alice@a.example", &delete)), "forbidden");
}
