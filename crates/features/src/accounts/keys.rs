//! What is stored of a password: keys for the usual SCRAM mechanisms and for every other that the host offers.

use metronome_host::derivations::{Busy, Patience};
use metronome_host::hosts::{self, Host};
use metronome_host::server::Server;
use metronome_model::{Account, KeyHash, Op, Outcome, Record, StoredKeys};
use metronome_sasl::{Failure, Hash, Password, SALT_BYTES, derive, random_bytes};

/// Derives the keys of a password, each with a salt of its own. Takes its turn among all derivations of the server.
pub async fn of_password(
    server: &Server,
    host: &Host,
    password: Password,
    patience: Patience,
) -> Result<Vec<StoredKeys>, Busy> {
    let iterations = host.values.count(&hosts::ITERATIONS) as u32;
    let mut hashes = vec![KeyHash::Sha1, KeyHash::Sha256, KeyHash::Sha512];
    if host.sasl.scram.contains(&Hash::Sha384) {
        hashes.push(KeyHash::Sha384);
    }
    let derived = move || hashes.into_iter().map(|hash| stored(hash, &password, iterations)).collect();
    server.derivations.run(patience, derived).await
}

/// Keeps keys that a client has computed for a hash that the account has none for (XEP-0480). The password must still be the one that
/// was proved.
pub async fn add(server: &Server, proved: &Account, keys: StoredKeys) -> Result<(), Failure> {
    let _locked = server.owners.lock(&[proved.id]).await;
    let now = server.store.account_by_id(proved.id).await.map_err(|error| {
        tracing::error!(%error, "an account could not be read");
        Failure::TemporaryAuthFailure
    })?;
    if now.is_none_or(|now| now.auth_epoch != proved.auth_epoch) {
        return Err(Failure::NotAuthorized);
    }
    match server.commit(Record::of(Op::AddKeys { id: proved.id, keys: Box::new(keys) })).await {
        Outcome::Done { .. } => Ok(()),
        _ => Err(Failure::TemporaryAuthFailure),
    }
}

fn stored(hash: KeyHash, password: &Password, iterations: u32) -> StoredKeys {
    let salt = random_bytes::<SALT_BYTES>();
    let with = match hash {
        KeyHash::Sha1 => Hash::Sha1,
        KeyHash::Sha256 => Hash::Sha256,
        KeyHash::Sha384 => Hash::Sha384,
        KeyHash::Sha512 => Hash::Sha512,
    };
    let keys = derive(with, password, &salt, iterations);
    StoredKeys {
        hash,
        salt: keys.salt,
        iterations: keys.iterations,
        stored_key: keys.stored_key.expose()[..].into(),
        server_key: keys.server_key.expose()[..].into(),
    }
}
