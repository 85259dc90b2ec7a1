//! The published vectors, through the server's own steps with the server's nonce fixed.

use super::*;
use crate::client;
use crate::exchange::{Exchange, Guarded};
use crate::identity::Names;
use crate::keys::derive;
use crate::mechanism::MechanismName;
use crate::password::Password;

struct Vector {
    hash: Hash,
    mechanism: MechanismName,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static str,
    first: &'static str,
    challenge: &'static str,
    last: &'static str,
    success: &'static str,
}

/// RFC 5802 section 5.
const RFC_5802: Vector = Vector {
    hash: Hash::Sha1,
    mechanism: MechanismName::ScramSha1,
    client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
    server_nonce: "3rfcNHYJY1ZVvWVs7j",
    salt: "QSXCR+Q6sek8bf92",
    first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    challenge: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    last: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    success: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};

/// RFC 7677 section 3.
const RFC_7677: Vector = Vector {
    hash: Hash::Sha256,
    mechanism: MechanismName::ScramSha256,
    client_nonce: "rOprNGfwEbeRWgbNEkqO",
    server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
    first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    challenge: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    last: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
           p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    success: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

fn keys(vector: &Vector) -> Keys {
    derive(vector.hash, &Password::new("pencil").unwrap(), &unbase64(vector.salt).unwrap(), 4096)
}

fn server(vector: &Vector) -> Guarded<Scram> {
    let names = Names { username: |name| Some(name.to_owned()), bare_jid: |jid| Some(jid.to_owned()) };
    let context = Context { host: String::from("localhost"), names, mechanism: vector.mechanism };
    let nonce = vector.server_nonce.to_owned();
    Guarded::new(Scram::new(context, vector.hash, Binding::Impossible, nonce, String::new()))
}

#[test]
fn published_vectors_are_answered_byte_for_byte() {
    for vector in [&RFC_5802, &RFC_7677] {
        let mut server = server(vector);
        let Step::Need(Need::Keys { username, hash }) = server.step(Input::Client(vector.first.as_bytes())) else {
            panic!("no keys wanted")
        };
        assert_eq!((username.as_str(), hash), ("user", vector.hash));
        let Step::Challenge(challenge) = server.step(Input::Keys(keys(vector))) else { panic!("no challenge") };
        assert_eq!(String::from_utf8(challenge).unwrap(), vector.challenge);
        let Step::Done(success) = server.step(Input::Client(vector.last.as_bytes())) else { panic!("no success") };
        assert_eq!(success.data.unwrap(), vector.success.as_bytes());
        assert_eq!((success.identity.authcid(), success.identity.host()), ("user", "localhost"));
        assert!(!success.identity.channel_bound());
    }
}

#[test]
fn published_vectors_are_produced_by_our_client() {
    for vector in [&RFC_5802, &RFC_7677] {
        let scram = client::Scram {
            hash: vector.hash,
            authzid: "",
            username: "user",
            nonce: vector.client_nonce,
            binding: client::ClientBinding::Unsupported,
        };
        let (first, waiting) = scram.first();
        assert_eq!(first, vector.first.as_bytes());
        let challenged = waiting.challenge(vector.challenge.as_bytes()).unwrap();
        let keys = challenged.derive(&Password::new("pencil").unwrap());
        let (last, answered) = challenged.answer(&keys);
        assert_eq!(String::from_utf8(last).unwrap(), vector.last);
        assert_eq!(answered.verify(vector.success.as_bytes()), Ok(()));
    }
}

/// Every single byte of the last message matters: none can be changed, left out or added.
#[test]
fn a_tampered_final_message_is_refused() {
    let last = RFC_7677.last.as_bytes();
    let keys = keys(&RFC_7677);
    let is_refused = |message: &[u8]| {
        let mut server = server(&RFC_7677);
        server.step(Input::Client(RFC_7677.first.as_bytes()));
        server.step(Input::Keys(keys.clone()));
        matches!(server.step(Input::Client(message)), Step::Fail(Failure::NotAuthorized | Failure::MalformedRequest))
    };
    assert!(!is_refused(last));
    for at in 0..last.len() {
        let mut changed = last.to_vec();
        changed[at] ^= 1;
        assert!(is_refused(&changed), "changed at {at}");
        assert!(is_refused(&last[..at]), "cut at {at}");
    }
    assert!(is_refused(&[last, b"A"].concat()));
    assert!(is_refused(&[last, b",x=y"].concat()));
}

/// A client that knows the password, but signs another nonce than the one it was given.
#[test]
fn the_nonce_must_be_the_one_that_was_sent() {
    let keys = keys(&RFC_7677);
    let last_with = |nonce: &str| {
        let password = Password::new("pencil").unwrap();
        let (client_key, _) = crate::keys::client_and_server_key(Hash::Sha256, &password, &keys.salt, keys.iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let signed = [&RFC_7677.first[3..], ",", RFC_7677.challenge, ",", &without_proof].map(str::as_bytes);
        let signature = Hash::Sha256.hmac(keys.stored_key.bytes(), &signed);
        let proof: Vec<u8> = client_key.bytes().iter().zip(signature.bytes()).map(|(a, b)| a ^ b).collect();
        format!("{without_proof},p={}", base64(&proof))
    };
    let nonce = format!("{}{}", RFC_7677.client_nonce, RFC_7677.server_nonce);
    for (nonce, allowed) in [
        (nonce.as_str(), true),
        (RFC_7677.client_nonce, false),
        (RFC_7677.server_nonce, false),
        (&nonce[..nonce.len() - 1], false),
        (&format!("{nonce}0"), false),
    ] {
        let mut server = server(&RFC_7677);
        server.step(Input::Client(RFC_7677.first.as_bytes()));
        server.step(Input::Keys(keys.clone()));
        let step = server.step(Input::Client(last_with(nonce).as_bytes()));
        assert_eq!(matches!(step, Step::Done(_)), allowed, "{nonce}");
        assert_eq!(matches!(step, Step::Fail(Failure::NotAuthorized)), !allowed, "{nonce}");
    }
}
