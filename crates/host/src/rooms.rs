//! Rooms that are in use (XEP-0045): from an address to the inbox of the task that is the room. A room is there from the first thing that is
//! put into its inbox until its task finds nothing in it and nobody in the room. The tasks are in `route/rooms`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::task::{Context, Poll, Waker};

use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::muc::{AdminRequest, Affiliation, Destroy, Role};
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Stanza, StanzaError};
use metronome_proto::xml::Content;
use tokio::sync::{mpsc, oneshot};

use crate::envelope::Envelope;
use crate::sync::Mutex;

/// Most stanzas and questions that wait for one room; each of its occupants can have some there.
pub const ITEMS_MAX: usize = 16 * 1024;
/// Most bytes of them.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;

const SLICES: usize = 16;
/// What a question costs of the bytes.
const QUESTION_BYTES: usize = 1024;

/// The rooms that are in use.
#[derive(Debug)]
pub struct Rooms {
    slices: [Mutex<HashMap<Jid, Inbox>>; SLICES],
    /// Rooms that want a task.
    wanted: mpsc::UnboundedSender<Jid>,
    /// Taken by whoever starts the tasks.
    starts: Mutex<Option<mpsc::UnboundedReceiver<Jid>>>,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<Item>,
    bytes: usize,
    /// Present only while the task sleeps.
    waker: Option<Waker>,
}

/// What happens to a room.
#[derive(Debug)]
pub enum Item {
    /// A stanza to it, or to one of its occupants. It is settled when the room lets go of it.
    Stanza(Box<Envelope>),
    /// A session of ours is gone that may be in it, or is not available any more.
    Left(Jid),
    /// An error that answers something the room has sent.
    Returned(Box<Stanza>),
    /// A question, or an order, of the server itself.
    Asked(Box<Asked>),
    /// The account with this bare address has changed, or is gone.
    Changed(Jid),
    /// Somebody was there when the last process ended: they are put back.
    Wake,
    /// The server stops: who is in the room is saved. Answered by being dropped.
    Stop(oneshot::Sender<()>),
}

/// A question that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub question: Question,
    /// Who waits; they may have given up.
    pub answer: oneshot::Sender<Result<Answer, StanzaError>>,
}

/// What the server itself asks of a room. Orders are those of a superuser.
#[derive(Clone, Debug)]
pub enum Question {
    /// What it is, and who is in it.
    Show,
    /// How somebody may read its archive; who may not gets the error that says so.
    Archive(Reader),
    /// To be made, with this owner and what the form says beside the service's defaults.
    Create {
        /// The bare address.
        owner: Jid,
        /// A filled-in form; it need not have all fields.
        form: Option<DataForm>,
    },
    /// To be configured by a filled-in form, which need not have all fields.
    Configure(DataForm),
    /// A request about people.
    Admin(AdminRequest),
    /// To end.
    Destroy(Destroy),
    /// To say something to everybody, as itself.
    Announce(Box<str>),
}

/// What a room answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done.
    Done,
    /// What the request of a client would be answered with.
    Content(Content),
    /// To [`Question::Show`].
    Shown(Box<Shown>),
    /// To [`Question::Archive`].
    Archive(Access),
}

/// A room as administrators see it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its account; none while nothing of it is stored.
    pub id: Option<AccountId>,
    /// How it is configured, as the form of its owner.
    pub config: DataForm,
    /// What the conversation is about.
    pub subject: Option<String>,
    /// Who is in it.
    pub occupants: Vec<ShownOccupant>,
    /// What people are to it.
    pub affiliations: Vec<(Jid, Affiliation)>,
}

/// One session in a room.
#[derive(Clone, Debug)]
pub struct ShownOccupant {
    /// The nickname.
    pub nick: Box<str>,
    /// The real address, full.
    pub jid: Jid,
    /// The role.
    pub role: Role,
}

/// Who reads the archive of a room.
#[derive(Clone, Debug)]
pub struct Reader {
    /// The full address.
    pub who: Jid,
    /// What they are to all rooms.
    pub standing: Standing,
    /// Whose messages they want.
    pub with: Option<Jid>,
}

/// What somebody is to all rooms of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// What each room says of them.
    Ordinary,
    /// An owner of every room.
    Superuser,
}

/// How somebody reads the archive of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The account that has it; none while nothing of the room is stored.
    pub id: Option<AccountId>,
    /// What they see of those who wrote.
    pub sees: Sees,
    /// Whose messages they get, in the place of what they have asked for.
    pub with: Option<Jid>,
}

/// What is seen of those who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sees {
    /// Real addresses.
    Addresses,
    /// Nicknames only.
    Nicknames,
}

/// There is no room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Default for Rooms {
    fn default() -> Rooms {
        let (wanted, starts) = mpsc::unbounded_channel();
        Rooms { slices: Default::default(), wanted, starts: Mutex::new(Some(starts)) }
    }
}

impl Rooms {
    /// The addresses of rooms that want a task, each once. For whoever starts the tasks; none the second time.
    pub fn starts(&self) -> Option<mpsc::UnboundedReceiver<Jid>> {
        self.starts.lock().take()
    }

    /// Puts something into the inbox of the room at this bare address, which is begun if it is not in use. Stanzas and questions are given
    /// back if too much waits there already.
    pub fn push(&self, address: &Jid, item: Item) -> Result<(), Item> {
        let waker = {
            let mut slice = self.slice(address).lock();
            let inbox = match slice.entry(address.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    // Only fails when the server is gone.
                    let _ = self.wanted.send(address.clone());
                    entry.insert(Inbox::default())
                }
            };
            if item.is_bounded() && (inbox.waiting.len() >= ITEMS_MAX || inbox.bytes >= BYTES_MAX) {
                return Err(item);
            }
            inbox.put(item)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Tells a room something if it is in use; nothing happens otherwise.
    pub fn tell(&self, address: &Jid, item: Item) {
        let waker = {
            let mut slice = self.slice(address).lock();
            let inbox = slice.get_mut(address.bare_str());
            inbox.filter(|inbox| !item.is_bounded() || inbox.bytes < BYTES_MAX).and_then(|inbox| inbox.put(item))
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Tells all rooms in use that an account has changed.
    pub fn note_changed(&self, account: &Jid) {
        self.all().iter().for_each(|address| self.tell(address, Item::Changed(account.bare())));
    }

    /// Asks the room at this bare address, behind everything that waits there; what is not there answers `item-not-found`.
    pub async fn ask(&self, address: &Jid, question: Question) -> Result<Answer, StanzaError> {
        let (answer, answered) = oneshot::channel();
        let item = Item::Asked(Box::new(Asked { question, answer }));
        self.push(address, item).map_err(|_| StanzaError::new(Condition::ResourceConstraint))?;
        let gone = |_| StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait);
        answered.await.map_err(gone)?
    }

    /// Moves up to `most` of what waits behind `into`; with nothing there the task is woken by the next push.
    pub fn poll_take(&self, cx: &mut Context<'_>, address: &Jid, into: &mut Vec<Item>, most: usize) -> Poll<()> {
        let mut slice = self.slice(address).lock();
        let Some(inbox) = slice.get_mut(address.bare_str()) else { return Poll::Ready(()) };
        if inbox.waiting.is_empty() {
            inbox.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = inbox.waiting.len().min(most);
        for item in inbox.waiting.drain(..count) {
            inbox.bytes -= item.weight();
            into.push(item);
        }
        Poll::Ready(())
    }

    /// Forgets a room if nothing waits for it; its task ends then. False if it has to go on.
    pub fn end(&self, address: &Jid) -> bool {
        let mut slice = self.slice(address).lock();
        let is_idle = slice.get(address.bare_str()).is_none_or(|inbox| inbox.waiting.is_empty());
        if is_idle {
            slice.remove(address.bare_str());
        }
        is_idle
    }

    /// Whether the room at this address is in use.
    pub fn is_in_use(&self, address: &Jid) -> bool {
        self.slice(address).lock().contains_key(address.bare_str())
    }

    /// The addresses of all rooms in use.
    pub fn all(&self) -> Vec<Jid> {
        self.slices.iter().flat_map(|slice| slice.lock().keys().cloned().collect::<Vec<_>>()).collect()
    }

    /// How many rooms are in use.
    pub fn count(&self) -> usize {
        self.slices.iter().map(|slice| slice.lock().len()).sum()
    }

    /// Bytes of what waits, and of the table.
    pub fn memory_usage(&self) -> usize {
        let inbox = |(address, inbox): (&Jid, &Inbox)| {
            size_of::<(Jid, Inbox)>()
                + address.as_str().len()
                + inbox.waiting.capacity() * size_of::<Item>()
                + inbox.bytes
        };
        self.slices.iter().map(|slice| slice.lock().iter().map(inbox).sum::<usize>()).sum()
    }

    fn slice(&self, address: &Jid) -> &Mutex<HashMap<Jid, Inbox>> {
        let mut hasher = DefaultHasher::new();
        address.bare_str().hash(&mut hasher);
        &self.slices[hasher.finish() as usize % SLICES]
    }
}

impl Inbox {
    fn put(&mut self, item: Item) -> Option<Waker> {
        self.bytes += item.weight();
        self.waiting.push_back(item);
        self.waker.take()
    }
}

impl Item {
    /// Whether there may be too many of them. That a session is gone must not get lost: there are no more of those than sessions.
    fn is_bounded(&self) -> bool {
        matches!(self, Item::Stanza(_) | Item::Returned(_) | Item::Asked(_))
    }

    fn weight(&self) -> usize {
        match self {
            Item::Stanza(env) => env.weight(),
            Item::Returned(stanza) => stanza.content.len_bytes() + 512,
            Item::Asked(_) => QUESTION_BYTES,
            Item::Left(_) | Item::Changed(_) | Item::Wake | Item::Stop(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;
    use metronome_proto::stanza::{Kind, MessageType};

    use super::*;

    fn room() -> Jid {
        Jid::parse("coven@rooms.localhost").unwrap()
    }

    fn returned(bytes: usize) -> Item {
        let body = metronome_proto::xml::Tree::new("x", "y").text("x".repeat(bytes));
        let stanza = Stanza::new(Kind::Message(MessageType::Error), room());
        Item::Returned(Box::new(stanza.with_content(Content::from_tree(&body))))
    }

    fn take(rooms: &Rooms, most: usize) -> usize {
        let mut items = Vec::new();
        let waker = noop_waker();
        let _ = rooms.poll_take(&mut Context::from_waker(&waker), &room(), &mut items, most);
        items.len()
    }

    #[test]
    fn a_room_is_started_once_and_ends_when_nothing_waits() {
        let rooms = Rooms::default();
        let mut starts = rooms.starts().unwrap();
        rooms.tell(&room(), Item::Left(room()));
        assert!(starts.try_recv().is_err(), "nobody is told who is not there");
        rooms.push(&room(), Item::Left(room())).unwrap();
        rooms.push(&room(), Item::Left(room())).unwrap();
        assert_eq!(starts.try_recv().unwrap(), room());
        assert!(starts.try_recv().is_err() && !rooms.end(&room()));
        assert_eq!(take(&rooms, 1), 1);
        assert!(!rooms.end(&room()));
        assert_eq!(take(&rooms, 5), 1);
        assert!(rooms.end(&room()) && !rooms.is_in_use(&room()) && rooms.count() == 0);
        assert_eq!(rooms.memory_usage(), 0);
    }

    #[test]
    fn what_waits_is_bounded_but_for_what_must_not_get_lost() {
        let rooms = Rooms::default();
        let mut pushed = 0;
        while rooms.push(&room(), returned(64 * 1024)).is_ok() {
            pushed += 1;
        }
        assert!(pushed > 10 && rooms.memory_usage() < BYTES_MAX + 256 * 1024, "{pushed}");
        rooms.push(&room(), Item::Left(room())).unwrap();
        assert_eq!(take(&rooms, usize::MAX), pushed + 1);
    }
}
