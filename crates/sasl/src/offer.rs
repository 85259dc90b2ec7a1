//! The offer: exactly the mechanisms that were announced on one stream. An exchange begins only through it, so a
//! mechanism that was not offered cannot be used, whatever the client asks for.

use crate::anonymous::Anonymous;
use crate::channel_binding::{ChannelBinding, ChannelBindings};
use crate::exchange::{Exchange, Guarded};
use crate::external::External;
use crate::failure::Failure;
use crate::hash::Hash;
use crate::hashed_token::HashedToken;
use crate::identity::{Context, Names};
use crate::mechanism::MechanismName;
use crate::plain::Plain;
use crate::scram::{Binding, Scram, downgrade_hash};
use crate::wire::base64;

/// What a host's configuration allows.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The SCRAM hashes that accounts have keys for. SHA-384 only where keys were imported.
    pub scram: Vec<Hash>,
    /// When PLAIN is offered.
    pub plain: PlainRule,
    /// Whether client certificates may prove an identity.
    pub external: bool,
    /// Whether guests are let in.
    pub anonymous: bool,
    /// Whether tokens may be proved instead of passwords (XEP-0484); inside of TLS only.
    pub tokens: bool,
}

/// When PLAIN is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainRule {
    /// Never.
    Never,
    /// Inside of TLS.
    Encrypted,
    /// Always: for a stream that a trusted proxy has encrypted.
    Always,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            scram: vec![Hash::Sha1, Hash::Sha256, Hash::Sha512],
            plain: PlainRule::Encrypted,
            external: true,
            anonymous: false,
            tokens: false,
        }
    }
}

/// What is true of the stream that the offer is made on.
#[derive(Clone, Debug, Default)]
pub struct StreamFacts {
    /// Whether it is inside of TLS.
    pub encrypted: bool,
    /// What exchanges can be bound to; empty without TLS.
    pub bindings: ChannelBindings,
    /// Whether the client has shown a certificate.
    pub certificate: ClientCertificate,
}

impl StreamFacts {
    /// How many kinds of streams there are.
    pub const KINDS: usize = 16;

    /// The kind of this stream, less than [`StreamFacts::KINDS`]. By the same rules the same is offered on all streams of a kind.
    pub fn kind(&self) -> usize {
        let ChannelBindings { tls_exporter, tls_server_end_point } = &self.bindings;
        let is_verified = self.certificate == ClientCertificate::Verified;
        let facts = [self.encrypted, tls_exporter.is_some(), tls_server_end_point.is_some(), is_verified];
        facts.into_iter().fold(0, |kind, fact| kind << 1 | usize::from(fact))
    }
}

/// Whether the client has shown a certificate that is worth looking at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// None, or one that was not verified.
    #[default]
    Absent,
    /// A verified one.
    Verified,
}

/// The mechanisms announced on one stream.
#[derive(Clone, Debug)]
pub struct Offer {
    mechanisms: Vec<MechanismName>,
    /// Those of tokens, announced elsewhere.
    tokens: Vec<MechanismName>,
    bindings: ChannelBindings,
}

/// What an exchange begins with.
pub struct Opening<'a> {
    /// The served domain, prepared: the one that the stream is for.
    pub host: &'a str,
    /// Random bytes for the server's half of the nonce ([`crate::token`]); never used twice.
    pub nonce: [u8; 32],
    /// How names are prepared.
    pub names: Names,
}

impl Offer {
    /// Decides what to announce.
    pub fn new(rules: &Rules, facts: StreamFacts) -> Offer {
        let bound = facts.encrypted && !facts.bindings.is_empty();
        let offered = |mechanism: &MechanismName| match mechanism {
            MechanismName::External => rules.external && facts.certificate == ClientCertificate::Verified,
            MechanismName::Anonymous => rules.anonymous,
            MechanismName::Plain => match rules.plain {
                PlainRule::Never => false,
                PlainRule::Encrypted => facts.encrypted,
                PlainRule::Always => true,
            },
            scram => scram.hash().is_some_and(|hash| rules.scram.contains(&hash)) && (bound || !scram.is_plus()),
        };
        let mechanisms: Vec<_> = MechanismName::ALL.into_iter().filter(offered).collect();
        let bindings = if bound { facts.bindings } else { ChannelBindings::default() };
        let provable = |mechanism: &MechanismName| {
            let has = mechanism.token_binding().is_none_or(|binding| bindings.get(binding).is_some());
            // A token is what somebody gets who has logged in with something else.
            rules.tokens && facts.encrypted && has && !mechanisms.is_empty()
        };
        let tokens = MechanismName::TOKENS.into_iter().filter(provable).collect();
        Offer { mechanisms, tokens, bindings }
    }

    /// The names to announce, strongest first, each `-PLUS` before its plain variant.
    pub fn names(&self) -> impl Iterator<Item = MechanismName> + '_ {
        self.mechanisms.iter().copied()
    }

    /// The names of the mechanisms of tokens to announce.
    pub fn token_names(&self) -> impl Iterator<Item = MechanismName> + '_ {
        self.tokens.iter().copied()
    }

    /// The channel binding types to announce (XEP-0440); empty if no `-PLUS` mechanism is offered.
    pub fn bindings(&self) -> impl Iterator<Item = ChannelBinding> + '_ {
        self.bindings.available().filter(|_| self.has_plus())
    }

    /// Whether nothing can be offered.
    pub fn is_empty(&self) -> bool {
        self.mechanisms.is_empty()
    }

    /// Begins an exchange. Fails with `invalid-mechanism` for every name that is not in this offer.
    pub fn begin(&self, mechanism: &str, opening: Opening<'_>) -> Result<Box<dyn Exchange>, Failure> {
        let mechanism = self.names().find(|name| name.as_str() == mechanism).ok_or(Failure::InvalidMechanism)?;
        let context = Context { host: opening.host.to_owned(), names: opening.names, mechanism };
        Ok(match (mechanism, mechanism.hash()) {
            (MechanismName::Plain, _) => Box::new(Guarded::new(Plain::new(context))),
            (MechanismName::External, _) => Box::new(Guarded::new(External::new(context))),
            (_, Some(hash)) => {
                let nonce = base64(&opening.nonce);
                let announced = downgrade_hash(hash, self);
                Box::new(Guarded::new(Scram::new(context, hash, self.binding_for(mechanism), nonce, announced)))
            }
            (_, None) => Box::new(Guarded::new(Anonymous::new(context))),
        })
    }

    /// Begins an exchange for a token. Fails with `invalid-mechanism` for every name that is not one of this offer's for tokens.
    pub fn begin_token(&self, mechanism: &str, opening: Opening<'_>) -> Result<Box<dyn Exchange>, Failure> {
        let mechanism = self.token_names().find(|name| name.as_str() == mechanism).ok_or(Failure::InvalidMechanism)?;
        let context = Context { host: opening.host.to_owned(), names: opening.names, mechanism };
        let binding = mechanism.token_binding();
        let bytes = binding.and_then(|binding| self.bindings.get(binding)).unwrap_or_default();
        Ok(Box::new(Guarded::new(HashedToken::new(context, binding, bytes.to_vec()))))
    }

    fn binding_for(&self, mechanism: MechanismName) -> Binding {
        match (mechanism.is_plus(), self.has_plus()) {
            (true, _) => Binding::Required(self.bindings.clone()),
            (false, true) => Binding::Offered,
            (false, false) => Binding::Impossible,
        }
    }

    fn has_plus(&self) -> bool {
        self.names().any(MechanismName::is_plus)
    }
}
