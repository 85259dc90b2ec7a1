//! The names of the mechanisms, strongest first. What each one does is in the file of its name.

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
}

use MechanismName::*;

impl MechanismName {
    /// Every mechanism, in the order of offering.
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
        }
    }

    /// Reads a registered name; they are upper case (RFC 4422 section 3.1).
    pub fn parse(name: &str) -> Option<MechanismName> {
        MechanismName::ALL.into_iter().find(|mechanism| mechanism.as_str() == name)
    }

    /// The hash, for the SCRAM family.
    pub fn hash(self) -> Option<Hash> {
        match self {
            ScramSha512Plus | ScramSha512 => Some(Hash::Sha512),
            ScramSha384Plus | ScramSha384 => Some(Hash::Sha384),
            ScramSha256Plus | ScramSha256 => Some(Hash::Sha256),
            ScramSha1Plus | ScramSha1 => Some(Hash::Sha1),
            External | Plain | Anonymous => None,
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
        for mechanism in MechanismName::ALL {
            assert_eq!(MechanismName::parse(mechanism.as_str()), Some(mechanism));
        }
        assert_eq!(MechanismName::parse("plain"), None);
        assert_eq!(MechanismName::parse("DIGEST-MD5"), None);
    }
}
