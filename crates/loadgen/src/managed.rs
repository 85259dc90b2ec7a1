//! Stream management as a client does it (XEP-0198): what is counted on a stream and outlives its connections.
//! Called by `client`; keeps what was sent and not acknowledged, and what the server did wrong.

use std::collections::VecDeque;

use crate::frames::attribute;

/// A stanza that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) stanza: String,
    /// Its number, if it is a message that is counted.
    pub(crate) number: Option<u64>,
}

/// A stream under management.
#[derive(Debug, Default)]
pub(crate) struct Managed {
    /// How the stream is called; none before `<enabled/>`.
    name: Option<String>,
    /// Stanzas received, modulo 2^32.
    received: u32,
    /// Stanzas acknowledged by the server, modulo 2^32.
    acknowledged: u32,
    unacknowledged: VecDeque<Sent>,
    /// Sent on an earlier stream that is over: whether they were handled nobody has told.
    uncertain: Vec<Sent>,
    asked: bool,
    /// Numbers of acknowledged messages that were not taken yet.
    confirmed: Vec<u64>,
    /// Streams that were resumed.
    pub(crate) resumed: u64,
    /// Streams that could not be resumed.
    pub(crate) failed: u64,
    /// What the server must not do, and did.
    pub(crate) violations: Vec<String>,
}

impl Managed {
    /// The name and the count to resume the stream with.
    pub(crate) fn to_resume(&self) -> Option<(&str, u32)> {
        self.name.as_deref().map(|name| (name, self.received))
    }

    /// `<enabled/>`: a stream begins, with `name` if it can be resumed.
    pub(crate) fn begin(&mut self, name: Option<&str>) {
        self.over();
        self.name = name.map(str::to_owned);
    }

    /// The stream is over: what was not acknowledged is uncertain from here on.
    pub(crate) fn over(&mut self) {
        let left = self.unacknowledged.drain(..);
        self.uncertain.extend(left);
        (self.name, self.received, self.acknowledged, self.asked) = (None, 0, 0, false);
    }

    /// `<resumed/>`: the server has handled `h` stanzas. Returns the text of all others, which are to be sent once more.
    pub(crate) fn resume(&mut self, h: u32) -> String {
        self.resumed += 1;
        self.asked = false;
        self.acknowledge(h);
        self.unacknowledged.iter().map(|sent| sent.stanza.as_str()).collect()
    }

    /// `<failed/>`.
    pub(crate) fn fail(&mut self) {
        self.failed += 1;
        self.over();
    }

    /// Notes what is about to be sent.
    pub(crate) fn send(&mut self, sent: Sent) {
        self.unacknowledged.push_back(sent);
    }

    /// Takes note of what was read, and tells whether it is a stanza.
    pub(crate) fn heard(&mut self, element: &[u8]) -> bool {
        if is_stanza(element) {
            self.received = self.received.wrapping_add(1);
            return true;
        }
        match name(element) {
            b"r" => self.asked = true,
            b"a" => match attribute(element, "h").and_then(|h| h.parse().ok()) {
                Some(h) => self.acknowledge(h),
                None => self.violations.push("an answer without a number".to_owned()),
            },
            _ => {}
        }
        false
    }

    /// The answer to `<r/>`, if the server has asked since the last time.
    pub(crate) fn answer(&mut self) -> Option<String> {
        std::mem::take(&mut self.asked).then(|| self.count())
    }

    /// `<a/>` with the present count.
    pub(crate) fn count(&self) -> String {
        format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.received)
    }

    /// Numbers of messages that have been acknowledged since the last call.
    pub(crate) fn confirmed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.confirmed)
    }

    /// What an earlier stream has left in doubt.
    pub(crate) fn uncertain(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.uncertain)
    }

    /// Puts back what is still in doubt.
    pub(crate) fn doubt(&mut self, sent: Vec<Sent>) {
        self.uncertain.splice(0..0, sent);
    }

    /// Stanzas that the server has acknowledged on this stream.
    pub(crate) fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// Messages whose fate is open.
    pub(crate) fn open(&self) -> usize {
        self.unacknowledged.iter().chain(&self.uncertain).filter(|sent| sent.number.is_some()).count()
    }

    fn acknowledge(&mut self, h: u32) {
        let more = h.wrapping_sub(self.acknowledged);
        if more as usize > self.unacknowledged.len() {
            let (before, open) = (self.acknowledged, self.unacknowledged.len());
            self.violations.push(format!("the server has acknowledged {h}, after {before} with {open} open"));
            return;
        }
        self.acknowledged = h;
        let numbers = self.unacknowledged.drain(..more as usize).filter_map(|sent| sent.number);
        self.confirmed.extend(numbers);
    }
}

/// Whether `element` is counted.
fn is_stanza(element: &[u8]) -> bool {
    matches!(name(element), b"message" | b"presence" | b"iq")
}

fn name(element: &[u8]) -> &[u8] {
    let name = element.get(1..).unwrap_or_default();
    let end = name.iter().position(|byte| matches!(byte, b' ' | b'/' | b'>' | b'\t' | b'\r' | b'\n'));
    &name[..end.unwrap_or(name.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(number: u64) -> Sent {
        Sent { stanza: format!("<message id='m{number}'/>"), number: Some(number) }
    }

    fn with_three() -> Managed {
        let mut managed = Managed::default();
        managed.begin(Some("name"));
        (0..3).for_each(|number| managed.send(sent(number)));
        managed
    }

    #[test]
    fn only_stanzas_are_counted() {
        let mut managed = with_three();
        assert!(managed.heard(b"<message><body>1</body></message>") && managed.heard(b"<presence/>"));
        assert!(managed.heard(b"<iq type='result' id='1'/>"));
        assert!(!managed.heard(b"<r xmlns='urn:xmpp:sm:3'/>") && !managed.heard(b"<a xmlns='urn:xmpp:sm:3' h='0'/>"));
        assert_eq!(managed.to_resume(), Some(("name", 3)));
        assert_eq!(managed.answer().as_deref(), Some("<a xmlns='urn:xmpp:sm:3' h='3'/>"));
        assert_eq!(managed.answer(), None);
    }

    #[test]
    fn acknowledged_messages_are_told_once_and_the_rest_is_sent_again() {
        let mut managed = with_three();
        managed.heard(b"<a h='2'/>");
        assert_eq!((managed.confirmed(), managed.confirmed()), (vec![0, 1], vec![]));
        assert_eq!(managed.resume(2), "<message id='m2'/>");
        assert_eq!((managed.resumed, managed.open()), (1, 1));
        assert_eq!(managed.resume(3), "");
        assert!(managed.violations.is_empty());
    }

    #[test]
    fn a_number_that_falls_or_was_never_sent_is_a_violation() {
        for wrong in ["<a h='1'/>", "<a h='4'/>", "<a/>"] {
            let mut managed = with_three();
            managed.heard(b"<a h='2'/>");
            managed.heard(wrong.as_bytes());
            assert_eq!(managed.violations.len(), 1, "{wrong}");
        }
    }

    #[test]
    fn what_a_failed_stream_leaves_is_uncertain() {
        let mut managed = with_three();
        managed.heard(b"<a h='1'/>");
        managed.fail();
        managed.begin(None);
        assert_eq!((managed.to_resume(), managed.open(), managed.failed), (None, 2, 1));
        assert_eq!(managed.uncertain(), [sent(1), sent(2)]);
        assert_eq!(managed.open(), 0);
    }
}
