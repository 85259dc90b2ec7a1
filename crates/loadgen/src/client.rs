//! A client on one connection, with stream management (XEP-0198) or without. Called by `crash`.
//! What is managed outlives the connection, which keeps nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::timeout;

use crate::connect::{Door, Session, Stream};
use crate::frames::{attribute, between, contains};
use crate::managed::{Managed, Sent};

/// A page of an archive that takes longer is an error.
const PAGE_SECONDS_MAX: u64 = 60;
/// Messages of one page.
const PAGE: u32 = 100;

/// A connection of a client.
pub(crate) struct Client<'a> {
    session: Session,
    managed: Option<&'a mut Managed>,
}

/// A message of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archived {
    /// Under which the archive knows it.
    pub(crate) id: String,
    pub(crate) body: String,
}

impl<'a> Client<'a> {
    /// Logs account `number` in. A managed client resumes its stream if it has one, and sends what the server has not handled.
    pub(crate) async fn connect(door: &Door, number: usize, managed: Option<&mut Managed>) -> Result<Session> {
        match managed {
            None => door.login(number).await,
            Some(managed) => door.enter(number, managed).await,
        }
    }

    /// A client on a connection that has been made for it.
    pub(crate) fn new(session: Session, managed: Option<&'a mut Managed>) -> Client<'a> {
        Client { session, managed }
    }

    /// What is managed of this client.
    pub(crate) fn managed(&mut self) -> Option<&mut Managed> {
        self.managed.as_deref_mut()
    }

    /// Waits for bytes. Nothing is lost if the future is dropped.
    pub(crate) async fn wait(&mut self) -> Result<()> {
        self.session.read().await
    }

    /// Gives every stanza received so far to `see`, and answers what the server asks. Fails if the stream is closed.
    pub(crate) async fn take(&mut self, mut see: impl FnMut(&[u8])) -> Result<()> {
        let managed = &mut self.managed;
        let stream = self.session.stanzas(|stanza| {
            if managed.as_mut().is_none_or(|managed| managed.heard(stanza)) {
                see(stanza);
            }
        });
        ensure!(stream == Stream::Open, "the server closed the stream");
        let answers = self.session.take_answers();
        let mut text = answers.concat();
        if let Some(managed) = &mut self.managed {
            answers.into_iter().for_each(|stanza| managed.send(Sent { stanza, number: None }));
            text.extend(managed.answer());
        }
        if text.is_empty() { Ok(()) } else { self.session.write(text.as_bytes()).await }
    }

    /// Sends stanzas; a managed client asks for an acknowledgement behind them.
    pub(crate) async fn send(&mut self, stanzas: Vec<Sent>) -> Result<()> {
        let mut text: String = stanzas.iter().map(|sent| sent.stanza.as_str()).collect();
        if let Some(managed) = &mut self.managed {
            stanzas.into_iter().for_each(|sent| managed.send(sent));
            text.push_str("<r xmlns='urn:xmpp:sm:3'/>");
        }
        self.session.write(text.as_bytes()).await
    }

    /// The whole archive of the account behind the message `after`, or all of it, oldest first (XEP-0313).
    /// Every other stanza on the way goes to `see`.
    pub(crate) async fn archive(&mut self, after: Option<String>, mut see: impl FnMut(&[u8])) -> Result<Vec<Archived>> {
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let page = self.page(after.as_deref(), &mut found, &mut see);
            let fin =
                timeout(Duration::from_secs(PAGE_SECONDS_MAX), page).await.context("an archive does not answer")??;
            ensure!(attribute(&fin, "type") == Some("result"), "no archive: {}", String::from_utf8_lossy(&fin));
            let last = between(&fin, "<last>", b'<').map(str::to_owned);
            if contains(&fin, "complete='true'") || contains(&fin, "complete=\"true\"") || last.is_none() {
                return Ok(found);
            }
            after = last;
        }
    }

    /// One page; returns the answer to the request.
    async fn page(
        &mut self,
        after: Option<&str>,
        found: &mut Vec<Archived>,
        see: &mut impl FnMut(&[u8]),
    ) -> Result<Vec<u8>> {
        let after = after.map(|id| format!("<after>{id}</after>")).unwrap_or_default();
        // Of its own, because a managed client sends what was not handled once more, on whatever connection.
        let id = format!("page{:x}", fastrand::u64(..));
        let stanza = format!(
            "<iq type='set' id='{id}'><query xmlns='urn:xmpp:mam:2' queryid='{id}'>\
             <set xmlns='http://jabber.org/protocol/rsm'><max>{PAGE}</max>{after}</set></query></iq>"
        );
        self.send(vec![Sent { stanza, number: None }]).await?;
        let mut fin = None;
        while fin.is_none() {
            self.wait().await?;
            self.take(|stanza| match archived(stanza, &id) {
                Some(archived) => found.push(archived),
                None if stanza.starts_with(b"<iq") && attribute(stanza, "id") == Some(&id) => {
                    fin = Some(stanza.to_vec());
                }
                None => see(stanza),
            })
            .await?;
        }
        fin.context("no answer")
    }

    /// Closes the stream gracefully; `Closed` says that both sides did. A managed client says first what it has had.
    pub(crate) async fn close(self, mut see: impl FnMut(&[u8])) -> Result<Stream> {
        let Client { mut session, managed } = self;
        let Some(managed) = managed else { return session.close(see).await };
        session.write(managed.count().as_bytes()).await?;
        let closed = session
            .close(|stanza| {
                if managed.heard(stanza) {
                    see(stanza);
                }
            })
            .await?;
        if closed == Stream::Closed {
            managed.over();
        }
        Ok(closed)
    }
}

/// The message in the answer of an archive to the request `id`, if `stanza` is one.
fn archived(stanza: &[u8], id: &str) -> Option<Archived> {
    let result = result(stanza).filter(|result| attribute(result, "queryid") == Some(id))?;
    let body = between(result, "<body>", b'<').unwrap_or_default().to_owned();
    Some(Archived { id: attribute(result, "id")?.to_owned(), body })
}

/// The result in the answer of an archive, to whatever request.
pub(crate) fn result(stanza: &[u8]) -> Option<&[u8]> {
    let result = &stanza[memchr::memmem::find(stanza, b"<result ")?..];
    (stanza.starts_with(b"<message") && attribute(result, "xmlns") == Some("urn:xmpp:mam:2")).then_some(result)
}

/// Under which the archive of the recipient knows a message that it was sent (XEP-0359).
pub(crate) fn stanza_id(stanza: &[u8]) -> Option<&str> {
    let begin = memchr::memmem::find(stanza, b"<stanza-id ")?;
    attribute(&stanza[begin..], "id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_an_archive_are_told_from_messages() {
        let answer = b"<message to='a'><result xmlns='urn:xmpp:mam:2' queryid='q' id='7'><forwarded><message id='m1'>\
            <body>1 from 3</body></message></forwarded></result></message>";
        assert_eq!(archived(answer, "q"), Some(Archived { id: "7".to_owned(), body: "1 from 3".to_owned() }));
        assert_eq!(archived(answer, "p"), None);
        assert!(result(answer).is_some());
        assert!(result(b"<message><body>1 from 3</body></message>").is_none());
        assert!(result(b"<message><result xmlns='x' id='7'><body>1</body></result></message>").is_none());
    }

    #[test]
    fn the_id_of_a_message_in_the_archive_is_found() {
        let message = b"<message id='m1'><body>1</body><stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='9'/></message>";
        assert_eq!(stanza_id(message), Some("9"));
        assert_eq!(stanza_id(b"<message id='m1'/>"), None);
    }
}
