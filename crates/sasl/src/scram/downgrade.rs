//! XEP-0474: protection against downgrades. The server's first message carries a hash of what was announced, and both proofs cover that
//! message: whoever has removed a mechanism or a channel binding on the way is found out.

use crate::hash::Hash;
use crate::mechanism::MechanismName;
use crate::offer::Offer;
use crate::wire::base64;

/// The hash of this offer, base64: the attribute `h` (section 5.1). Mechanisms of tokens are announced elsewhere and are not in it.
pub(crate) fn downgrade_hash(hash: Hash, offer: &Offer) -> String {
    let mechanisms = offer.names().map(MechanismName::as_str).collect();
    let bindings: Vec<_> = offer.bindings().map(|binding| binding.as_str()).collect();
    base64(hash.digest(announced(mechanisms, bindings).as_bytes()).bytes())
}

/// What is hashed. Bindings that were not announced at all have no part in it, not even an empty one.
fn announced(mut mechanisms: Vec<&str>, mut bindings: Vec<&str>) -> String {
    const NEXT: &str = "\x1e";
    mechanisms.sort_unstable();
    bindings.sort_unstable();
    match bindings[..] {
        [] => mechanisms.join(NEXT),
        _ => format!("{}\x1f{}", mechanisms.join(NEXT), bindings.join(NEXT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_has_its_hash() {
        let announced =
            announced(vec!["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], vec!["tls-server-end-point", "tls-exporter"]);
        assert_eq!(announced, "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point");
        let hash = Hash::Sha1.digest(announced.as_bytes());
        assert_eq!(base64(hash.bytes()), "G6k/rBLDqgOhRRaCuuatSDFkJ08=");
    }

    #[test]
    fn bindings_that_were_not_announced_have_no_part_in_it() {
        assert_eq!(announced(vec!["B", "A"], vec![]), "A\x1eB");
    }
}
