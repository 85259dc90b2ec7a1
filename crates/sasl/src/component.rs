//! XEP-0114: how a component proves that it knows the secret, section 3: SHA-1 over the id of the stream and the secret, in hexadecimal.

use std::fmt::Write as _;

use crate::hash::Hash;
use crate::secret::Secret;

/// The proof for the stream with this id.
pub fn component_proof(stream: &str, secret: &str) -> Secret<String> {
    let both = Secret::new([stream.as_bytes(), secret.as_bytes()].concat());
    let digest = Hash::Sha1.digest(both.bytes());
    let mut text = String::with_capacity(2 * Hash::Sha1.output_bytes());
    for byte in digest.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

/// Whether this proves it, in a time that does not depend on how much of it is right. Nobody knows an empty secret.
pub fn is_component_proof(stream: &str, secret: &str, proof: &str) -> bool {
    component_proof(stream, secret).ct_eq(proof.as_bytes()) && !secret.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    // XEP-0114 example 3
    #[test]
    fn the_proof_of_the_document() {
        let proof = "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e";
        assert!(is_component_proof("3BF96D32", "test", proof));
        for (stream, secret) in [("3BF96D33", "test"), ("3BF96D32", "tess"), ("3BF96D32", ""), ("3BF96D32t", "est ")] {
            assert!(!is_component_proof(stream, secret, proof), "{stream} {secret}");
        }
        assert!(!is_component_proof("3BF96D32", "test", &proof.to_uppercase()), "section 3 asks for lower case");
        assert!(!is_component_proof("3BF96D32", "test", ""));
    }

    #[test]
    fn nobody_knows_an_empty_secret() {
        let proof = component_proof("3BF96D32", "");
        assert!(!is_component_proof("3BF96D32", "", proof.expose()));
    }
}
