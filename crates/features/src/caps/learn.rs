//! What clients announce that they can do (XEP-0115, XEP-0390), and whether what they tell of it proves the name of it: of all that, only the
//! nodes that they want to hear of count here (XEP-0060 section 9.2). `route::interests` asks, `host::interests` keeps. Keeps nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::interests::{Announcement, Wants};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::caps::{self, Caps, NOTIFY};
use metronome_proto::payload::caps2::{self, CapabilityHash};
use metronome_proto::payload::disco::Info;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Child;
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha512};

#[cfg(test)]
mod tests;

/// Most nodes that one client wants to hear of; the first in their order count.
pub const NODES_MAX: usize = 256;
/// Most bytes of their names together.
pub const NODES_BYTES_MAX: usize = 16 * 1024;
/// The longest name of what a client can do, and the longest node under which it tells that; longer ones say nothing.
const NAME_BYTES_MAX: usize = 1024;

/// How the two documents name what a client can do. The first can be misled in ways that the second cannot, so what is proved by the one
/// never counts for the other.
const VER: &str = "ver";
const SET: &str = "set";
/// What cannot be proved counts for one client only.
const ALONE: &str = "alone";

/// Hash functions by which a name can be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Sha1,
    Sha256,
    Sha512,
}

impl Function {
    fn of(name: &str) -> Option<Function> {
        match name {
            "sha-1" => Some(Function::Sha1),
            "sha-256" => Some(Function::Sha256),
            "sha-512" => Some(Function::Sha512),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Function::Sha1 => "sha-1",
            Function::Sha256 => "sha-256",
            Function::Sha512 => "sha-512",
        }
    }

    fn base64(self, input: &[u8]) -> String {
        match self {
            Function::Sha1 => STANDARD.encode(Sha1::digest(input)),
            Function::Sha256 => STANDARD.encode(Sha256::digest(input)),
            Function::Sha512 => STANDARD.encode(Sha512::digest(input)),
        }
    }
}

/// What a presence announces of the client that it comes from; none if it says nothing, or nothing of a kind that can be proved at all.
/// Where both documents are followed the newer one counts (XEP-0390 section 8).
pub fn announced(presence: &Stanza) -> Option<Announcement> {
    let set = presence.child(ns::CAPS_2, "c").and_then(|c| of_set(&c, &presence.from));
    let announcement = set.or_else(|| of_ver(&presence.child(ns::CAPS, "c")?, &presence.from))?;
    let is_short = announcement.name.len() <= NAME_BYTES_MAX && announcement.node.len() <= NAME_BYTES_MAX;
    is_short.then_some(announcement)
}

/// The strongest function of a set that is known here; none for an empty set.
fn of_set(c: &Child<'_>, client: &Jid) -> Option<Announcement> {
    let hashes = caps2::read(c);
    let function = |hash: &CapabilityHash| Function::of(&hash.algo).filter(|function| *function != Function::Sha1);
    let known = hashes.iter().filter_map(|hash| Some((hash, Some(function(hash)?))));
    let unknown = hashes.first().map(|hash| (hash, None));
    let (hash, function) = known.max_by_key(|(hash, _)| hash.algo.as_str()).or(unknown)?;
    Some(announcement(SET, function, &hash.value, hash.disco_node(), client))
}

fn of_ver(c: &Child<'_>, client: &Jid) -> Option<Announcement> {
    let caps = Caps::read(c)?;
    // Without a function `ver` is of an old kind, which nobody can prove (XEP-0115 section 5.4).
    let function = Function::of(caps.hash.as_deref()?);
    Some(announcement(VER, function, &caps.ver, caps.disco_node(), client))
}

fn announcement(method: &str, function: Option<Function>, value: &str, node: String, client: &Jid) -> Announcement {
    let name = match function {
        Some(function) => format!("{method} {} {value}", function.name()),
        None => format!("{ALONE} {client} {node}"),
    };
    Announcement { name: name.into(), node: node.into() }
}

/// What an answer makes of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It proves the name: every client that announces the same wants this.
    Proved(Wants),
    /// It does not: it counts for the client that has given it, and for nobody else.
    Told(Wants),
    /// It says nothing.
    Nothing,
}

/// Judges what a client has told about a name that it has announced.
pub fn judge(name: &str, answer: &Stanza) -> Verdict {
    let Some(query) = answer.child(ns::DISCO_INFO, "query") else { return Verdict::Nothing };
    let Ok(info) = Info::read(&query) else { return Verdict::Nothing };
    match proves(name, &query, &info, answer.lang.as_deref()) {
        true => Verdict::Proved(wants(&info)),
        false => Verdict::Told(wants(&info)),
    }
}

fn proves(name: &str, query: &Child<'_>, info: &Info, lang: Option<&str>) -> bool {
    let mut parts = name.splitn(3, ' ');
    let (method, function, value) = (parts.next(), parts.next().and_then(Function::of), parts.next());
    let (Some(function), Some(value)) = (function, value) else { return false };
    match method {
        Some(VER) => {
            let hash = || function.base64(caps::verification_string(info).as_bytes());
            caps::is_well_formed(info) && caps::is_unambiguous(info) && hash() == value
        }
        Some(SET) => {
            let is_it = |lang| caps2::hash_input(query, lang).is_ok_and(|input| function.base64(&input) == value);
            // Some leave out the language that is around it all.
            is_it(lang) || (lang.is_some() && is_it(None))
        }
        _ => false,
    }
}

/// The nodes that a client wants to hear of, within bounds.
fn wants(info: &Info) -> Wants {
    let nodes = info.features.iter().filter_map(|feature| feature.strip_suffix(NOTIFY));
    let mut nodes: Vec<&str> = nodes.filter(|node| !node.is_empty()).collect();
    nodes.sort_unstable();
    let mut bytes = 0;
    let within = nodes.into_iter().take(NODES_MAX).take_while(|node| {
        bytes += node.len();
        bytes <= NODES_BYTES_MAX
    });
    Wants::new(within.map(Box::from).collect())
}
