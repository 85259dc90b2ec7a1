//! What is stored of a room, and what somebody is to it.

use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::Affiliation;

use crate::room::Subject;

/// Between the hats of a row. No XML has this character, so no URI that came in a stanza has it.
const BETWEEN: char = '\u{1f}';

/// What somebody is to a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Affiliated {
    /// May be none, if something else is said of them.
    pub affiliation: Affiliation,
    /// The nickname that nobody else may use.
    pub nick: Option<Box<str>>,
    /// Why, for humans.
    pub reason: Option<Box<str>>,
    /// The URIs of the hats that they wear (XEP-0317), in the order in which they were given.
    pub hats: Vec<Box<str>>,
    /// With which version of all affiliations this was said (XEP-0463).
    pub version: u64,
}

/// What is stored of a room.
#[derive(Clone, Debug)]
pub struct Rows {
    /// As of [`Config::encode`](crate::config::Config::encode).
    pub config: Box<[u8]>,
    /// Who created it.
    pub creator: Jid,
    /// What its occupants' ids are made with.
    pub secret: [u8; 32],
    /// Its subject, if it ever had one.
    pub subject: Option<Subject>,
    /// The version of the last change of an affiliation.
    pub version: u64,
    /// What people are to it.
    pub affiliations: Vec<(Jid, Affiliated)>,
}

impl Affiliated {
    /// As it was stored by [`RoomOp::Affiliate`](crate::RoomOp::Affiliate).
    pub fn stored(
        affiliation: Affiliation,
        nick: Option<Box<str>>,
        reason: Option<Box<str>>,
        more: &[u8],
        version: u64,
    ) -> Affiliated {
        let more = std::str::from_utf8(more).unwrap_or_default();
        let hats = more.split(BETWEEN).filter(|uri| !uri.is_empty()).map(Box::from).collect();
        Affiliated { affiliation, nick, reason, hats, version }
    }

    /// What is stored beside affiliation, nickname and reason.
    pub(crate) fn more(&self) -> Box<[u8]> {
        let all: Vec<&str> = self.hats.iter().map(|uri| &**uri).collect();
        all.join(&*BETWEEN.to_string()).into_bytes().into()
    }

    /// Whether anything is said at all.
    pub(crate) fn counts(&self) -> bool {
        self.affiliation != Affiliation::None || self.nick.is_some() || !self.hats.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_stored() {
        let hats = vec!["http://a.example/hats#one".into(), "urn:two".into()];
        for hats in [hats, Vec::new()] {
            let row = Affiliated { affiliation: Affiliation::Member, hats, version: 7, ..Affiliated::default() };
            assert_eq!(Affiliated::stored(row.affiliation, None, None, &row.more(), 7), row);
        }
        assert!(!Affiliated::stored(Affiliation::None, None, None, &[0xff], 7).counts());
    }
}
