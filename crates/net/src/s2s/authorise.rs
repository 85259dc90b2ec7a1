//! Which pairs of domains a stream has proved, and how. Every stanza that comes over a stream is held against this table: that a domain
//! is known on a stream says nothing about its stanzas to another domain of ours.

use metronome_proto::jid::Jid;
use metronome_proto::stanza::Received;
use metronome_proto::stream::error::Condition;

/// Most pairs of one stream; a server that speaks for more domains opens another one.
pub(super) const PAIRS_MAX: usize = 256;

/// Two domains, of which one is ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    /// Our domain.
    pub(crate) local: Jid,
    /// The other one.
    pub(crate) remote: Jid,
}

/// How it was proved that somebody speaks for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// By its certificate, with SASL EXTERNAL (XEP-0178).
    External,
    /// By its certificate, in answer to a dialback key (XEP-0344).
    Certificate,
    /// By its key, about which the domain's own server was asked (XEP-0220).
    Dialback,
    /// By its address in the DNS: we have called it. The other direction of a stream of ours (XEP-0288).
    Called,
}

impl Method {
    /// For logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Method::External => "external",
            Method::Certificate => "certificate",
            Method::Dialback => "dialback",
            Method::Called => "called",
        }
    }
}

/// The proof of one pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// By what.
    pub(crate) method: Method,
    /// Unix time in milliseconds at which it was proved.
    pub(crate) at_ms: u64,
    /// Unix time in milliseconds at which the certificate ends that was the proof; none if it was not one.
    pub(crate) until_ms: Option<u64>,
}

impl Proof {
    fn holds(&self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms <= until_ms)
    }
}

/// The pairs of one stream whose stanzas we take from it.
#[derive(Debug, Default)]
pub(crate) struct Proofs(Vec<(Pair, Proof)>);

/// There are [`PAIRS_MAX`] pairs already.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Proofs {
    /// Whether nothing is proved.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a proof; one of the same pair is replaced.
    pub(crate) fn add(&mut self, pair: Pair, proof: Proof) -> Result<(), TooMany> {
        if let Some((_, earlier)) = self.0.iter_mut().find(|(known, _)| *known == pair) {
            *earlier = proof;
            return Ok(());
        }
        if self.0.len() >= PAIRS_MAX {
            return Err(TooMany);
        }
        self.0.push((pair, proof));
        Ok(())
    }

    /// The proof that `remote` may send to `local`, if it still holds.
    pub(crate) fn get(&self, local: &str, remote: &str, now_ms: u64) -> Option<&Proof> {
        self.find(local, remote).map(|(_, proof)| proof).filter(|proof| proof.holds(now_ms))
    }

    fn find(&self, local: &str, remote: &str) -> Option<&(Pair, Proof)> {
        self.0.iter().find(|(pair, _)| pair.local.as_str() == local && pair.remote.as_str() == remote)
    }

    /// Whether a stanza may come over this stream; otherwise the stream ends with this error (RFC 6120 sections 4.9.3 and 8.1).
    pub(crate) fn authorise(&self, read: &Received, now_ms: u64) -> Result<&Pair, Condition> {
        let (Some(from), Some(to)) = (&read.from, &read.to) else { return Err(Condition::ImproperAddressing) };
        self.authorise_pair(to.domain(), from.domain(), now_ms)
    }

    /// The same for the addresses of a stanza that cannot be read otherwise.
    pub(crate) fn authorise_pair(&self, local: &str, remote: &str, now_ms: u64) -> Result<&Pair, Condition> {
        match self.find(local, remote) {
            Some((pair, proof)) if proof.holds(now_ms) => Ok(pair),
            Some(_) => Err(Condition::NotAuthorized),
            None if self.0.is_empty() => Err(Condition::NotAuthorized),
            None => Err(Condition::InvalidFrom),
        }
    }

    /// How this domain has proved itself towards any of ours.
    pub(crate) fn of(&self, remote: &Jid, now_ms: u64) -> Option<Proof> {
        let mut pairs = self.0.iter().filter(|(pair, proof)| pair.remote == *remote && proof.holds(now_ms));
        pairs.next().map(|(_, proof)| *proof)
    }

    /// A domain of ours that this one may send to, for stanzas whose recipient cannot be read.
    pub(crate) fn towards_any(&self, remote: &str, now_ms: u64) -> Option<&Jid> {
        let mut pairs = self.0.iter().filter(|(pair, proof)| pair.remote.as_str() == remote && proof.holds(now_ms));
        pairs.next().map(|(pair, _)| &pair.local)
    }

    /// Whether there is a proof of this pair, whether it still holds or not.
    pub(crate) fn contains(&self, pair: &Pair) -> bool {
        self.0.iter().any(|(known, _)| known == pair)
    }

    /// The pairs, in the order in which they were proved.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &(Pair, Proof)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use metronome_proto::ns;
    use metronome_proto::xml::{Item, Limits, Scanner};

    use super::*;

    fn pair(local: &str, remote: &str) -> Pair {
        Pair { local: Jid::parse(local).unwrap(), remote: Jid::parse(remote).unwrap() }
    }

    fn proof(until_ms: Option<u64>) -> Proof {
        Proof { method: Method::Dialback, at_ms: 1, until_ms }
    }

    fn stanza(attributes: &str) -> Received {
        let xml = format!("<message xmlns='{}' {attributes}><body>x</body></message>", ns::SERVER);
        match Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes()) {
            Ok(Some(Item::Element(element))) => Received::read(element, ns::SERVER).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_may_come_before_something_is_proved() {
        let stanza = stanza("from='eve@evil.example' to='alice@a.example'");
        assert_eq!(Proofs::default().authorise(&stanza, 0), Err(Condition::NotAuthorized));
    }

    #[test]
    fn a_stanza_needs_both_addresses() {
        let mut proofs = Proofs::default();
        proofs.add(pair("a.example", "b.example"), proof(None)).unwrap();
        for attributes in ["from='eve@b.example'", "to='alice@a.example'", ""] {
            assert_eq!(proofs.authorise(&stanza(attributes), 0), Err(Condition::ImproperAddressing));
        }
    }

    #[test]
    fn what_is_proved_towards_one_domain_is_not_proved_towards_another() {
        let mut proofs = Proofs::default();
        proofs.add(pair("a.example", "b.example"), proof(None)).unwrap();
        proofs.add(pair("c.example", "d.example"), proof(None)).unwrap();
        assert!(proofs.authorise(&stanza("from='x@b.example/y' to='a.example'"), 0).is_ok());
        for (from, to) in [
            ("x@b.example", "c.example"),
            ("x@d.example", "a.example"),
            ("x@a.example", "b.example"),
            ("x@sub.b.example", "a.example"),
            ("x@b.example", "sub.a.example"),
            ("b.example@e.example", "a.example"),
            ("x@e.example/b.example", "a.example"),
        ] {
            let stanza = stanza(&format!("from='{from}' to='{to}'"));
            assert_eq!(proofs.authorise(&stanza, 0), Err(Condition::InvalidFrom), "{from} to {to}");
        }
    }

    #[test]
    fn a_certificate_proves_until_it_ends() {
        let mut proofs = Proofs::default();
        proofs.add(pair("a.example", "b.example"), proof(Some(100))).unwrap();
        let stanza = stanza("from='b.example' to='a.example'");
        assert!(proofs.authorise(&stanza, 100).is_ok());
        assert_eq!(proofs.authorise(&stanza, 101), Err(Condition::NotAuthorized));
        assert!(proofs.get("a.example", "b.example", 101).is_none());
        proofs.add(pair("a.example", "b.example"), proof(None)).unwrap();
        assert!(proofs.authorise(&stanza, 101).is_ok(), "it has proved itself again");
    }

    #[test]
    fn a_stream_has_so_many_pairs_and_no_more() {
        let mut proofs = Proofs::default();
        for n in 0..PAIRS_MAX {
            proofs.add(pair("a.example", &format!("b{n}.example")), proof(None)).unwrap();
        }
        assert_eq!(proofs.add(pair("a.example", "c.example"), proof(None)), Err(TooMany));
        assert_eq!(proofs.add(pair("a.example", "b7.example"), proof(None)), Ok(()));
    }

    /// Whatever was proved in whatever order: exactly that may come, and nothing that is only made of the same names.
    #[test]
    fn random_sets_of_pairs_admit_themselves_only() {
        let names = ["a.example", "b.example", "c.example", "ab.example", "example"];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..200 {
            let mut proofs = Proofs::default();
            let mut expected = HashSet::new();
            for _ in 0..random(8) {
                let proved = pair(names[random(5)], names[random(5)]);
                expected.insert(proved.clone());
                proofs.add(proved, proof(None)).unwrap();
            }
            for local in names {
                for remote in names {
                    let found = proofs.authorise_pair(local, remote, 0).is_ok();
                    assert_eq!(found, expected.contains(&pair(local, remote)), "{local} {remote} {expected:?}");
                }
            }
        }
    }
}
