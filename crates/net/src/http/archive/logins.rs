//! Who has logged in with a browser: a bounded table in memory, by the hash of what the cookie says. A login ends by itself, at the latest
//! after some hours, with the process, and as soon as its proof does not count any more.

use std::collections::HashMap;
use std::sync::Arc;

use metronome_host::authn::Authn;
use metronome_sasl::token_text;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// For how long a login lasts, in milliseconds.
pub(super) const LASTS_MS: u64 = 8 * 60 * 60 * 1000;

/// After how long nobody uses it any more.
const IDLE_MS: u64 = 30 * 60 * 1000;

/// Most logins of an account; the one more ends the one that was used least lately.
const EACH_MAX: usize = 10;

/// Most logins of all; the one more is refused.
const ALL_MAX: usize = 10_000;

/// Everybody who has logged in.
#[derive(Default)]
pub(crate) struct Logins(Mutex<HashMap<Key, Entry>>);

/// The hash of a cookie: who reads the memory of this table has nothing to log in with, and a search in it tells nothing by its time.
type Key = [u8; 32];

struct Entry {
    login: Login,
    since_ms: u64,
    used_ms: u64,
}

/// Somebody who has logged in.
#[derive(Clone)]
pub(super) struct Login {
    /// Who.
    pub(super) authn: Arc<Authn>,
    /// What a form of their own pages says, and nobody else's.
    pub(super) token: Arc<str>,
}

impl Entry {
    fn lasts(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) < LASTS_MS && now_ms.saturating_sub(self.used_ms) < IDLE_MS
    }
}

impl Logins {
    /// Somebody has logged in: what the cookie says from now on, 256 random bits; none if there are too many. Times are steady.
    pub(super) fn begin(&self, authn: Authn, now_ms: u64) -> Option<String> {
        let mut all = self.0.lock();
        if all.len() >= ALL_MAX {
            all.retain(|_, entry| entry.lasts(now_ms));
        }
        let own = |entry: &Entry| entry.login.authn.account() == authn.account();
        if all.values().filter(|entry| own(entry)).count() >= EACH_MAX {
            let oldest = all.iter().filter(|(_, entry)| own(entry)).min_by_key(|(_, entry)| entry.used_ms);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                all.remove(&key);
            }
        }
        if all.len() >= ALL_MAX {
            return None;
        }
        let cookie = token_text();
        let login = Login { authn: Arc::new(authn), token: token_text().into() };
        all.insert(key(&cookie), Entry { login, since_ms: now_ms, used_ms: now_ms });
        Some(cookie)
    }

    /// Whose cookie this is, if the login lasts.
    pub(super) fn find(&self, cookie: &str, now_ms: u64) -> Option<Login> {
        let (mut all, key) = (self.0.lock(), key(cookie));
        let entry = all.get_mut(&key)?;
        if !entry.lasts(now_ms) {
            all.remove(&key);
            return None;
        }
        entry.used_ms = now_ms;
        Some(entry.login.clone())
    }

    /// The login of this cookie is over.
    pub(super) fn end(&self, cookie: &str) {
        self.0.lock().remove(&key(cookie));
    }
}

fn key(cookie: &str) -> Key {
    Sha256::digest(cookie.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use metronome_model::{Account, AccountId, AccountState, Role};
    use metronome_sasl::{Input, Names, Offer, Opening, PlainRule, Rules, Step, StreamFacts, Verdict};

    use super::*;

    /// Somebody who has proved a password.
    fn authn(number: u8) -> Authn {
        let rules =
            Rules { plain: PlainRule::Always, scram: Vec::new(), external: false, anonymous: false, tokens: false };
        let names = Names { username: |name| Some(name.to_owned()), bare_jid: |jid| Some(jid.to_owned()) };
        let opening = Opening { host: "localhost", nonce: [0; 32], names };
        let mut exchange = Offer::new(&rules, StreamFacts::default()).begin("PLAIN", opening).unwrap();
        let name = format!("user{number}");
        assert!(matches!(exchange.step(Input::Client(format!("\0{name}\0secret").as_bytes())), Step::Need(_)));
        let Step::Done(success) = exchange.step(Input::Verdict(Verdict::Right)) else { panic!("it was right") };
        let account = Account {
            id: AccountId::ordinary([number; 16]),
            host: "localhost".into(),
            name: name.into(),
            role: Role::User,
            state: AccountState::Active,
            auth_epoch: 0,
            created_ms: 0,
        };
        Authn::authorize(&success.identity, &account).unwrap()
    }

    #[test]
    fn a_login_lasts_while_it_is_used_and_not_for_ever() {
        let logins = Logins::default();
        let cookie = logins.begin(authn(1), 0).unwrap();
        assert!(cookie.len() >= 43);
        let mut now_ms = 0;
        while now_ms + IDLE_MS - 1 < LASTS_MS {
            now_ms += IDLE_MS - 1;
            assert_eq!(logins.find(&cookie, now_ms).unwrap().authn.jid().as_str(), "user1@localhost");
        }
        assert!(logins.find(&cookie, LASTS_MS).is_none());
        let idle = logins.begin(authn(1), 0).unwrap();
        assert!(logins.find(&idle, IDLE_MS).is_none() && logins.find(&idle, 0).is_none());
        assert!(logins.find("", 0).is_none() && logins.find("x", 0).is_none());
    }

    #[test]
    fn an_account_has_a_bounded_number_and_others_do_not_notice() {
        let logins = Logins::default();
        let other = logins.begin(authn(2), 0).unwrap();
        let cookies: Vec<_> = (0..=EACH_MAX as u64).map(|now_ms| logins.begin(authn(1), now_ms).unwrap()).collect();
        assert!(logins.find(&cookies[0], 20).is_none(), "the first has made place");
        assert!(cookies[1..].iter().all(|cookie| logins.find(cookie, 20).is_some()));
        assert!(logins.find(&other, 20).is_some());
        logins.end(&other);
        assert!(logins.find(&other, 20).is_none());
    }
}
