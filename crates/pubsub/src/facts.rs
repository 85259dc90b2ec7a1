//! Who asks, and when: what a decision takes from outside of the nodes. Gathered by the caller before the request is decided.

use metronome_proto::jid::Jid;

/// What a request is decided upon, beside the nodes.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Who asks, as the server has stamped it.
    pub from: &'a Jid,
    /// Whose nodes they are: the address of a service, of a domain, or of an account. Notifications come from there.
    pub address: &'a Jid,
    /// What they are to all of these nodes.
    pub standing: Standing,
    /// Whether they may create nodes, if they are not the owner.
    pub creation: Creation,
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Random bytes of this request: names and ids that it needs are made of them, so they must be the same when it is decided anew.
    pub random: [u8; 16],
}

/// What somebody is to all nodes of an owner together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Owner of every node: the account itself, or an administrator of the service.
    Owner,
    /// A user of the server that the nodes are on.
    Local,
    /// Anybody else.
    Stranger,
    /// Somebody whose address is not theirs for long (SASL ANONYMOUS).
    Anonymous,
}

/// Whether somebody may create nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Creation {
    /// They may.
    Allowed,
    /// They may not.
    Forbidden,
    /// They would have to register with the service.
    NeedsRegistration,
}

impl Facts<'_> {
    /// The id with this number among those that the request needs: 128 random bits in hexadecimal, and the number behind the first.
    pub(crate) fn id(&self, number: usize) -> Box<str> {
        let mut id = hex(&self.random);
        if number > 0 {
            id.push_str(&format!("-{number}"));
        }
        id.into()
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
