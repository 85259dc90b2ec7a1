//! Streams that are opened as another server does, proved by its certificate (XEP-0178). Keeps nothing of its own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls_pki_types::ServerName;
use tokio::time::timeout;

use super::{Door, LOGIN_SECONDS_MAX, Session};
use crate::args::Target;
use crate::frames::{Frames, contains};
use crate::scram::Secrets;
use crate::tls::connector_with_certificate;
use crate::tokens::Tokens;

impl Door {
    /// For `link` alone: whoever connects shows this certificate. Fails if a file cannot be read.
    pub(crate) fn for_links(target: &Target, certificate: &Path, key: &Path) -> Result<Arc<Door>> {
        Ok(Arc::new(Door {
            secrets: Secrets::new(target.mechanism, &target.password)?,
            tls: connector_with_certificate(target.suite, certificate, key)?,
            tls_name: ServerName::try_from(target.domain.clone()).context("the domain is not a DNS name")?,
            target: target.clone(),
            connections: AtomicU32::new(0),
            tokens: Tokens::default(),
        }))
    }

    /// A stream from `domain` over which stanzas may be sent. TLS is the first on the connection (XEP-0368).
    pub(crate) async fn link(&self, domain: &str) -> Result<Session> {
        timeout(Duration::from_secs(LOGIN_SECONDS_MAX), self.link_steps(domain))
            .await
            .context("a link takes too long")?
    }

    async fn link_steps(&self, domain: &str) -> Result<Session> {
        let tcp = self.connect().await?;
        let mut session = Session::new(self.encrypt(tcp).await?);
        let features = session.open_as_server(domain, self.domain()).await?;
        ensure!(contains(&features, "EXTERNAL"), "no EXTERNAL: {}", String::from_utf8_lossy(&features));
        session.write(b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>").await?;
        session.expect("<success").await?;
        session.frames = Frames::default();
        session.open_as_server(domain, self.domain()).await?;
        Ok(session)
    }
}

impl Session {
    async fn open_as_server(&mut self, from: &str, to: &str) -> Result<Vec<u8>> {
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
             xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='{from}' to='{to}'>"
        );
        self.write(header.as_bytes()).await?;
        self.expect("<stream:features").await
    }
}
