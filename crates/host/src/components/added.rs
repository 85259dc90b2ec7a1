//! The components that administrators have added while the server runs, with their secrets: one value of the store, which commands change under
//! `control::Turn` and the binary reads when it makes the domains.

use std::collections::BTreeMap;
use std::fmt;

use metronome_model::{Op, Record};
use metronome_store::{Reads, StoreError};

/// The value of the store.
const META: &str = "components";

/// Secrets by domain. They are stored as they are: the proof of XEP-0114 is made of the secret itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Added(BTreeMap<String, String>);

impl Added {
    /// Reads what is stored; what cannot be read is nothing, and our own writing can.
    pub async fn load(store: &dyn Reads) -> Result<Added, StoreError> {
        let stored = store.meta(META).await?;
        Ok(stored.map(|stored| Added(serde_json::from_slice(&stored).unwrap_or_default())).unwrap_or_default())
    }

    /// Each with its secret, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(domain, secret)| (&**domain, &**secret))
    }

    /// Adds one, or gives it another secret.
    pub fn set(&mut self, domain: &str, secret: &str) {
        self.0.insert(domain.to_owned(), secret.to_owned());
    }

    /// Removes one; false if it was not there.
    pub fn remove(&mut self, domain: &str) -> bool {
        self.0.remove(domain).is_some()
    }

    /// What stores it.
    pub fn record(&self) -> Record {
        let value = serde_json::to_vec(&self.0).unwrap_or_default().into();
        Record::of(Op::SetMeta { key: META, value })
    }
}

/// Names only: secrets are in no log.
impl fmt::Debug for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let mut added = Added::default();
        added.set("gw.example", "hidden");
        assert_eq!(format!("{added:?}"), "{\"gw.example\"}");
        assert!(added.remove("gw.example") && !added.remove("gw.example"));
    }
}
