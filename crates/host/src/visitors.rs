//! Clients on other servers that have shown themselves to a service, by a presence of their own to its address: what lasts as long as they are
//! there ends when they go (XEP-0060 section 12.4). Bounded; nothing of it outlives the process.

use std::collections::HashMap;

use metronome_proto::jid::Jid;

use crate::sync::Mutex;

/// Most clients.
const CLIENTS_MAX: usize = 100_000;

/// Most clients of one other server.
const CLIENTS_OF_DOMAIN_MAX: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Visitors {
    state: Mutex<State>,
}

/// The address of a service, and the bare address of somebody there.
type Visitor = (Box<str>, Box<str>);

#[derive(Debug, Default)]
struct State {
    /// Their resources.
    here: HashMap<Visitor, Vec<Box<str>>>,
    count: usize,
    /// How many there are of each domain.
    of_domains: HashMap<Box<str>, usize>,
}

/// Whether somebody was here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Not as far as is known.
    New,
    /// They were.
    Again,
    /// There are too many to know them all.
    Unnoticed,
}

/// What is left of somebody who goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing, as far as is known.
    Nobody,
    /// Other clients of the same account.
    Others,
}

impl Visitors {
    /// A client, whose address is full, shows itself to a service.
    pub fn came(&self, service: &Jid, client: &Jid) -> Came {
        let Some(resource) = client.resource() else { return Came::Unnoticed };
        let mut state = self.state.lock();
        let state = &mut *state;
        let key = (service.domain().into(), client.bare_str().into());
        if state.here.get(&key).is_some_and(|here| here.iter().any(|known| **known == *resource)) {
            return Came::Again;
        }
        let of_domain = state.of_domains.entry(client.domain().into()).or_default();
        if state.count >= CLIENTS_MAX || *of_domain >= CLIENTS_OF_DOMAIN_MAX {
            return Came::Unnoticed;
        }
        *of_domain += 1;
        state.count += 1;
        state.here.entry(key).or_default().push(resource.into());
        Came::New
    }

    /// A client is not there any more.
    pub fn left(&self, service: &Jid, client: &Jid) -> Left {
        let mut state = self.state.lock();
        let state = &mut *state;
        let key = (service.domain().into(), client.bare_str().into());
        let Some(here) = state.here.get_mut(&key) else { return Left::Nobody };
        let before = here.len();
        here.retain(|known| Some(&**known) != client.resource());
        let gone = before - here.len();
        let left = if here.is_empty() { Left::Nobody } else { Left::Others };
        if here.is_empty() {
            state.here.remove(&key);
        }
        state.count -= gone;
        if let Some(of_domain) = state.of_domains.get_mut(client.domain()) {
            *of_domain -= gone;
            if *of_domain == 0 {
                state.of_domains.remove(client.domain());
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn somebody_is_there_until_the_last_client_goes() {
        let (visitors, service) = (Visitors::default(), jid("pubsub.x"));
        let (phone, desk) = (jid("bob@y/phone"), jid("bob@y/desk"));
        assert_eq!(visitors.came(&service, &phone), Came::New);
        assert_eq!(visitors.came(&service, &phone), Came::Again);
        assert_eq!(visitors.came(&service, &desk), Came::New);
        assert_eq!(visitors.came(&jid("pubsub.z"), &desk), Came::New);
        assert_eq!(visitors.left(&service, &jid("bob@y/other")), Left::Others);
        assert_eq!(visitors.left(&service, &phone), Left::Others);
        assert_eq!(visitors.left(&service, &desk), Left::Nobody);
        assert_eq!(visitors.left(&service, &desk), Left::Nobody);
        assert_eq!(visitors.left(&jid("pubsub.z"), &desk), Left::Nobody);
        let state = visitors.state.lock();
        assert!(state.count == 0 && state.here.is_empty() && state.of_domains.is_empty());
    }

    #[test]
    fn one_server_does_not_take_the_place_of_others() {
        let (visitors, service) = (Visitors::default(), jid("pubsub.x"));
        for number in 0..CLIENTS_OF_DOMAIN_MAX {
            assert_eq!(visitors.came(&service, &jid(&format!("p{number}@y/a"))), Came::New);
        }
        assert_eq!(visitors.came(&service, &jid("one@y/more")), Came::Unnoticed);
        assert_eq!(visitors.came(&service, &jid("one@z/more")), Came::New);
    }
}
