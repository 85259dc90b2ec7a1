//! XEP-0480 on a client's stream: a client that has proved the password computes what is stored of it for a mechanism that the account has
//! no keys for. Tasks of XEP-0388, between the proof and the end of the login.

use metronome_features::accounts::keys;
use metronome_host::hosts::{self, Host};
use metronome_model::{AccountState, KeyHash, StoredKeys};
use metronome_proto::payload::sasl_upgrade;
use metronome_proto::payload::sasl2::{self, Request};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::{Element, Tree};
use metronome_sasl::{Failure, Hash, SALT_BYTES, SaltedPassword, decode_plain, encode_plain, random_bytes};

use super::attempt::Proved;
use super::negotiate::Secured;
use crate::stream::Fault;

/// Whether there was a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgraded {
    Nothing,
    Something,
}

/// What is announced: a task for each hash of the host, whether or not an account needs it. SHA-1 is nothing to upgrade to.
pub(super) fn features(host: &Host) -> Vec<Tree> {
    let better = host.sasl.scram.iter().rev().filter(|hash| **hash != Hash::Sha1);
    better.map(|hash| sasl_upgrade::feature(&task(*hash))).collect()
}

fn task(hash: Hash) -> String {
    format!("UPGR-SCRAM-{}", hash.as_str())
}

impl Secured {
    /// The tasks that the client has asked for and the account has a use for, one after the other. Others are passed over.
    pub(super) async fn upgrade(
        &mut self,
        host: &Host,
        asked: &Element,
        proved: &Proved,
    ) -> Result<Result<Upgraded, Failure>, Fault> {
        let mut upgraded = Upgraded::Nothing;
        let Some(account) = proved.account.as_ref().filter(|account| account.state == AccountState::Active) else {
            return Ok(Ok(upgraded));
        };
        let wanted: Vec<String> = sasl_upgrade::asked(asked).collect();
        let tasks = proved.lacks.iter().rev().filter(|hash| **hash != Hash::Sha1 && wanted.contains(&task(**hash)));
        for hash in tasks.copied() {
            let data = proved.data.as_deref().filter(|_| upgraded == Upgraded::Nothing).map(encode_plain);
            self.say(&sasl2::go_on(data.as_deref(), &task(hash))).await?;
            upgraded = Upgraded::Something;
            let keys = match self.compute(host, hash).await? {
                Ok(keys) => keys,
                Err(failure) => return Ok(Err(failure)),
            };
            if let Err(failure) = keys::add(&self.context.server, account, keys).await {
                return Ok(Err(failure));
            }
            tracing::info!(
                host = host.name.as_str(),
                jid = proved.authn.jid().as_str(),
                hash = hash.as_str(),
                "an account has keys for another mechanism"
            );
        }
        Ok(Ok(upgraded))
    }

    /// One task (section 3): the client is told a salt and computes.
    async fn compute(&mut self, host: &Host, hash: Hash) -> Result<Result<StoredKeys, Failure>, Fault> {
        match Request::read(&self.stream.element().await?) {
            Some(Request::Next(name)) if name == task(hash) => {}
            Some(Request::Next(_)) => return Ok(Err(Failure::MalformedRequest)),
            Some(Request::Abort) => return Ok(Err(Failure::Aborted)),
            _ => return Err(Condition::NotAuthorized.into()),
        }
        let (salt, iterations) = (random_bytes::<SALT_BYTES>(), host.values.count(&hosts::ITERATIONS) as u32);
        self.say(&sasl2::task_data(sasl_upgrade::salt(&encode_plain(&salt), iterations))).await?;
        let element = self.stream.element().await?;
        match Request::read(&element) {
            Some(Request::TaskData) => {}
            Some(Request::Abort) => return Ok(Err(Failure::Aborted)),
            _ => return Err(Condition::NotAuthorized.into()),
        }
        let salted = sasl_upgrade::hash(&element).and_then(|text| decode_plain(&text).ok());
        let salted = salted.and_then(|bytes| SaltedPassword::new(hash, bytes));
        Ok(salted.map(|salted| stored(&salted, hash, &salt, iterations)).ok_or(Failure::MalformedRequest))
    }
}

fn stored(salted: &SaltedPassword, hash: Hash, salt: &[u8], iterations: u32) -> StoredKeys {
    let keys = salted.keys(hash, salt, iterations);
    StoredKeys {
        hash: match hash {
            Hash::Sha1 => KeyHash::Sha1,
            Hash::Sha256 => KeyHash::Sha256,
            Hash::Sha384 => KeyHash::Sha384,
            Hash::Sha512 => KeyHash::Sha512,
        },
        salt: keys.salt,
        iterations: keys.iterations,
        stored_key: keys.stored_key.expose()[..].into(),
        server_key: keys.server_key.expose()[..].into(),
    }
}
