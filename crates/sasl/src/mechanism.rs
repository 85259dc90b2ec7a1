//! The names of the mechanisms, strongest first. What each one does is in the file of its name.

use crate::channel_binding::ChannelBinding;
use crate::hash::Hash;

/// A mechanism that this crate can speak. `-PLUS` binds the exchange to the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum MechanismName {
    External,
    ScramSha512Plus,
    ScramSha512,
    ScramSha384Plus,
    ScramSha384,
    ScramSha256Plus,
    ScramSha256,
    ScramSha1Plus,
    ScramSha1,
    Plain,
    Anonymous,
    HtSha256Expr,
    HtSha256Endp,
    HtSha256None,
}

use MechanismName::*;

impl MechanismName {
    /// Every mechanism but those of tokens, in the order of offering.
    pub const ALL: [MechanismName; 11] = [
        External,
        ScramSha512Plus,
        ScramSha512,
        ScramSha384Plus,
        ScramSha384,
        ScramSha256Plus,
        ScramSha256,
        ScramSha1Plus,
        ScramSha1,
        Plain,
        Anonymous,
    ];

    /// The mechanisms of tokens (XEP-0484), in the order of offering. There is none for `tls-unique`, which TLS 1.3 does not have.
    pub const TOKENS: [MechanismName; 3] = [HtSha256Expr, HtSha256Endp, HtSha256None];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            External => "EXTERNAL",
            ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            ScramSha512 => "SCRAM-SHA-512",
            ScramSha384Plus => "SCRAM-SHA-384-PLUS",
            ScramSha384 => "SCRAM-SHA-384",
            ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            ScramSha256 => "SCRAM-SHA-256",
            ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            ScramSha1 => "SCRAM-SHA-1",
            Plain => "PLAIN",
            Anonymous => "ANONYMOUS",
            HtSha256Expr => "HT-SHA-256-EXPR",
            HtSha256Endp => "HT-SHA-256-ENDP",
            HtSha256None => "HT-SHA-256-NONE",
        }
    }

    /// Reads a registered name; they are upper case (RFC 4422 section 3.1).
    pub fn parse(name: &str) -> Option<MechanismName> {
        let mut all = MechanismName::ALL.into_iter().chain(MechanismName::TOKENS);
        all.find(|mechanism| mechanism.as_str() == name)
    }

    /// The hash, for the SCRAM family.
    pub fn hash(self) -> Option<Hash> {
        match self {
            ScramSha512Plus | ScramSha512 => Some(Hash::Sha512),
            ScramSha384Plus | ScramSha384 => Some(Hash::Sha384),
            ScramSha256Plus | ScramSha256 => Some(Hash::Sha256),
            ScramSha1Plus | ScramSha1 => Some(Hash::Sha1),
            External | Plain | Anonymous | HtSha256Expr | HtSha256Endp | HtSha256None => None,
        }
    }

    /// Whether it proves a token.
    pub fn is_token(self) -> bool {
        MechanismName::TOKENS.contains(&self)
    }

    /// What the proof of a token must be bound to, where it is bound.
    pub(crate) fn token_binding(self) -> Option<ChannelBinding> {
        match self {
            HtSha256Expr => Some(ChannelBinding::TlsExporter),
            HtSha256Endp => Some(ChannelBinding::TlsServerEndPoint),
            _ => None,
        }
    }

    /// Whether the exchange is bound to the TLS connection.
    pub fn is_plus(self) -> bool {
        matches!(self, ScramSha512Plus | ScramSha384Plus | ScramSha256Plus | ScramSha1Plus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for mechanism in MechanismName::ALL.into_iter().chain(MechanismName::TOKENS) {
            assert_eq!(MechanismName::parse(mechanism.as_str()), Some(mechanism));
        }
        assert_eq!(MechanismName::parse("plain"), None);
        assert_eq!(MechanismName::parse("DIGEST-MD5"), None);
    }
}
