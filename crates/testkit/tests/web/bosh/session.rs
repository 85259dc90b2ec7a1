//! A scripted client of BOSH: it says when it asks and with which numbers.

use metronome_testkit::{Browser, Dial, Seen, base64};

/// So that a login is one request.
pub(super) const MECHANISMS: &str = "auth.mechanisms = [\"SCRAM-SHA-256\", \"PLAIN\"]";

/// How a client says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// With POST.
    Posts,
    /// In addresses (XEP-0252).
    Scripts,
    /// In addresses that name a function.
    Names,
}

/// A session, and the connection that it is on now.
pub(super) struct Bosh {
    pub(super) browser: Browser,
    pub(super) sid: String,
    pub(super) rid: u64,
    manner: Manner,
}

impl Bosh {
    /// A session on this connection whose next number is one higher.
    pub(super) fn of(browser: Browser, sid: &str, rid: u64) -> Bosh {
        Bosh { browser, sid: sid.to_owned(), rid, manner: Manner::Posts }
    }

    /// The same session on another connection.
    pub(super) fn on(&self, browser: Browser) -> Bosh {
        Bosh { browser, sid: self.sid.clone(), rid: self.rid, manner: self.manner }
    }

    /// A session, and what was said to its first request.
    pub(super) fn begin(dial: &Dial, inside: &str) -> (Bosh, Seen) {
        Bosh::begin_in(Manner::Posts, dial, inside)
    }

    /// The same in this manner.
    pub(super) fn begin_in(manner: Manner, dial: &Dial, inside: &str) -> (Bosh, Seen) {
        let mut bosh = Bosh { manner, ..Bosh::of(dial.browse_tls(), "", 1_000_000) };
        let first = format!(
            "<body rid='1000000' {inside} ver='1.6' xmlns='http://jabber.org/protocol/httpbind' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>"
        );
        bosh.send(&first);
        let answer = bosh.answer();
        bosh.sid = answer.attribute("sid").unwrap_or_default();
        (bosh, answer)
    }

    pub(super) fn send(&mut self, body: &str) {
        let request = match self.manner {
            Manner::Posts => {
                let length = body.len();
                format!(
                    "POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
                )
            }
            Manner::Scripts => format!("GET /http-bind?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", escaped(body)),
            Manner::Names => {
                let body = escaped(body);
                format!("GET /http-bind?callback=page.told&data={body}&_=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            }
        };
        assert!(self.browser.send(request.as_bytes()));
    }

    pub(super) fn answer(&mut self) -> Seen {
        let answer = self.browser.answer("POST");
        let content = if self.manner == Manner::Posts { "text/xml" } else { "text/javascript" };
        let content = format!("{content}; charset=utf-8");
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(&*content)), "{answer:?}");
        let text = answer.text();
        let inside = |before: &str, behind: &str| {
            let inside = text.strip_prefix(before).and_then(|text| text.strip_suffix(behind));
            serde_json::from_str::<String>(inside.unwrap_or_else(|| panic!("{text}"))).expect("a string")
        };
        Seen::new(match self.manner {
            Manner::Posts => text.to_owned(),
            Manner::Scripts => inside("_BOSH_(", ")"),
            Manner::Names => inside("page.told({\"reply\": ", "});"),
        })
    }

    pub(super) fn wrapped(&mut self, inside: &str, payload: &str) -> String {
        self.rid += 1;
        self.wrapped_as(self.rid, inside, payload)
    }

    /// A request with this number; the session's own stays.
    pub(super) fn wrapped_as(&self, rid: u64, inside: &str, payload: &str) -> String {
        let sid = &self.sid;
        format!("<body rid='{rid}' sid='{sid}' xmlns='http://jabber.org/protocol/httpbind' {inside}>{payload}</body>")
    }

    pub(super) fn say(&mut self, inside: &str, payload: &str) -> Seen {
        let body = self.wrapped(inside, payload);
        self.send(&body);
        self.answer()
    }

    /// The next answer with something in it; asks until there is one.
    pub(super) fn until(&mut self, what: &str, mut seen: Seen) -> Seen {
        while !seen.contains(what) {
            assert!(!seen.contains("terminate"), "waiting for {what}: {seen}");
            seen = self.say("", "");
        }
        seen
    }

    pub(super) fn log_in(dial: &Dial, username: &str) -> Bosh {
        Bosh::log_in_with(Manner::Posts, dial, username, "")
    }

    /// Logs in, with these attributes in the first request besides.
    pub(super) fn log_in_with(manner: Manner, dial: &Dial, username: &str, inside: &str) -> Bosh {
        let (mut bosh, first) = Bosh::begin_in(manner, dial, &format!("to='localhost' wait='60' hold='1' {inside}"));
        assert!(first.contains("restartlogic='true'") && first.contains("<stream:features"), "{first}");
        assert!(!first.contains("starttls") && !first.contains("-PLUS"), "{first}");
        let proof = base64(format!("\0{username}\0{username}-secret"));
        let auth = format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{proof}</auth>");
        let answer = bosh.say("", &auth);
        assert!(answer.contains("<success "), "{answer}");
        let restart = "to='localhost' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'";
        let features = bosh.say(restart, "");
        assert!(features.contains("urn:ietf:params:xml:ns:xmpp-bind"), "{features}");
        bosh
    }

    pub(super) fn bound(dial: &Dial, username: &str) -> Bosh {
        Bosh::bound_with(Manner::Posts, dial, username, "")
    }

    /// Logs in and binds a resource.
    pub(super) fn bound_with(manner: Manner, dial: &Dial, username: &str, inside: &str) -> Bosh {
        let mut bosh = Bosh::log_in_with(manner, dial, username, inside);
        // Without a namespace, as many clients have it.
        let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>bosh</resource></bind></iq>";
        let answer = bosh.say("", bind);
        assert!(answer.contains(&format!("<jid>{username}@localhost/bosh</jid>")), "{answer}");
        bosh
    }

    /// Is available, and has seen that it is.
    pub(super) fn available(&mut self) {
        let seen = self.say("", "<presence xmlns='jabber:client'/>");
        self.until("<presence ", seen);
    }
}

/// As it stands in an address (RFC 3986).
fn escaped(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
