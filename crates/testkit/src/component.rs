//! The scripted component (XEP-0114): proves itself, and then sends and expects raw XML as a client does.

use std::ops::{Deref, DerefMut};

use metronome_sasl::component_proof;

use crate::client::{Client, STREAMS};
use crate::seen::Seen;
use crate::server::Server;

/// What the components of a [`crate::Setup`] prove themselves by.
pub const SECRET: &str = "a <secret> & more";

/// A component with a stream. Dropped, it closes the connection without a word.
pub struct Component {
    client: Client,
    domain: String,
    pings: u32,
}

impl Component {
    /// Connects in clear text and proves itself.
    #[track_caller]
    pub fn connect(server: &Server, domain: &str) -> Component {
        Component::prove(server.dial_as_component().clear(), domain)
    }

    /// The same with TLS from the first byte.
    #[track_caller]
    pub fn direct_tls(server: &Server, domain: &str) -> Component {
        Component::prove(server.dial_as_component().direct(), domain)
    }

    /// The header by which a component opens its stream.
    pub fn header(domain: &str) -> String {
        format!("<stream:stream xmlns='jabber:component:accept' xmlns:stream='{STREAMS}' to='{domain}'>")
    }

    /// Opens a stream and says the proof that follows from a secret; what is answered is to be expected.
    #[track_caller]
    pub fn open(client: &mut Client, domain: &str, secret: &str) {
        client.send(&Component::header(domain));
        let header = client.expect(&format!("<stream:stream xmlns='jabber:component:accept' from='{domain}'"));
        let id = header.attribute("id").expect("the header has an id");
        client.send(&format!("<handshake>{}</handshake>", component_proof(&id, secret).expose()));
    }

    #[track_caller]
    fn prove(mut client: Client, domain: &str) -> Component {
        Component::open(&mut client, domain, SECRET);
        client.expect("<handshake>");
        client.name = domain.to_owned();
        Component { client, domain: domain.to_owned(), pings: 0 }
    }

    /// Pings the server and demands that nothing else comes before the answer. Meanwhile everything sent before is taken.
    #[track_caller]
    pub fn nothing_before_ping(&mut self) {
        self.pings += 1;
        let (domain, id) = (self.domain.clone(), format!("nothing-{}", self.pings));
        self.send(&format!(
            "<iq type='get' id='{id}' from='{domain}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        self.expect(&format!("<iq type='result' id='{id}'"));
    }

    /// Sends a request from this address of the component and answers what answers it; what comes before is passed over.
    #[track_caller]
    pub fn ask(&mut self, from: &str, to: &str, kind: &str, payload: &str) -> Seen {
        self.send(&format!("<iq type='{kind}' id='ask' from='{from}' to='{to}'>{payload}</iq>"));
        self.wait_for("<iq id='ask'")
    }
}

impl Deref for Component {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Component {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
