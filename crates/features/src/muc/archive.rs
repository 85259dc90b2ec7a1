//! The archive of a room (XEP-0313, on archives of rooms): the same archive as people's, owned by the room's account. A row is what
//! everybody has got; who wrote it stands in its `to`, so that it is found by that address, and in a `<x/>` for those who may see it.

use std::sync::Arc;

use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Handle, IqHandler};
use metronome_host::refuse::Refuse;
use metronome_host::rooms::{self, Access, Answer, Question, Reader};
use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow, Direction, Keep, Op};
use metronome_muc::archive::{Sees, View};
use metronome_muc::history::{Past, Wanted};
use metronome_muc::{ArchiveOp, Standing};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::mam::Query;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::Stanza;
use metronome_store::archive::{Filter, Found, From, Page, Rest, Search};

use super::standing;
use crate::disco;
use crate::mam::query::Archive;
use crate::mam::removal::{self, Stopped, Unread};
use crate::mam::{self, query};

/// Bytes of messages that somebody gets who enters; the newest go first, and there is always one.
const HISTORY_BYTES_MAX: usize = 256 * 1024;

/// Reads for one page: some hundred thousand messages are looked at for whoever asks.
const READS_MAX: usize = 16;

/// Asks what can be asked for.
pub(super) const FORM: IqHandler = handler(IqType::Get, "query", |server, env| Box::pin(form(server, env)));

/// Asks for messages.
pub(super) const QUERY: IqHandler = handler(IqType::Set, "query", |server, env| Box::pin(search(server, env)));

/// Asks where the archive begins and ends.
pub(super) const METADATA: IqHandler = handler(IqType::Get, "metadata", |server, env| Box::pin(metadata(server, env)));

const fn handler(kind: IqType, name: &'static str, handle: Handle) -> IqHandler {
    IqHandler { kind, at: At::Room, ns: ns::MAM, name, asks: Asks::Read, handle }
}

/// What changes in the archive of a room, for the record of the decision that says so. The ids of the outcome are those of the new rows in
/// their order.
pub fn ops(owner: AccountId, changes: Vec<ArchiveOp>, at_ms: u64) -> impl Iterator<Item = Op> {
    changes.into_iter().map(move |change| match change {
        ArchiveOp::Append(stanza) => Op::Append {
            owner,
            at_ms,
            // Sent, so that it is found by its recipient; and no client has to prove that it has it.
            direction: Direction::Sent,
            keep: Keep::Archive,
            unseen: false,
            stanza: Arc::new(stored(stanza)),
        },
        ArchiveOp::Replace { id, stanza } => Op::Replace { owner, id, stanza: Arc::new(stored(stanza)) },
    })
}

/// As a row is stored: for whoever wrote it. What the room says itself is for nobody.
fn stored(stanza: Stanza) -> Stanza {
    let author = stanza.child(ns::MUC_USER, "x").and_then(|x| x.child(ns::MUC_USER, "item")?.attr("jid").map(String::from));
    let to = author.and_then(|jid| Jid::parse(&jid).ok());
    Stanza { to, ..stanza }
}

/// A row as rooms know it.
fn of_row(row: ArchivedRow) -> Past {
    let stanza = Stanza { to: None, ..row.stanza };
    Past { id: row.id, stanza_id: row.id.to_string().into(), at_ms: row.at_ms, stanza }
}

/// What was said before somebody entered, oldest first.
pub async fn past(server: &Server, owner: AccountId, wanted: Wanted) -> Result<Vec<Past>, Refuse> {
    let Wanted { messages_max, since_ms } = wanted;
    let mut search = Search {
        filter: Filter { from_ms: since_ms, ..Filter::default() },
        from: From::Last,
        rows_max: usize::try_from(messages_max).unwrap_or(usize::MAX),
        bytes_max: HISTORY_BYTES_MAX,
        ..Search::default()
    };
    if search.rows_max == 0 {
        return Ok(Vec::new());
    }
    loop {
        let Found::Page(Page { rows, rest, .. }) = server.store.search(owner, search.clone()).await? else {
            return Ok(Vec::new());
        };
        match rest {
            // As many rows without one that is new enough: time has gone backwards, and what is before may be new again.
            Rest::Unsearched { at, .. } if rows.is_empty() => search.before = at,
            _ => return Ok(rows.into_iter().map(of_row).collect()),
        }
    }
}

/// The row that somebody names by the id that the room gave it (XEP-0359); none if there is none.
pub async fn row(server: &Server, owner: AccountId, id: &str) -> Result<Option<Past>, Refuse> {
    let Some(id) = query::id(id) else { return Ok(None) };
    let rows = server.store.rows(owner, vec![(id, id)], 1).await?;
    Ok(rows.into_iter().next().map(of_row))
}

/// Removes what was said, or what is older than a Unix time in milliseconds, and says how many messages that were. What comes meanwhile
/// stays.
pub async fn purge(server: &Server, owner: AccountId, before_ms: Option<u64>) -> Result<u64, Stopped> {
    let below = server.store.last_id(owner).await?.saturating_add(1);
    let to_ms = before_ms.map_or(u64::MAX, |before_ms| before_ms.saturating_sub(1));
    removal::remove(server, owner, Filter { below, to_ms, ..Filter::default() }, Unread::Stay).await
}

/// The account with the room's archive, and what whoever asks may see of it; refuses those who may not enter.
async fn open(server: &Server, env: &Envelope, with: Option<&Jid>) -> Result<(Option<AccountId>, View), Refuse> {
    let room = env.stanza.to.as_ref().ok_or(Condition::ServiceUnavailable)?.bare();
    let standing = match standing::of(server, env, &disco::asked_host(server, env)).await? {
        Standing::Ordinary => rooms::Standing::Ordinary,
        Standing::Superuser => rooms::Standing::Superuser,
    };
    let reader = Reader { who: env.stanza.from.clone(), standing, with: with.cloned() };
    match server.rooms.ask(&room, Question::Archive(reader)).await? {
        Answer::Archive(Access { id, sees, with }) => Ok((id, View { sees: sees_of(sees), with })),
        _ => Err(Condition::InternalServerError.into()),
    }
}

fn sees_of(sees: rooms::Sees) -> Sees {
    match sees {
        rooms::Sees::Addresses => Sees::Addresses,
        rooms::Sees::Nicknames => Sees::Nicknames,
    }
}

async fn form(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    open(server, env, None).await?;
    mam::form(env)
}

async fn search(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let query = query::read(env)?;
    let (owner, view) = open(server, env, query.with.as_ref()).await?;
    let query = Query { with: view.with.clone(), ..query };
    let address = env.stanza.to.as_ref().ok_or(Condition::ServiceUnavailable)?.bare();
    let shown = |stanza| view.shown(stanza);
    let host = disco::asked_host(server, env);
    let archive = Archive { owner, address, host, reads_max: READS_MAX, shown: &shown };
    query::answer_of(server, env, &archive, &query).await
}

async fn metadata(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let (owner, _) = open(server, env, None).await?;
    mam::tell_position(server, env, owner).await
}

#[cfg(test)]
mod tests {
    use metronome_host::options::Values;
    use metronome_host::server::{ForTest, only_answer};
    use metronome_model::{Account, Outcome, Record};
    use metronome_proto::stanza::{Kind, MessageType};
    use metronome_proto::xml::Content;
    use metronome_store::backend::memory;

    use super::*;

    const ROOM: AccountId = AccountId::from_bytes([7; 16]);

    async fn server() -> Arc<Server> {
        let values = Values::defaults(&[metronome_host::hosts::SETTINGS]);
        let parts = ForTest { opened: memory::open(), values, features: &[], domains: &["localhost"], seed: 1 };
        let server = Server::for_test(parts, only_answer).unwrap();
        let account = Box::new(Account::of_room(ROOM, "rooms.localhost", "coven", 1));
        commit(&server, [Op::AddAccount { account, keys: Vec::new() }]).await;
        server
    }

    async fn commit(server: &Arc<Server>, ops: impl IntoIterator<Item = Op>) -> Vec<u64> {
        let mut record = Record::default();
        ops.into_iter().for_each(|op| record.push(op));
        match server.commit(record).await {
            Outcome::Done { ids } => ids.to_vec(),
            outcome => panic!("{outcome:?}"),
        }
    }

    fn said(author: &str, body: &str) -> Stanza {
        let from = Jid::parse("coven@rooms.localhost/hag").unwrap();
        let xml = format!(
            "<body>{body}</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='{author}'/></x>"
        );
        Stanza::new(Kind::Message(MessageType::Groupchat), from).with_content(Content::parse(xml.as_bytes()).unwrap())
    }

    async fn say(server: &Arc<Server>, author: &str, body: &str, at_ms: u64) -> u64 {
        commit(server, ops(ROOM, vec![ArchiveOp::Append(said(author, body))], at_ms)).await[0]
    }

    async fn bodies(server: &Server, messages_max: u64, since_ms: u64) -> Vec<String> {
        let past = past(server, ROOM, Wanted { messages_max, since_ms }).await.unwrap();
        assert!(past.iter().all(|past| past.stanza.to.is_none() && *past.stanza_id == *past.id.to_string()));
        past.iter().map(|past| past.stanza.child(ns::CLIENT, "body").unwrap().text().into_owned()).collect()
    }

    #[tokio::test]
    async fn who_enters_gets_the_newest_that_are_new_enough_in_their_order() {
        let server = server().await;
        for number in 1..=5 {
            say(&server, "bob@localhost/phone", &number.to_string(), 100 * number).await;
        }
        assert_eq!(bodies(&server, 2, 0).await, ["4", "5"]);
        assert_eq!(bodies(&server, u64::MAX, 300).await, ["3", "4", "5"]);
        assert_eq!(bodies(&server, u64::MAX, 501).await, [""; 0]);
        assert_eq!(bodies(&server, 0, 0).await, [""; 0]);
    }

    #[tokio::test]
    async fn what_is_sent_to_who_enters_is_bounded_in_bytes() {
        let server = server().await;
        for _ in 0..10 {
            say(&server, "bob@localhost/phone", &"x".repeat(100 * 1024), 100).await;
        }
        assert_eq!(bodies(&server, 10, 0).await.len(), 2);
    }

    #[tokio::test]
    async fn a_row_is_found_by_its_id_and_by_who_wrote_it_also_when_it_was_replaced() {
        let server = server().await;
        let id = say(&server, "bob@localhost/phone", "one", 100).await;
        say(&server, "carol@localhost/phone", "two", 100).await;
        let found = row(&server, ROOM, &id.to_string()).await.unwrap().unwrap();
        assert_eq!((found.id, found.stanza.clone()), (id, said("bob@localhost/phone", "one")));
        for none in ["0", "01", "+1", "9", "", "one"] {
            assert!(row(&server, ROOM, none).await.unwrap().is_none(), "{none}");
        }
        let other = said("bob@localhost/phone", "taken back");
        commit(&server, ops(ROOM, vec![ArchiveOp::Replace { id, stanza: other.clone() }], 200)).await;
        let filter = Filter { with: Some(Jid::parse("bob@localhost").unwrap()), ..Filter::default() };
        let Found::Page(page) = server.store.search(ROOM, Search { filter, ..Search::default() }).await.unwrap() else {
            panic!("there is a page");
        };
        assert_eq!(page.rows.len(), 1);
        assert_eq!(of_row(page.rows[0].clone()).stanza, other);
        assert_eq!(page.rows[0].at_ms, 100);
    }

    #[tokio::test]
    async fn a_purge_takes_what_is_old_or_everything() {
        let server = server().await;
        for number in 1..=3 {
            say(&server, "bob@localhost/phone", &number.to_string(), 100 * number).await;
        }
        assert_eq!(purge(&server, ROOM, Some(200)).await.unwrap(), 1);
        assert_eq!(bodies(&server, 10, 0).await, ["2", "3"]);
        assert_eq!(purge(&server, ROOM, None).await.unwrap(), 2);
        assert_eq!(say(&server, "bob@localhost/phone", "new", 400).await, 4);
        assert_eq!(bodies(&server, 10, 0).await, ["new"]);
    }
}
