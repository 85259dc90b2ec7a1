//! A small world: one host, a few accounts, name preparation that is lower case only, and a driver for an exchange.
#![allow(dead_code)]

use metronome_sasl::client::{ClientBinding, Scram};
use metronome_sasl::{
    ChannelBinding, ChannelBindings, ClientCertificate, Exchange, Failure, Hash, Input, Keys, Names, Need, Offer,
    Opening, Password, Rules, Step, StreamFacts, Success, Verdict, derive, fake_keys, verify_password,
};

pub(crate) const HOST: &str = "example.org";
pub(crate) const SERVER_SECRET: &[u8] = b"a secret of thirty-two bytes or so";
pub(crate) const ITERATIONS: u32 = 5;
pub(crate) const EXPORTER: &[u8] = b"exported keying material, 32 by.";
pub(crate) const END_POINT: &[u8] = b"hash of the server's certificate";
pub(crate) const ACCOUNTS: [(&str, &str); 3] = [("juliet", "r0m30"), ("admin", "secret"), ("o,=k", "pencil")];

pub(crate) fn names() -> Names {
    Names {
        username: |name| (!name.is_empty() && !name.contains(['@', '/', ' '])).then(|| name.to_lowercase()),
        bare_jid: |jid| {
            let (local, domain) = jid.split_once('@')?;
            let fine = !local.is_empty() && !domain.is_empty() && !jid.contains(['/', ' ']) && !domain.contains('@');
            fine.then(|| jid.to_lowercase())
        },
    }
}

pub(crate) fn everything() -> Rules {
    Rules { scram: Hash::ALL.to_vec(), anonymous: true, tokens: true, ..Rules::default() }
}

pub(crate) fn tls() -> StreamFacts {
    StreamFacts {
        encrypted: true,
        bindings: ChannelBindings {
            tls_exporter: Some(EXPORTER.to_vec()),
            tls_server_end_point: Some(END_POINT.to_vec()),
        },
        certificate: ClientCertificate::Verified,
    }
}

pub(crate) fn tls_without_bindings() -> StreamFacts {
    StreamFacts { bindings: ChannelBindings::default(), ..tls() }
}

pub(crate) fn begin(offer: &Offer, mechanism: &str) -> Result<Box<dyn Exchange>, Failure> {
    offer.begin(mechanism, Opening { host: HOST, nonce: [7; 32], names: names() })
}

pub(crate) fn keys_of(username: &str, hash: Hash) -> Keys {
    match ACCOUNTS.iter().find(|(name, _)| *name == username) {
        Some((_, password)) => derive(hash, &Password::new(password).unwrap(), b"sixteen bytes!!!", ITERATIONS),
        None => fake_keys(SERVER_SECRET, HOST, username, hash, ITERATIONS),
    }
}

/// What one account's certificate carries here.
pub(crate) fn certificate() -> Vec<String> {
    vec![String::from("juliet@example.org")]
}

/// Steps with a client's message and meets the needs that follow.
pub(crate) fn send(exchange: &mut dyn Exchange, message: &[u8], certificate: &[String]) -> Step {
    let mut step = exchange.step(Input::Client(message));
    while let Step::Need(need) = step {
        let answer = match need {
            Need::Keys { username, hash } => Input::Keys(keys_of(&username, hash)),
            Need::CheckPassword { username, password } => {
                let right = verify_password(&keys_of(&username, Hash::Sha256), &password);
                Input::Verdict(if right { Verdict::Right } else { Verdict::Wrong })
            }
            Need::Certificate => Input::Certificate(certificate.to_vec()),
            Need::Tokens { .. } => Input::Tokens(Vec::new()),
            Need::AnonymousName => Input::AnonymousName(String::from("guest-1")),
        };
        step = exchange.step(answer);
    }
    step
}

/// A whole login with SCRAM; also returns what the server said on the way.
pub(crate) fn scram(
    offer: &Offer,
    mechanism: &str,
    scram: Scram<'_>,
    password: &str,
) -> (Vec<Vec<u8>>, Result<Success, Failure>) {
    let mut exchange = match begin(offer, mechanism) {
        Ok(exchange) => exchange,
        Err(failure) => return (Vec::new(), Err(failure)),
    };
    let (first, waiting) = scram.first();
    let challenge = match send(&mut *exchange, &first, &[]) {
        Step::Challenge(challenge) => challenge,
        Step::Fail(failure) => return (Vec::new(), Err(failure)),
        other => panic!("{other:?}"),
    };
    let challenged = waiting.challenge(&challenge).unwrap();
    let keys = challenged.derive(&Password::new(password).unwrap());
    let (last, answered) = challenged.answer(&keys);
    match send(&mut *exchange, &last, &[]) {
        Step::Done(success) => {
            let data = success.data.clone().unwrap();
            assert_eq!(answered.verify(&data), Ok(()));
            (vec![challenge, data], Ok(success))
        }
        Step::Fail(failure) => (vec![challenge], Err(failure)),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn client<'a>(hash: Hash, username: &'a str, binding: ClientBinding<'a>) -> Scram<'a> {
    Scram { hash, authzid: "", username, nonce: "clientnonce", binding }
}

pub(crate) fn exporter() -> ClientBinding<'static> {
    ClientBinding::Bind(ChannelBinding::TlsExporter, EXPORTER)
}
