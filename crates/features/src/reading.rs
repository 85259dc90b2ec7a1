//! An archive as people read it on pages: when something was said, and what was said in a time, in the order in which it was stored.
//! Asked by the web pages of `net` for whom they have let in; every answer is bounded.

mod peers;
mod said;

use metronome_host::server::Server;
use metronome_model::{AccountId, ArchivedRow};
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use metronome_store::archive::{Filter, Found, From, Page, Place, Rest, Search};

pub use peers::{Peer, peers};
pub use said::{Said, said};

/// Reads for one answer: some hundred thousand messages are looked at.
const READS_MAX: usize = 16;

/// Bytes of messages in one answer; it has at least one message.
const BYTES_MAX: usize = 512 * 1024;

/// An archive, or a part of it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Whose.
    pub owner: AccountId,
    /// Only what was exchanged with this address.
    pub with: Option<Jid>,
    /// Only what was stored at this Unix time in milliseconds or later.
    pub since_ms: u64,
}

/// Some messages, and from where it goes on.
#[derive(Debug, Default)]
pub struct Part {
    /// The messages, in their order.
    pub rows: Vec<ArchivedRow>,
    /// The id behind which the next part begins, if there may be one.
    pub next: Option<u64>,
}

impl Reading {
    /// When the first and the last of its messages were stored, in Unix milliseconds; none if there is none.
    pub async fn ends(&self, server: &Server) -> Result<Option<(u64, u64)>, StoreError> {
        let filter = self.filter((0, u64::MAX));
        let first = server.store.places(self.owner, filter.clone(), 1).await?;
        let mut search = Search { filter, from: From::Last, rows_max: 1, ..Search::default() };
        for _ in 0..READS_MAX {
            let Found::Page(Page { rows, rest, .. }) = server.store.search(self.owner, search.clone()).await? else {
                break;
            };
            match (rows.last(), rest) {
                (Some(last), _) => {
                    return Ok(first.first().map(|first: &Place| (first.at_ms.min(last.at_ms), last.at_ms)));
                }
                (None, Rest::Unsearched { at, .. }) => search.before = at,
                (None, _) => break,
            }
        }
        Ok(first.first().map(|first| (first.at_ms, first.at_ms)))
    }

    /// Whether there is a message between two times, in Unix milliseconds, both included.
    pub async fn has(&self, server: &Server, times_ms: (u64, u64)) -> Result<bool, StoreError> {
        let filter = self.filter(times_ms);
        Ok(filter.from_ms <= filter.to_ms && !server.store.places(self.owner, filter, 1).await?.is_empty())
    }

    /// What was said between two times behind the message with this id; at most so many messages.
    pub async fn part(
        &self,
        server: &Server,
        times_ms: (u64, u64),
        after: u64,
        rows_max: usize,
    ) -> Result<Part, StoreError> {
        let filter = self.filter(times_ms);
        if filter.from_ms > filter.to_ms {
            return Ok(Part::default());
        }
        let mut search = Search { filter, after, rows_max, bytes_max: BYTES_MAX, ..Search::default() };
        let mut part = Part::default();
        for _ in 0..READS_MAX {
            let Found::Page(mut page) = server.store.search(self.owner, search.clone()).await? else { break };
            part.rows.append(&mut page.rows);
            part.next = match page.rest {
                Rest::Nothing => None,
                Rest::More => part.rows.last().map(|row| row.id),
                Rest::Unsearched { at, .. } => Some(at),
            };
            match page.rest {
                Rest::Unsearched { at, .. } if part.rows.is_empty() => search.after = at,
                _ => break,
            }
        }
        Ok(part)
    }

    fn filter(&self, (from_ms, to_ms): (u64, u64)) -> Filter {
        Filter { with: self.with.clone(), from_ms: from_ms.max(self.since_ms), to_ms, ..Filter::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metronome_host::options::Values;
    use metronome_host::server::{ForTest, only_answer};
    use metronome_model::{Account, AccountState, Direction, Keep, Op, Outcome, Record, Role};
    use metronome_proto::stanza::{Kind, MessageType, Stanza};
    use metronome_proto::xml::Content;
    use metronome_store::backend::memory;

    use super::*;

    const ALICE: AccountId = AccountId::from_bytes([7; 16]);

    async fn server() -> Arc<Server> {
        let values = Values::defaults(&[metronome_host::hosts::SETTINGS]);
        let parts = ForTest { opened: memory::open(), values, features: &[], domains: &["localhost"], seed: 1 };
        let server = Server::for_test(parts, only_answer).unwrap();
        let account = Account {
            id: ALICE,
            host: "localhost".into(),
            name: "alice".into(),
            role: Role::User,
            state: AccountState::Active,
            auth_epoch: 0,
            created_ms: 0,
        };
        commit(&server, Op::AddAccount { account: Box::new(account), keys: Vec::new() }).await;
        server
    }

    async fn commit(server: &Server, op: Op) {
        let outcome = server.commit(Record::of(op)).await;
        assert!(matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    }

    async fn got(server: &Server, from: &str, body: &str, at_ms: u64) {
        let content = Content::parse(format!("<body>{body}</body>").as_bytes()).unwrap();
        let stanza = Stanza::new(Kind::Message(MessageType::Chat), Jid::parse(from).unwrap()).with_content(content);
        let stanza = Arc::new(stanza.with_to(Jid::parse("alice@localhost").unwrap()));
        let (direction, keep) = (Direction::Received, Keep::Archive);
        commit(server, Op::Append { owner: ALICE, at_ms, direction, keep, unseen: false, stanza }).await;
    }

    fn reading(with: Option<&str>, since_ms: u64) -> Reading {
        Reading { owner: ALICE, with: with.map(|with| Jid::parse(with).unwrap()), since_ms }
    }

    fn ids(part: &Part) -> Vec<u64> {
        part.rows.iter().map(|row| row.id).collect()
    }

    #[tokio::test]
    async fn a_time_is_read_in_parts_and_what_was_before_is_not_there() {
        let server = server().await;
        assert_eq!(reading(None, 0).ends(&server).await.unwrap(), None);
        for number in 1..=5 {
            got(&server, "bob@localhost/phone", "x", number * 100).await;
        }
        let all = reading(None, 0);
        assert_eq!(all.ends(&server).await.unwrap(), Some((100, 500)));
        let first = all.part(&server, (200, 500), 0, 2).await.unwrap();
        assert_eq!((ids(&first), first.next), (vec![2, 3], Some(3)));
        let second = all.part(&server, (200, 500), 3, 2).await.unwrap();
        assert_eq!((ids(&second), second.next), (vec![4, 5], None));
        let later = reading(None, 300);
        assert_eq!(later.ends(&server).await.unwrap(), Some((300, 500)));
        assert_eq!(ids(&later.part(&server, (0, 400), 0, 10).await.unwrap()), [3, 4]);
        assert!(!later.has(&server, (0, 299)).await.unwrap() && later.has(&server, (0, 300)).await.unwrap());
        assert!(ids(&later.part(&server, (0, 200), 0, 10).await.unwrap()).is_empty());
        assert_eq!(reading(None, 501).ends(&server).await.unwrap(), None);
    }

    #[tokio::test]
    async fn people_are_those_of_the_messages_the_last_first() {
        let server = server().await;
        got(&server, "bob@localhost/phone", "x", 100).await;
        got(&server, "carol@localhost/phone", "x", 200).await;
        got(&server, "bob@localhost/desk", "x", 300).await;
        let people = peers(&server, ALICE).await.unwrap();
        let people: Vec<_> = people.iter().map(|peer| (peer.jid.as_str(), peer.last_ms)).collect();
        assert_eq!(people, [("bob@localhost", Some(300)), ("carol@localhost", Some(200))]);
        let carol = reading(Some("carol@localhost"), 0);
        assert_eq!(carol.ends(&server).await.unwrap(), Some((200, 200)));
        assert_eq!(ids(&carol.part(&server, (0, u64::MAX), 0, 10).await.unwrap()), [2]);
        assert!(peers(&server, AccountId::from_bytes([9; 16])).await.unwrap().is_empty());
    }
}
