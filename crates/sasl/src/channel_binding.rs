//! Channel bindings: what ties an exchange to its TLS connection, so that a man in the middle gains nothing.
//! The bytes come from TLS; here they only have names (RFC 9266, RFC 5929, XEP-0440).

/// A type of channel binding that this server can check. `tls-unique` is not one: it does not exist in TLS 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelBinding {
    /// `tls-exporter` (RFC 9266).
    TlsExporter,
    /// `tls-server-end-point` (RFC 5929 section 4).
    TlsServerEndPoint,
}

impl ChannelBinding {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            ChannelBinding::TlsExporter => "tls-exporter",
            ChannelBinding::TlsServerEndPoint => "tls-server-end-point",
        }
    }

    /// Reads a registered name; names are case-sensitive.
    pub fn parse(name: &str) -> Option<ChannelBinding> {
        [ChannelBinding::TlsExporter, ChannelBinding::TlsServerEndPoint].into_iter().find(|cb| cb.as_str() == name)
    }
}

/// The bindings of one TLS connection; empty without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// 32 bytes exported with the label `EXPORTER-Channel-Binding` and an empty context. For TLS 1.2 only if the
    /// connection has the extended master secret.
    pub tls_exporter: Option<Vec<u8>>,
    /// The hash of the server's certificate.
    pub tls_server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// The bytes of this type, if the connection has them.
    pub fn get(&self, binding: ChannelBinding) -> Option<&[u8]> {
        match binding {
            ChannelBinding::TlsExporter => self.tls_exporter.as_deref(),
            ChannelBinding::TlsServerEndPoint => self.tls_server_end_point.as_deref(),
        }
    }

    /// The types that the connection has, strongest first.
    pub fn available(&self) -> impl Iterator<Item = ChannelBinding> + '_ {
        [ChannelBinding::TlsExporter, ChannelBinding::TlsServerEndPoint]
            .into_iter()
            .filter(|&binding| self.get(binding).is_some())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.available().next().is_none()
    }
}
