//! XEP-0395: the value of an item's content. It changes with the content, and two contents never share one: a hash of the payload.

use metronome_model::Item;
use metronome_proto::payload::pubsub::compare_map;
use metronome_proto::xml::Tree;
use sha2::{Digest, Sha256};

use crate::facts::hex;

/// The value of a payload: the first 128 bits of its SHA-256 in hexadecimal.
pub fn value(payload: &[u8]) -> String {
    let hash = Sha256::digest(payload);
    hex(&hash[..16])
}

/// The values of these items, as they stand behind them in an answer; none if there are no items.
pub(crate) fn map(items: &[Item]) -> Option<Tree> {
    let values: Vec<_> = items.iter().map(|item| value(&item.payload)).collect();
    let entries = items.iter().zip(&values).map(|(item, value)| (&*item.id, value.as_str()));
    (!items.is_empty()).then(|| compare_map(entries))
}
