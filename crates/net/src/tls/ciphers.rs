//! Which cipher a handshake gets: AES with 128 bits where the client has AES in hardware, because its key schedule and the hash of
//! its handshake cost the least of all; a client that would rather have ChaCha20 has its own order.

use std::sync::Arc;

use metronome_host::hosts::Tls;
use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite};

/// The provider with the suites that are as strong and cost less before the others.
pub(super) fn in_our_order(mut provider: CryptoProvider) -> CryptoProvider {
    // Stable: TLS 1.3 stays before TLS 1.2, and of each version the suites keep their order.
    provider.cipher_suites.sort_by_key(|suite| (suite.tls13().is_none(), !is_aes_128(suite)));
    provider
}

fn is_aes_128(suite: &SupportedCipherSuite) -> bool {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
    };
    matches!(
        suite.suite(),
        TLS13_AES_128_GCM_SHA256 | TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 | TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

/// How the handshake with this client goes on.
pub(crate) fn config_for(tls: &Tls, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
    if prefers_chacha20(hello.cipher_suites()) { tls.in_their_order.clone() } else { tls.config.clone() }
}

/// Whether ChaCha20 is the first of the ciphers that the client names: it has no AES in hardware then.
fn prefers_chacha20(suites: &[CipherSuite]) -> bool {
    use CipherSuite::{
        TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        TLS13_CHACHA20_POLY1305_SHA256,
    };
    // Others put random numbers before them that name no cipher (RFC 8701).
    let first = suites.iter().find(|suite| !matches!(suite, CipherSuite::Unknown(_)));
    matches!(
        first,
        Some(
            TLS13_CHACHA20_POLY1305_SHA256
                | TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        )
    )
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs;

    use super::*;

    #[test]
    fn the_cheapest_of_equals_comes_first_and_tls_1_3_before_tls_1_2() {
        let ours = in_our_order(aws_lc_rs::default_provider()).cipher_suites;
        let names: Vec<CipherSuite> = ours.iter().map(SupportedCipherSuite::suite).collect();
        assert_eq!(names[0], CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert!(ours.iter().map(|suite| suite.tls13().is_none()).is_sorted());
        assert_eq!(names.len(), aws_lc_rs::default_provider().cipher_suites.len(), "none is lost");
        assert!(is_aes_128(&ours[3]), "{names:?}");
    }

    #[test]
    fn a_client_that_names_chacha20_first_has_its_own_order() {
        use CipherSuite::{TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256, Unknown};
        assert!(prefers_chacha20(&[Unknown(0x1a1a), TLS13_CHACHA20_POLY1305_SHA256, TLS13_AES_128_GCM_SHA256]));
        assert!(!prefers_chacha20(&[TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256]));
        assert!(!prefers_chacha20(&[]));
    }
}
