//! Which nodes clients want to hear of (XEP-0060 section 9.2, XEP-0163 section 4.2): learned from what their capabilities stand for
//! (XEP-0115, XEP-0390), once for all clients that announce the same. What is known is kept while it is used, bounded by bytes and by age.
//! `features/caps` reads and proves what is announced, `route/interests` asks.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use hashlink::LinkedHashMap;
use metronome_proto::jid::Jid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::client_kind;
pub use crate::client_kind::{ClientKind, Wants};
use crate::sync::Mutex;

/// Most bytes of what is known.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;
/// For how long it is believed, in milliseconds; then whoever announces it next is asked again.
pub const KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// Most names that are being asked about at a time; who announces another one is not asked.
pub const QUESTIONS_MAX: usize = 2_000;
/// Most names that clients of one account may be asked about at a time.
pub const QUESTIONS_OF_ACCOUNT_MAX: usize = 16;
/// Most names that clients of one other server may be asked about at a time.
pub const QUESTIONS_OF_REMOTE_MAX: usize = 64;
/// Most clients that wait for an answer which another one gives; those beyond it share what is learned, but are not told that it is.
pub const WAITING_MAX: usize = 50_000;

/// What a client says that it can do, by a name for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The same for all clients that can do the same, as far as the name can be proved; otherwise for this client alone.
    pub name: Box<str>,
    /// The node under which the client tells what is behind it.
    pub node: Box<str>,
}

/// A client that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its full address.
    pub client: Jid,
    /// Who asks: the host for a client of its own, the account that has seen its presence for any other.
    pub by: Jid,
    /// The node under which it tells what it can do.
    pub node: Box<str>,
}

/// What is known of a client that announces something.
#[derive(Debug)]
pub enum Met {
    /// What it wants.
    Known(Arc<ClientKind>),
    /// It must be asked; whoever hears this does it, and says what came of it.
    Ask(Arc<ClientKind>),
    /// Nothing yet: another client is being asked, or nobody, since too many are.
    Unknown(Arc<ClientKind>),
}

/// Most clients on other servers that are looked for at a time among the contacts of accounts that are not online.
pub const LOOKING_MAX: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct Interests {
    state: Mutex<State>,
    looking: Arc<Semaphore>,
}

impl Default for Interests {
    fn default() -> Interests {
        Interests { state: Mutex::default(), looking: Arc::new(Semaphore::new(LOOKING_MAX)) }
    }
}

#[derive(Debug, Default)]
struct State {
    /// By name, the one that was used last behind the others.
    known: LinkedHashMap<Box<str>, Learned>,
    bytes: usize,
    /// Names that are being asked about.
    open: HashMap<Box<str>, Open>,
    /// How many of them each account or other server has brought up.
    opened: HashMap<Box<str>, usize>,
    /// Clients that wait in all of them.
    waiting: usize,
}

#[derive(Debug)]
struct Learned {
    kind: Arc<ClientKind>,
    since_ms: u64,
}

#[derive(Debug)]
struct Open {
    kind: Arc<ClientKind>,
    /// Those who have announced the same meanwhile.
    waiting: VecDeque<Asked>,
    /// Who has brought it up.
    payer: Box<str>,
}

impl Interests {
    /// A turn at looking for somebody among the contacts of an account that is not online; none if too many look already.
    pub fn permit(&self) -> Option<OwnedSemaphorePermit> {
        self.looking.clone().try_acquire_owned().ok()
    }

    /// A client announces something, at this steady time in milliseconds.
    pub fn meet(&self, announcement: &Announcement, client: &Jid, by: &Jid, now_ms: u64) -> Met {
        let mut state = self.state.lock();
        if let Some(kind) = state.known(&announcement.name, now_ms) {
            return Met::Known(kind);
        }
        let state = &mut *state;
        if let Some(open) = state.open.get_mut(&announcement.name) {
            if state.waiting < WAITING_MAX {
                state.waiting += 1;
                let asked = Asked { client: client.clone(), by: by.clone(), node: announcement.node.clone() };
                open.waiting.push_back(asked);
            }
            return Met::Unknown(open.kind.clone());
        }
        let kind = ClientKind::unknown(&announcement.name);
        // A client of ours is its account's, any other its server's.
        let (payer, most) = match client.domain() == by.as_str() {
            true => (client.bare_str(), QUESTIONS_OF_ACCOUNT_MAX),
            false => (client.domain(), QUESTIONS_OF_REMOTE_MAX),
        };
        let opened = state.opened.get(payer).copied().unwrap_or_default();
        if state.open.len() >= QUESTIONS_MAX || opened >= most {
            return Met::Unknown(kind);
        }
        state.opened.insert(payer.into(), opened + 1);
        kind.set_open(client_kind::Open::Yes);
        let open = Open { kind: kind.clone(), waiting: VecDeque::new(), payer: payer.into() };
        state.open.insert(announcement.name.clone(), open);
        Met::Ask(kind)
    }

    /// What is behind a name is proved: those who have announced it too.
    pub fn learned(&self, name: &str, wants: Wants, now_ms: u64) -> Vec<Asked> {
        let mut state = self.state.lock();
        let Some(open) = state.close(name) else { return Vec::new() };
        // Whoever is first tells the truth; it is the same for all.
        open.kind.learn(wants);
        state.keep(open.kind, now_ms);
        open.waiting.into()
    }

    /// The client that was asked has not proved what is behind a name: those who wait for an answer of this very client, and the next one
    /// to be asked, if there is any.
    pub fn not_learned(&self, name: &str, client: &Jid) -> (Vec<Asked>, Option<Asked>) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(open) = state.open.get_mut(name) else { return (Vec::new(), None) };
        let before = open.waiting.len();
        let (same, others) = open.waiting.drain(..).partition(|asked| asked.client == *client);
        open.waiting = others;
        let next = open.waiting.pop_front();
        state.waiting -= before - open.waiting.len();
        if next.is_none() {
            state.close(name);
        }
        (VecDeque::into(same), next)
    }

    /// Nobody is asked about a name any more.
    pub fn give_up(&self, name: &str) {
        self.state.lock().close(name);
    }

    /// How many names are known, and how many are being asked about.
    pub fn count(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.known.len(), state.open.len())
    }

    /// Bytes of what is known.
    pub fn memory_usage(&self) -> usize {
        self.state.lock().bytes
    }
}

impl State {
    fn known(&mut self, name: &str, now_ms: u64) -> Option<Arc<ClientKind>> {
        let learned = self.known.to_back(name)?;
        if now_ms < learned.since_ms.saturating_add(KEEP_MS) {
            return Some(learned.kind.clone());
        }
        self.bytes -= cost(&learned.kind);
        self.known.remove(name);
        None
    }

    fn keep(&mut self, kind: Arc<ClientKind>, now_ms: u64) {
        self.bytes += cost(&kind);
        self.known.insert(kind.name().into(), Learned { kind, since_ms: now_ms });
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.known.pop_front()
        {
            self.bytes -= cost(&oldest.kind);
        }
    }

    fn close(&mut self, name: &str) -> Option<Open> {
        let open = self.open.remove(name)?;
        open.kind.set_open(client_kind::Open::No);
        self.waiting -= open.waiting.len();
        if let Some(opened) = self.opened.get_mut(&open.payer) {
            *opened -= 1;
            if *opened == 0 {
                self.opened.remove(&open.payer);
            }
        }
        Some(open)
    }
}

/// About what one kind takes: its name here and in itself, and what it wants.
fn cost(kind: &ClientKind) -> usize {
    let wants = kind.wants().map_or(0, Wants::memory_usage);
    2 * kind.name().len() + size_of::<ClientKind>() + size_of::<Learned>() + 64 + wants
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn announcement(name: &str) -> Announcement {
        Announcement { name: name.into(), node: format!("urn:x#{name}").into() }
    }

    fn meet(interests: &Interests, name: &str, client: &str) -> Met {
        interests.meet(&announcement(name), &jid(client), &jid("localhost"), 0)
    }

    fn wants(nodes: &[&str]) -> Wants {
        Wants::new(nodes.iter().map(|node| Box::from(*node)).collect())
    }

    #[test]
    fn one_of_many_is_asked_and_what_it_proves_is_known_of_all() {
        let interests = Interests::default();
        let Met::Ask(first) = meet(&interests, "v", "a@localhost/1") else { panic!("nobody was asked before") };
        assert!(!first.is_given_up());
        let mut others = Vec::new();
        for number in 0..100 {
            match meet(&interests, "v", &format!("b{number}@localhost/x")) {
                Met::Unknown(kind) => others.push(kind),
                other => panic!("{other:?}"),
            }
        }
        assert!(others.iter().all(|kind| kind.wants().is_none()));
        assert_eq!(interests.learned("v", wants(&["b", "a", "b"]), 0).len(), 100);
        assert!(others.iter().chain([&first]).all(|kind| kind.wants_node("a") && !kind.wants_node("c")));
        let Met::Known(kind) = meet(&interests, "v", "c@localhost/1") else { panic!("it is known") };
        assert_eq!(kind.wants().unwrap().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(interests.count(), (1, 0));
    }

    #[test]
    fn after_a_lie_the_next_one_is_asked_and_nothing_is_known() {
        let interests = Interests::default();
        let Met::Ask(first) = meet(&interests, "v", "a@localhost/1") else { panic!("nobody was asked before") };
        assert!(matches!(meet(&interests, "v", "b@localhost/1"), Met::Unknown(_)));
        assert!(matches!(meet(&interests, "v", "a@localhost/1"), Met::Unknown(_)), "seen by somebody else");
        let (same, next) = interests.not_learned("v", &jid("a@localhost/1"));
        let next = next.unwrap();
        assert_eq!((same.len(), next.client.as_str(), &*next.node), (1, "b@localhost/1", "urn:x#v"));
        assert_eq!(interests.not_learned("v", &next.client), (vec![], None));
        assert!(first.is_given_up(), "it can be tried again");
        assert_eq!((interests.count(), interests.memory_usage()), ((0, 0), 0));
        assert!(matches!(meet(&interests, "v", "c@localhost/1"), Met::Ask(_)));
    }

    #[test]
    fn nobody_makes_the_server_ask_without_end() {
        let interests = Interests::default();
        let ask = |number: usize, client: &str| matches!(meet(&interests, &number.to_string(), client), Met::Ask(_));
        let asked = (0..100).filter(|&number| ask(number, "mallory@localhost/x")).count();
        assert_eq!(asked, QUESTIONS_OF_ACCOUNT_MAX);
        let far = (100..200).filter(|&number| {
            let met = interests.meet(
                &announcement(&number.to_string()),
                &jid(&format!("m{number}@far.example/x")),
                &jid("a@localhost"),
                0,
            );
            matches!(met, Met::Ask(_))
        });
        assert_eq!(far.count(), QUESTIONS_OF_REMOTE_MAX, "another server pays for all of its clients");
        let others = (200..200 + 2 * QUESTIONS_MAX).filter(|&number| ask(number, &format!("m{number}@localhost/x")));
        assert_eq!(others.count(), QUESTIONS_MAX - QUESTIONS_OF_ACCOUNT_MAX - QUESTIONS_OF_REMOTE_MAX);
        interests.give_up("0");
        assert!(ask(9_999, "mallory@localhost/x"), "one is over, so there is room for another");
    }

    #[test]
    fn what_is_known_is_bounded_and_asked_again_after_its_time() {
        let interests = Interests::default();
        let learn = |name: &str, now_ms: u64| {
            let _ = interests.meet(&announcement(name), &jid("a@localhost/1"), &jid("localhost"), now_ms);
            interests.learned(name, wants(&["urn:xmpp:avatar:metadata"]), now_ms);
        };
        let is_known = |name: &str, now_ms: u64| {
            matches!(
                interests.meet(&announcement(name), &jid("a@localhost/1"), &jid("localhost"), now_ms),
                Met::Known(_)
            )
        };
        learn("first", 0);
        for number in 0..100_000 {
            learn(&number.to_string(), 0);
            assert!(interests.memory_usage() <= BYTES_MAX);
        }
        assert!(interests.count().0 > 1000 && !is_known("first", 0) && is_known("99999", KEEP_MS - 1));
        let before = interests.count().0;
        assert!(!is_known("99999", KEEP_MS));
        assert_eq!(interests.count().0, before - 1);
    }
}
