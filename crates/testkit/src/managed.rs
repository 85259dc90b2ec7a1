//! Stream management (XEP-0198) as a client sees it.

use crate::{Client, Seen, Server};

/// The namespace of the elements.
const SM: &str = "urn:xmpp:sm:3";

impl Client {
    /// Enables stream management with resumption; answers the name of the stream.
    #[track_caller]
    pub fn enable(&mut self) -> String {
        self.send(&format!("<enable xmlns='{SM}' resume='true'/>"));
        let enabled = self.expect(&format!("<enabled xmlns='{SM}' resume='true'"));
        enabled.attribute("id").unwrap_or_else(|| self.fail("a stream that can be resumed has a name"))
    }

    /// Asks how many stanzas the server has handled; what comes before the answer is answered as well.
    #[track_caller]
    pub fn handled(&mut self) -> (u32, Vec<Seen>) {
        self.send(&format!("<r xmlns='{SM}'/>"));
        let mut before = Vec::new();
        loop {
            let seen = self.next_piece();
            if seen.fits(&format!("<a xmlns='{SM}'")) {
                let h = seen.attribute("h").and_then(|h| h.parse().ok());
                return (h.unwrap_or_else(|| self.fail("an answer has a number")), before);
            }
            before.push(seen);
        }
    }

    /// Says how many stanzas this client has had.
    #[track_caller]
    pub fn acknowledge(&mut self, h: u32) {
        self.send(&format!("<a xmlns='{SM}' h='{h}'/>"));
    }

    /// Connects, logs in, and resumes the stream of this name, of which `h` stanzas were had. Answers the new connection and how many
    /// stanzas the server has handled.
    #[track_caller]
    pub fn resume(server: &Server, username: &str, previd: &str, h: u32) -> (Client, u32) {
        Client::direct_tls(server).resumes(username, previd, h)
    }

    /// Logs in on this connection and resumes the stream of this name on it.
    #[track_caller]
    pub fn resumes(mut self, username: &str, previd: &str, h: u32) -> (Client, u32) {
        self.authenticate(username);
        let handled = self.takes_up(previd, h);
        (self, handled)
    }

    /// Resumes the stream of this name on this connection, which is logged in; answers how many stanzas the server has handled.
    #[track_caller]
    pub fn takes_up(&mut self, previd: &str, h: u32) -> u32 {
        self.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='{h}'/>"));
        let resumed = self.expect(&format!("<resumed xmlns='{SM}' previd='{previd}'"));
        let handled = resumed.attribute("h").and_then(|h| h.parse().ok());
        handled.unwrap_or_else(|| self.fail("there is a number"))
    }
}
