//! Logins with stream management (XEP-0198): a stream goes on, or another one begins. Keeps nothing of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::timeout;

use super::{Door, LOGIN_SECONDS_MAX, Session, UNRELATED_STANZAS_MAX};
use crate::frames::attribute;
use crate::managed::Managed;

impl Door {
    /// Logs account `number` in with stream management (XEP-0198): its stream is resumed if it has one, else another one begins.
    pub(crate) async fn enter(&self, number: usize, managed: &mut Managed) -> Result<Session> {
        let user = format!("{}{number}", self.target.user_prefix);
        let entered = async {
            let (mut session, features) = self.authenticated(&user).await?;
            if !session.resume(managed).await? {
                session.bind(&features).await?;
                session.enable(managed).await?;
            }
            Ok(session)
        };
        timeout(Duration::from_secs(LOGIN_SECONDS_MAX), entered).await.context("login takes too long")?
    }
}

impl Session {
    /// Asks for stream management with resumption. Counting begins behind the answer; what comes before it is not looked at.
    pub(crate) async fn enable(&mut self, managed: &mut Managed) -> Result<()> {
        self.write(b"<enable xmlns='urn:xmpp:sm:3' resume='true'/>").await?;
        for _ in 0..UNRELATED_STANZAS_MAX {
            let answer = self.next().await?;
            ensure!(!answer.starts_with(b"<failed"), "no stream management: {}", String::from_utf8_lossy(&answer));
            if answer.starts_with(b"<enabled") {
                managed.begin(attribute(&answer, "id"));
                return Ok(());
            }
        }
        bail!("too many stanzas come before <enabled/>")
    }

    /// Resumes the stream if there is one, and sends what was not handled. False if there is none, or it is over.
    async fn resume(&mut self, managed: &mut Managed) -> Result<bool> {
        let Some((name, h)) = managed.to_resume() else { return Ok(false) };
        let resume = format!("<resume xmlns='urn:xmpp:sm:3' previd='{name}' h='{h}'/>");
        self.write(resume.as_bytes()).await?;
        let answer = self.next().await?;
        if answer.starts_with(b"<failed") {
            managed.fail();
            return Ok(false);
        }
        ensure!(answer.starts_with(b"<resumed"), "wanted <resumed, got {}", String::from_utf8_lossy(&answer));
        let h = attribute(&answer, "h").and_then(|h| h.parse().ok()).context("resumed without a number")?;
        let again = managed.resume(h) + "<r xmlns='urn:xmpp:sm:3'/>";
        self.write(again.as_bytes()).await?;
        Ok(true)
    }
}
