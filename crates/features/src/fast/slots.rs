//! What is stored of a client's tokens: two places (XEP-0484 section 5.1), so that a token that never reached its client does not lock it
//! out. The tokens themselves are not stored: whoever reads the rows has nothing to log in with.

use metronome_model::{AccountId, Document, Drawer};
use metronome_proto::ns;
use metronome_proto::xml::{Child, Content, Tree};
use metronome_sasl::{MechanismName, TOKEN_SALT_BYTES, Token, TokenUse, decode, encode};

/// The tokens of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots {
    /// Given and not used yet.
    pub new: Option<Issued>,
    /// Used before.
    pub current: Option<Issued>,
}

/// A token that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The mechanism that it was asked for.
    pub mechanism: MechanismName,
    /// Tells it from others.
    pub salt: [u8; TOKEN_SALT_BYTES],
    /// The account's password, by its number.
    pub auth_epoch: u32,
    /// When it was given, Unix time in milliseconds.
    pub issued_ms: u64,
    /// When it ends, Unix time in milliseconds.
    pub expires_ms: u64,
    /// What the client counted at its last use, if it counts.
    pub count: Option<u32>,
}

/// The name of a client's document: its id is a UUID, so that this is a name in XML too.
pub fn name(client: &str) -> Box<str> {
    format!("client-{client}").into()
}

impl Slots {
    /// Reads a document. What cannot be read is no token.
    pub fn read(xml: &[u8]) -> Slots {
        let Ok(content) = Content::parse(xml) else { return Slots::default() };
        let Some(client) = content.iter().next() else { return Slots::default() };
        let slot = |name| client.child(ns::FAST, name).and_then(|slot| Issued::read(&slot));
        Slots { new: slot("new"), current: slot("current") }
    }

    /// The document; an empty one where there is no token.
    pub fn document(&self, client: &str) -> Document {
        let name = name(client);
        let slot = |name: &str, issued: &Option<Issued>| issued.as_ref().map(|issued| issued.tree(name));
        let slots: Vec<Tree> =
            [slot("new", &self.new), slot("current", &self.current)].into_iter().flatten().collect();
        let xml = match slots.is_empty() {
            true => Box::default(),
            false => Content::from_tree(&Tree::new(ns::FAST, &name).children(slots)).bytes()[..].into(),
        };
        Document { drawer: Drawer::Tokens, ns: ns::FAST.into(), name, xml }
    }

    /// Makes this token the current one if it is the new one: those before it have ended with its use. None if it is neither.
    pub fn promote(&mut self, token: &Issued) -> Option<&mut Issued> {
        if self.new.as_ref().is_some_and(|new| new.salt == token.salt) {
            self.current = self.new.take();
        }
        self.current.as_mut().filter(|current| current.salt == token.salt)
    }

    /// When nobody can log in with any of them any more, given the number of the account's password.
    pub fn ends_ms(&self, auth_epoch: u32) -> u64 {
        let good = [&self.new, &self.current].into_iter().flatten().filter(|issued| issued.auth_epoch == auth_epoch);
        good.map(|issued| issued.expires_ms).max().unwrap_or(0)
    }
}

impl Issued {
    /// The token itself.
    pub fn token(&self, server_secret: &[u8], owner: AccountId, client: &str) -> Token {
        let what = TokenUse {
            account: owner.as_bytes(),
            client,
            mechanism: self.mechanism,
            auth_epoch: self.auth_epoch,
            salt: &self.salt,
        };
        Token::new(server_secret, what)
    }

    /// Whether it is time for another: a quarter of its time is over.
    pub fn is_due(&self, now_ms: u64) -> bool {
        let lifetime_ms = self.expires_ms.saturating_sub(self.issued_ms);
        now_ms.saturating_sub(self.issued_ms) >= lifetime_ms / 4
    }

    fn tree(&self, name: &str) -> Tree {
        Tree::new(ns::FAST, name)
            .attr("mechanism", self.mechanism.as_str())
            .attr("salt", encode(&self.salt))
            .attr("epoch", self.auth_epoch.to_string())
            .attr("issued", self.issued_ms.to_string())
            .attr("expires", self.expires_ms.to_string())
            .attr_opt("count", self.count.map(|count| count.to_string()))
    }

    fn read(slot: &Child<'_>) -> Option<Issued> {
        let number = |name| slot.attr(name)?.parse::<u64>().ok();
        let small = |name| u32::try_from(number(name)?).ok();
        Some(Issued {
            mechanism: MechanismName::parse(&slot.attr("mechanism")?).filter(|mechanism| mechanism.is_token())?,
            salt: decode(&slot.attr("salt")?).ok()?.try_into().ok()?,
            auth_epoch: small("epoch")?,
            issued_ms: number("issued")?,
            expires_ms: number("expires")?,
            count: if slot.attr("count").is_some() { Some(small("count")?) } else { None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(salt: u8) -> Issued {
        Issued {
            mechanism: MechanismName::HtSha256Expr,
            salt: [salt; TOKEN_SALT_BYTES],
            auth_epoch: 3,
            issued_ms: 1_000,
            expires_ms: 5_000,
            count: Some(7),
        }
    }

    #[test]
    fn what_is_stored_is_read_back_and_holds_no_token() {
        let slots = Slots { new: Some(Issued { count: None, ..issued(1) }), current: Some(issued(2)) };
        let document = slots.document("d4565fa7-4d72-4749-b3d3-740edbf87770");
        assert_eq!(Slots::read(&document.xml), slots);
        let text = std::str::from_utf8(&document.xml).unwrap();
        let token = issued(2).token(b"a secret", AccountId::from_bytes([1; 16]), "d4565fa7-4d72-4749-b3d3-740edbf87770");
        assert!(!text.contains(token.expose()), "{text}");
        assert!(Slots::default().document("x").xml.is_empty());
    }

    #[test]
    fn damaged_rows_are_no_tokens() {
        for damaged in [
            "",
            "x",
            "<client-x xmlns='urn:xmpp:fast:0'/>",
            "<client-x xmlns='urn:xmpp:fast:0'><new mechanism='PLAIN' salt='AAAAAAAAAAAAAAAAAAAAAA==' epoch='1' issued='1' expires='2'/></client-x>",
            "<client-x xmlns='urn:xmpp:fast:0'><new mechanism='HT-SHA-256-NONE' salt='AAAA' epoch='1' issued='1' expires='2'/></client-x>",
            "<client-x xmlns='urn:xmpp:fast:0'><new mechanism='HT-SHA-256-NONE' salt='AAAAAAAAAAAAAAAAAAAAAA==' epoch='1' issued='1' expires='2' count='x'/></client-x>",
        ] {
            assert_eq!(Slots::read(damaged.as_bytes()), Slots::default(), "{damaged}");
        }
    }

    #[test]
    fn a_new_token_ends_the_one_before_it_when_it_is_used_and_not_earlier() {
        let mut slots = Slots { new: Some(issued(2)), current: Some(issued(1)) };
        assert!(slots.promote(&issued(1)).is_some() && slots.new.is_some());
        assert!(slots.promote(&issued(3)).is_none());
        assert!(slots.promote(&issued(2)).is_some());
        assert_eq!(slots, Slots { new: None, current: Some(issued(2)) });
        assert!(slots.promote(&issued(1)).is_none());
    }

    #[test]
    fn another_is_due_after_a_quarter() {
        assert!(!issued(1).is_due(1_999) && issued(1).is_due(2_000));
        assert!(!issued(1).is_due(0), "a clock that was set back");
    }
}
