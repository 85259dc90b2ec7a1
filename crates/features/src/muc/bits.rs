//! XEP-0231: Bits of Binary in rooms: what occupants say with a message is kept for a while, and the room answers for it when it is asked
//! for, so that it is there also when who said it is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::bob::{self, Algorithm, Data};
use metronome_proto::stanza::{IqType, Kind, Stanza};
use metronome_proto::xml::Content;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::hex::hex;

/// Most of them that are taken out of one message.
const EACH_MAX: usize = 8;

/// Largest one in bytes of base64: the document speaks of eight kilobytes.
const BYTES_MAX: usize = 16 * 1024;

/// How long they are kept in seconds if nothing is said, and at most.
const KEEP_S: u64 = 86_400;

/// Keeps what came with a message that the room has taken. What is not what its name says is not kept.
pub fn take(server: &Server, room: &Jid, content: &Content) {
    if !content.has(ns::BOB, "data") {
        return;
    }
    let all = content.iter().filter(|child| child.is(ns::BOB, "data")).take(EACH_MAX);
    for data in all.filter_map(|child| Data::read(&child).ok()).filter(is_genuine) {
        keep(server, room, data);
    }
}

fn keep(server: &Server, room: &Jid, data: Data) {
    let age_s = data.max_age_s.unwrap_or(KEEP_S).min(KEEP_S);
    if age_s > 0 {
        server.bits.keep(room, data, server.clock.unix_ms() + age_s * 1000);
    }
}

/// Whether the room lacks something of this name, and could tell whether it is that.
pub fn is_worth_asking(server: &Server, room: &Jid, cid: &str) -> bool {
    bob::hash(cid).is_some() && server.bits.get(room, cid, server.clock.unix_ms()).is_none()
}

/// What a request asks for, if that is something that the room has. Whoever asks must be in the room.
pub fn asked(server: &Server, room: &Jid, request: &Stanza) -> Option<Data> {
    if request.kind != Kind::Iq(IqType::Get) {
        return None;
    }
    let asked = Data::read(&request.child(ns::BOB, "data")?).ok()?;
    server.bits.get(room, &asked.cid, server.clock.unix_ms())
}

fn is_genuine(data: &Data) -> bool {
    let Some((algorithm, hash)) = bob::hash(&data.cid) else { return false };
    if data.base64.is_empty() || data.base64.len() > BYTES_MAX {
        return false;
    }
    let Ok(bytes) = STANDARD.decode(&data.base64) else { return false };
    let is = match algorithm {
        Algorithm::Sha1 => hex(&Sha1::digest(bytes)),
        Algorithm::Sha256 => hex(&Sha256::digest(bytes)),
    };
    is.eq_ignore_ascii_case(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_what_its_name_says_is_kept() {
        let data = |cid: &str, base64: &str| Data { base64: base64.into(), ..Data::request(cid) };
        let sha1 = "sha1+aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d@bob.xmpp.org";
        let sha256 = "sha-256+2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824@bob.xmpp.org";
        assert!(is_genuine(&data(sha1, "aGVsbG8=")) && is_genuine(&data(sha256, "aGVsbG8=")));
        assert!(is_genuine(&data(&sha1.to_uppercase().replace("SHA1", "sha1").replace("BOB.XMPP.ORG", "bob.xmpp.org"), "aGVsbG8=")));
        for (cid, base64) in [(sha1, "aGVsbG9v"), (sha1, ""), (sha1, "!"), ("x", "aGVsbG8="), (sha256, "aGVsbG9v")] {
            assert!(!is_genuine(&data(cid, base64)), "{cid} {base64}");
        }
        let large = "A".repeat(BYTES_MAX + 4);
        let name = format!("sha1+{}@bob.xmpp.org", hex(&Sha1::digest(STANDARD.decode(&large).unwrap())));
        assert!(!is_genuine(&data(&name, &large)));
    }
}
