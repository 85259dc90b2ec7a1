//! Clients on other servers that an account sees, and of what kind they are: their presence tells, and they are told of its nodes
//! (XEP-0163 section 4.3). Kept for accounts that are online or have nodes; bounded by bytes, and nothing of it outlives the process.

use std::sync::Arc;

use hashlink::LinkedHashMap;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;

use crate::interests::ClientKind;
use crate::sync::Mutex;

/// Most bytes of all of it; beyond it the accounts of which nobody was heard for longest are forgotten.
pub const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most clients that one account sees; beyond it the one that came first is forgotten.
pub const CLIENTS_MAX: usize = 1_000;

/// A client on another server.
#[derive(Clone, Debug)]
pub struct RemoteClient {
    /// Its full address.
    pub jid: Jid,
    /// What it says that it can do.
    pub kind: Arc<ClientKind>,
    /// Whether it has come and not been told yet what there is.
    pub owed: Owed,
}

/// Whether a client is still to be told what was published before it came.
#[derive(Clone, Debug)]
pub enum Owed {
    /// Once it is known what it wants.
    LastItems {
        /// Since when it has missed what was published (XEP-0312), Unix time in milliseconds, if its presence says so.
        since_ms: Option<u64>,
    },
    /// Of what it did not want when it was of this kind.
    Beyond(Arc<ClientKind>),
    /// It was told.
    Nothing,
}

/// See the module.
#[derive(Debug, Default)]
pub struct RemoteClients {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By the account that sees them, the one that saw somebody last behind the others.
    seen: LinkedHashMap<AccountId, Vec<RemoteClient>>,
    bytes: usize,
}

impl RemoteClients {
    /// The client as this account has seen it last.
    pub fn get(&self, owner: AccountId, jid: &Jid) -> Option<RemoteClient> {
        self.state.lock().seen.get(&owner)?.iter().find(|client| client.jid == *jid).cloned()
    }

    /// The account sees this client from here on, in the place of what it saw of it before.
    pub fn set(&self, owner: AccountId, client: RemoteClient) {
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.seen.to_back(&owner).is_none() {
            state.bytes += OWNER_BYTES;
            state.seen.insert(owner, Vec::new());
        }
        let Some(clients) = state.seen.get_mut(&owner) else { return };
        if let Some(known) = clients.iter_mut().find(|known| known.jid == client.jid) {
            *known = client;
            return;
        }
        if clients.len() >= CLIENTS_MAX {
            state.bytes -= cost(&clients.remove(0));
        }
        state.bytes += cost(&client);
        clients.push(client);
        while state.bytes > BYTES_MAX
            && let Some((_, forgotten)) = state.seen.pop_front()
        {
            state.bytes -= OWNER_BYTES + forgotten.iter().map(cost).sum::<usize>();
        }
    }

    /// What counts for all clients that announce the same does not for this one, as far as this account has seen it announce it.
    pub fn set_kind_alone(&self, owner: AccountId, jid: &Jid, kind: Arc<ClientKind>) {
        let mut state = self.state.lock();
        let Some(clients) = state.seen.get_mut(&owner) else { return };
        if let Some(client) = clients.iter_mut().find(|client| client.jid == *jid && client.kind.name() == kind.name())
        {
            client.kind = kind;
        }
    }

    /// The account does not see this client any more, or none of those with this bare address.
    pub fn remove(&self, owner: AccountId, jid: &Jid) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(clients) = state.seen.get_mut(&owner) else { return };
        clients.retain(|client| {
            let is_it = if jid.is_full() { client.jid == *jid } else { client.jid.same_bare(jid) };
            if is_it {
                state.bytes -= cost(client);
            }
            !is_it
        });
        if clients.is_empty() {
            state.bytes -= OWNER_BYTES;
            state.seen.remove(&owner);
        }
    }

    /// Takes the debt of what was published before a client came, if it is still owed.
    pub fn take_owed(&self, owner: AccountId, jid: &Jid) -> Owed {
        let mut state = self.state.lock();
        let client =
            state.seen.get_mut(&owner).and_then(|clients| clients.iter_mut().find(|client| client.jid == *jid));
        client.map_or(Owed::Nothing, |client| std::mem::replace(&mut client.owed, Owed::Nothing))
    }

    /// Those of one bare address that this account sees.
    pub fn of(&self, owner: AccountId, bare: &Jid) -> Vec<RemoteClient> {
        let state = self.state.lock();
        let clients = state.seen.get(&owner).map(Vec::as_slice).unwrap_or_default();
        clients.iter().filter(|client| client.jid.same_bare(bare)).cloned().collect()
    }

    /// Those that this account sees and that want this node.
    pub fn wanting(&self, owner: AccountId, node: &str) -> Vec<Jid> {
        let state = self.state.lock();
        let clients = state.seen.get(&owner).map(Vec::as_slice).unwrap_or_default();
        clients.iter().filter(|client| client.kind.wants_node(node)).map(|client| client.jid.clone()).collect()
    }

    /// Bytes held.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

/// About what an account takes beside its clients.
const OWNER_BYTES: usize = 96;

fn cost(client: &RemoteClient) -> usize {
    client.jid.as_str().len() + 16 + size_of::<RemoteClient>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interests::Wants;

    fn client(jid: &str, node: &str) -> RemoteClient {
        let kind = ClientKind::alone("x", Wants::new(vec![node.into()]));
        RemoteClient { jid: Jid::parse(jid).unwrap(), kind, owed: Owed::LastItems { since_ms: None } }
    }

    fn account(number: u16) -> AccountId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        AccountId::from_bytes(bytes)
    }

    #[test]
    fn clients_are_seen_until_they_leave() {
        let (seen, owner) = (RemoteClients::default(), account(1));
        seen.set(owner, client("r@far.example/a", "tune"));
        seen.set(owner, client("r@far.example/b", "mood"));
        seen.set(owner, client("r@far.example/a", "mood"));
        assert!(seen.wanting(owner, "tune").is_empty() && seen.wanting(account(2), "mood").is_empty());
        assert_eq!(seen.wanting(owner, "mood").len(), 2);
        let jid = |text: &str| Jid::parse(text).unwrap();
        assert!(matches!(seen.take_owed(owner, &jid("r@far.example/a")), Owed::LastItems { since_ms: None }));
        assert!(matches!(seen.take_owed(owner, &jid("r@far.example/a")), Owed::Nothing));
        seen.remove(owner, &jid("r@far.example/a"));
        assert_eq!(seen.wanting(owner, "mood"), [jid("r@far.example/b")]);
        seen.set(owner, client("r@far.example/a", "mood"));
        seen.remove(owner, &jid("r@far.example"));
        assert_eq!(seen.memory_usage(), 0);
    }

    #[test]
    fn nobody_fills_it() {
        let (seen, owner) = (RemoteClients::default(), account(0));
        for number in 0..2 * CLIENTS_MAX {
            seen.set(owner, client(&format!("r{number}@far.example/a"), "tune"));
        }
        let wanting = seen.wanting(owner, "tune");
        assert_eq!(
            (wanting.len(), wanting[0].as_str()),
            (CLIENTS_MAX, format!("r{CLIENTS_MAX}@far.example/a").as_str())
        );
        let long = "x".repeat(1000);
        for number in 1..400 {
            for other in 0..CLIENTS_MAX / 10 {
                seen.set(account(number), client(&format!("r{other}@far.example/{long}"), "tune"));
            }
            assert!(seen.memory_usage() <= BYTES_MAX);
        }
        assert!(seen.wanting(owner, "tune").is_empty(), "nobody was heard for longest");
        assert!(!seen.wanting(account(399), "tune").is_empty());
    }
}
