//! Logins with a token (XEP-0484) and the resource along with it (XEP-0386): stream header and login leave in one write, and nothing is
//! waited for in between. Called by `connect`; keeps one token per account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use metronome_sasl::client::{hashed_token, is_same_token};

use crate::connect::Session;
use crate::frames::between;
use crate::scram::{Secrets, verify};

/// The mechanism that a server without channel binding has as well.
const MECHANISM: &str = "HT-SHA-256-NONE";
const BIND: &str = "<bind xmlns='urn:xmpp:bind:0'><tag>bench</tag></bind>";

/// The tokens that the server has given.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: Mutex<HashMap<Box<str>, Box<str>>>,
}

impl Tokens {
    /// Logs in on a connection whose stream is to be opened; the first time with the password, asking for a token.
    pub(crate) async fn log_in(
        &self,
        session: &mut Session,
        user: &str,
        domain: &str,
        secrets: &Secrets,
    ) -> Result<()> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned();
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             version='1.0' from='{user}@{domain}' to='{domain}'>"
        );
        let success = match &known {
            Some(token) => prove(session, &header, user, token).await?,
            None => ask(session, &header, user, secrets).await?,
        };
        // With the first login comes the first token, and from time to time another.
        if let Some(token) = token_in(&success) {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(user.into(), token.into());
        }
        session.expect("<stream:features").await.map(drop)
    }
}

async fn prove(session: &mut Session, header: &str, user: &str, token: &str) -> Result<Vec<u8>> {
    let message = BASE64_STANDARD.encode(hashed_token(user, token, b""));
    let inside = format!("{}{BIND}<fast xmlns='urn:xmpp:fast:0'/>", user_agent(user));
    session.write(format!("{header}{}", authenticate(MECHANISM, &message, &inside)).as_bytes()).await?;
    session.expect("<stream:features").await?;
    let success = session.expect("<success").await?;
    let data = BASE64_STANDARD.decode(data_in(&success)?)?;
    ensure!(is_same_token(token, b"", &data), "the server has not proved that it has the token");
    Ok(success)
}

async fn ask(session: &mut Session, header: &str, user: &str, secrets: &Secrets) -> Result<Vec<u8>> {
    let (first, waiting) = secrets.first(user);
    let wants = format!("<request-token xmlns='urn:xmpp:fast:0' mechanism='{MECHANISM}'/>");
    let inside = format!("{}{BIND}{wants}", user_agent(user));
    let begins = authenticate(secrets.mechanism().name(), &first, &inside);
    session.write(format!("{header}{begins}").as_bytes()).await?;
    session.expect("<stream:features").await?;
    let challenge = session.expect("<challenge").await?;
    let (answer, answered) = secrets.answer(waiting, between(&challenge, ">", b'<').context("empty challenge")?)?;
    session.write(format!("<response xmlns='urn:xmpp:sasl:2'>{answer}</response>").as_bytes()).await?;
    let success = session.expect("<success").await?;
    verify(answered, data_in(&success)?)?;
    ensure!(token_in(&success).is_some(), "the server gives no token");
    Ok(success)
}

fn authenticate(mechanism: &str, message: &str, inside: &str) -> String {
    format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>\
         <initial-response>{message}</initial-response>{inside}</authenticate>"
    )
}

/// One installation for each account.
fn user_agent(user: &str) -> String {
    let number = user.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    format!("<user-agent id='{number:08x}-1d72-4749-b3d3-740edbf87770'/>")
}

fn data_in(success: &[u8]) -> Result<&str> {
    between(success, "<additional-data>", b'<').context("the server proves nothing")
}

fn token_in(success: &[u8]) -> Option<String> {
    let attributes = between(success, "<token", b'>')?;
    [("token='", '\''), ("token=\"", '"')].iter().find_map(|(begin, end)| {
        let (_, rest) = attributes.split_once(begin)?;
        rest.split_once(*end).map(|(token, _)| token.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_however_it_is_quoted() {
        let quoted = |quote: &str| {
            format!(
                "<success><token xmlns={quote}urn:xmpp:fast:0{quote} expiry={quote}x{quote} token={quote}abc{quote}/></success>"
            )
        };
        assert_eq!(token_in(quoted("'").as_bytes()).as_deref(), Some("abc"));
        assert_eq!(token_in(quoted("\"").as_bytes()).as_deref(), Some("abc"));
        assert_eq!(token_in(b"<success/>"), None);
    }

    #[test]
    fn each_account_is_a_client_of_its_own() {
        assert_ne!(user_agent("u1"), user_agent("u2"));
        assert!(user_agent("u1").contains("-1d72-4749-b3d3-740edbf87770'"));
    }
}
