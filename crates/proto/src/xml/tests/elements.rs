//! What an accepted element says: names, namespaces, text, and that its children stand alone.

use super::*;
use crate::ns;

fn element(input: &str) -> Element {
    let (mut items, error) = in_stream(input.as_bytes());
    assert_eq!((items.len(), error), (2, None), "{input}");
    let Some(Item::Element(element)) = items.pop() else { panic!("{items:?}") };
    element
}

fn names(element: &Element) -> Vec<String> {
    element.children().map(|child| format!("{{{}}}{}", child.ns(), child.name())).collect()
}

#[test]
fn a_message_is_read_where_it_lies() {
    let message =
        element("<message to='a&amp;b' xml:lang='de'><body>x &lt; y</body><x xmlns='urn:x' z='1'><y/></x></message>");
    assert!(message.is(ns::CLIENT, "message"));
    assert_eq!((message.attr("to").unwrap(), message.attr("from")), ("a&b".into(), None));
    assert_eq!(message.lang().unwrap(), "de");
    assert_eq!(names(&message), ["{jabber:client}body", "{urn:x}x"]);
    assert_eq!(message.child(ns::CLIENT, "body").unwrap().text(), "x < y");
    assert_eq!(message.child("urn:x", "x").unwrap().attr("z").unwrap(), "1");
    assert_eq!(message.child("urn:x", "x").unwrap().child("urn:x", "y").unwrap().name(), "y");
    assert!(message.child(ns::CLIENT, "x").is_none());
}

#[test]
fn text_is_joined_around_cdata_and_children() {
    let element = element("<a>1<![CDATA[<2>]]>&#51;<b>no</b>\r\n4</a>");
    assert_eq!(element.text(), "1<2>3\n4");
    assert_eq!(element.tree().get_text(), "1<2>3\n4");
}

#[test]
fn a_prefix_on_the_stanza_changes_nothing_inside() {
    let plain = element("<message><body>x</body><y xmlns='urn:y'><z/></y></message>");
    for odd in [
        "<c:message xmlns:c='jabber:client'><c:body>x</c:body><y xmlns='urn:y'><z/></y></c:message>",
        "<c:message xmlns:c='jabber:client' xmlns='urn:y'><c:body>x</c:body><y><z/></y></c:message>",
        "<message xmlns:q='urn:y' xmlns='jabber:client'><body>x</body><q:y><q:z/></q:y></message>",
        "<message xmlns:q='urn:y' xmlns:r='urn:y'><body>x</body><q:y><r:z/></q:y></message>",
        "<message xmlns='jabber:client'><body>x</body><y xmlns='&#117;rn:y'><z/></y></message>",
    ] {
        let content = element(odd).into_content();
        let reread = Content::parse(content.bytes()).unwrap();
        let trees = |content: &Content| content.iter().map(|child| child.tree()).collect::<Vec<_>>();
        assert_eq!(trees(&content), trees(&plain.clone().into_content()), "{odd}");
        assert_eq!(trees(&reread), trees(&content), "{odd}");
        assert!(content.has("urn:y", "y") && content.has(ns::CLIENT, "body"), "{odd}");
    }
}

#[test]
fn a_prefix_of_the_stream_is_declared_where_it_is_used() {
    let message = element("<message><stream:x stream:y='1'/><body>stream:</body></message>");
    assert_eq!(names(&message), [format!("{{{}}}x", ns::STREAMS), "{jabber:client}body".into()]);
    let error = element("<stream:error><x xmlns='urn:x'/></stream:error>");
    assert!(error.is(ns::STREAMS, "error"));
    assert_eq!(names(&error), ["{urn:x}x"]);
}

#[test]
fn declarations_are_not_multiplied_without_bound() {
    let uri = "u".repeat(1000);
    let children = |times| format!("<m xmlns:p='{uri}'>{}</m>", "<p:a/>".repeat(times));
    assert_eq!(element(&children(3)).children().count(), 3);
    let (_, error) = in_stream(children(4).as_bytes());
    assert_eq!(error, Some(XmlError::Limit("declarations around the children")));
}

#[test]
fn children_beyond_the_index_are_found() {
    let children: String = (0..500).map(|n| format!("<c{n} xmlns='urn:{n}'>{n}<i/></c{n}> ")).collect();
    let content = element(&format!("<m>{children}</m>")).into_content();
    assert_eq!((content.count(), content.iter().count()), (500, 500));
    assert_eq!(content.child("urn:499", "c499").unwrap().text(), "499");
    assert!(!content.has("urn:500", "c500"));
    let without = content.without(|child| child.name() == "c400");
    assert_eq!(without.count(), 499);
    assert!(without.has("urn:499", "c499") && !without.has("urn:400", "c400"));
}

#[test]
fn dropping_nothing_copies_nothing() {
    let content = element("<m>a<b/>c<d/>e</m>").into_content();
    let before = content.bytes().as_ptr();
    let content = content.without(|child| child.name() == "x");
    assert_eq!(content.bytes().as_ptr(), before);
    let content = content.without(|child| child.name() == "b");
    assert_eq!(&content.bytes()[..], b"ac<d/>e");
    assert_eq!(content.text(), "ace");
}

#[test]
fn content_cannot_break_out_of_its_element() {
    for bytes in ["</x><x>", "<a>", "</a>", "<a/></x>", "&foo;", "\0", "<!--", "<p:a/>", "]]>"] {
        assert_eq!(Content::parse(bytes.as_bytes()), Err(NotContent), "{bytes}");
    }
    assert_eq!(Content::parse(b"a<b/>").map(|content| content.count()), Ok(1));
}

#[test]
fn trees_are_built_and_written_by_one_escaper() {
    let tree = Tree::new("urn:a'b", "q")
        .attr("k", "<\n'")
        .attr_opt("none", None::<&str>)
        .child(Tree::new("urn:a'b", "in").text("x]]>&"))
        .child(Tree::new("", "out"))
        .text("\r");
    let xml = String::from_utf8(tree.to_vec(ns::CLIENT)).unwrap();
    assert_eq!(xml, "<q xmlns='urn:a&apos;b' k='&lt;&#10;&apos;'><in>x]]&gt;&amp;</in><out xmlns=''/>&#13;</q>");
    assert_eq!(element(&xml).tree(), tree);
}

/// Contents put behind each other are what reading their bytes gives, and what is found in them is the same.
#[test]
fn contents_are_put_behind_each_other_without_another_look() {
    let many = "<m/>".repeat(70);
    let texts = ["", "<a/>", " x <body>b</body><q xmlns='urn:q'>t</q>y", "<o xmlns='urn:&lt;o'/>", &many];
    for one in texts {
        for other in texts {
            let read = |text: &str| Content::parse(text.as_bytes()).unwrap();
            let (joined, whole) = (read(one).and(&read(other)), read(&format!("{one}{other}")));
            assert_eq!(joined, whole);
            let children = |content: &Content| content.iter().map(|child| child.tree()).collect::<Vec<_>>();
            assert_eq!(children(&joined), children(&whole), "{one} {other}");
            assert_eq!(joined.count(), whole.count());
            for (ns, name) in [(ns::CLIENT, "body"), ("urn:q", "q"), ("urn:<o", "o"), (ns::CLIENT, "a")] {
                assert_eq!(joined.has(ns, name), whole.has(ns, name), "{one} {other} {name}");
            }
            let tree = Tree::new("urn:t", "t").text("x");
            assert_eq!(joined.with(&tree), read(&format!("{one}{other}<t xmlns='urn:t'>x</t>")));
        }
    }
}

#[test]
fn the_header_is_handed_over_as_it_was_sent() {
    let (items, _) = in_stream(b"");
    let [Item::Open(header)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((&*header.prefix, &*header.name, &*header.ns), ("stream", "stream", ns::STREAMS));
    assert_eq!(header.default_ns.as_deref(), Some(ns::CLIENT));
    assert_eq!((header.to.as_deref(), header.version.as_deref()), (Some("x"), Some("1.0")));
}

#[test]
fn elements_are_small_enough_to_be_moved() {
    assert!(size_of::<Element>() <= 216, "{}", size_of::<Element>());
    assert!(size_of::<Content>() <= 200, "{}", size_of::<Content>());
    assert!(size_of::<Scanner>() <= 144, "{}", size_of::<Scanner>());
}
