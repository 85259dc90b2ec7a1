//! What another server's certificate proves (XEP-0178 section 3, RFC 6120 section 13.7, RFC 9525), and SASL EXTERNAL between servers.
//! Whether anybody vouches for it is judged in `authorities`.

use metronome_host::hosts::Names;
use metronome_proto::jid::Jid;
use metronome_proto::payload::sasl::Condition;
use metronome_sasl::decode;

/// The mechanism.
pub(super) const EXTERNAL: &str = "EXTERNAL";

/// What logs say of a certificate that an authority vouches for.
pub(super) const TRUSTED: &str = "trusted";

/// A certificate that another server has shown. One that nobody vouches for has no names.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) names: Names,
    /// Unix time in milliseconds.
    pub(super) not_before_ms: u64,
    pub(super) not_after_ms: u64,
    /// For logs.
    pub(super) why: &'static str,
}

impl Shown {
    #[cfg(test)]
    pub(super) fn for_test(names: &[&str], not_before_ms: u64, not_after_ms: u64) -> Shown {
        let names = Names(names.iter().map(|&name| name.into()).collect());
        Shown { names, not_before_ms, not_after_ms, why: TRUSTED }
    }

    /// Whether an authority vouches for it.
    pub(super) fn is_trusted(&self) -> bool {
        self.why == TRUSTED
    }

    /// When it ends, Unix time in milliseconds, if an authority vouches for it.
    pub(super) fn ends_ms(&self) -> Option<u64> {
        self.is_trusted().then_some(self.not_after_ms)
    }

    /// Whether it proves this domain now, and until when: Unix time in milliseconds.
    pub(super) fn proves(&self, domain: &Jid, now_ms: u64) -> Option<u64> {
        let is_valid = (self.not_before_ms..=self.not_after_ms).contains(&now_ms);
        (is_valid && self.names.is_for(domain.as_str())).then_some(self.not_after_ms)
    }
}

/// Whether a server may be who it says it is, with what it says in SASL EXTERNAL: its data are base64 of nothing, or of the domain of its
/// stream. Answers until when its certificate proves that.
pub(super) fn judge(data: &str, from: Option<&Jid>, shown: &Shown, now_ms: u64) -> Result<u64, Condition> {
    let identity = decode(data).map_err(|_| Condition::IncorrectEncoding)?;
    let identity = std::str::from_utf8(&identity).map_err(|_| Condition::MalformedRequest)?;
    let from = from.ok_or(Condition::NotAuthorized)?;
    // Another one would be a domain that the stream was not opened for.
    if !identity.is_empty() && Jid::parse(identity).ok().as_ref() != Some(from) {
        return Err(Condition::InvalidAuthzid);
    }
    shown.proves(from, now_ms).ok_or(Condition::NotAuthorized)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod zoo;
