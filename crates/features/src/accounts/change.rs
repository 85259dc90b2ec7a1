//! What can become of an account: it is made, gets another password, role or state, and is removed. One function for each, whichever
//! door asks for it: an administrator's command or the account's own client (XEP-0077). Each but `create` decides under the owner's
//! lock and answers a [`Change`], which its door makes durable.

use std::sync::Arc;

use metronome_host::derivations::Busy;
use metronome_host::effect::{Effect, Effects};
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::owners::Locked;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::{Lock, Session};
use metronome_model::{Account, AccountId, AccountState, Op, Outcome, Record, Role, StoredKeys, Unavailable};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::error::{Condition, ErrorType, StanzaError};
use metronome_proto::stream;
use metronome_sasl::is_guest_name;
use metronome_store::StoreError;

/// A change that is decided, with the locks under which it was.
#[derive(Debug)]
pub struct Change {
    /// What must become durable.
    pub record: Record,
    /// What then happens.
    pub effects: Effects,
    locked: Locked,
}

/// Why an account is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// There is an account of this name, or one that is being removed.
    #[error("it exists already")]
    Taken,
    /// The name is one that no account may have.
    #[error("names like this are those of guests")]
    Reserved,
    /// There is no such account, or not any more.
    #[error("it does not exist")]
    Gone,
    /// It is in a state from which it does not go over into the wanted one.
    #[error("it is {}", name_of(*.0))]
    Is(AccountState),
    /// Too many passwords are being changed.
    #[error("the server is busy with other passwords")]
    Busy,
    /// Others keep changing what the change depends on.
    #[error("others keep changing it")]
    Restless,
    /// The store cannot write now.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// The store cannot be read; the log says why.
    #[error("the store cannot be read")]
    Unreadable,
}

/// A state in one word.
pub fn name_of(state: AccountState) -> &'static str {
    match state {
        AccountState::Active => "active",
        AccountState::Locked => "locked",
        AccountState::Disabled => "disabled",
        AccountState::LockedAndDisabled => "locked-and-disabled",
    }
}

/// What somebody wants of an account's state. Locking and disabling do not undo each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It may speak to its host and to itself only.
    Lock,
    /// It may speak to everybody.
    Unlock,
    /// Nobody can log in.
    Disable,
    /// Its owner can log in.
    Enable,
}

impl Switch {
    /// The state that follows `now`; `now` itself if there is nothing to do. An account that is only locked is not to be enabled:
    /// whoever asks for that wants it unlocked.
    fn after(self, now: AccountState) -> Result<AccountState, Unchanged> {
        use AccountState::{Active, Disabled, Locked, LockedAndDisabled};
        Ok(match (self, now) {
            (Switch::Lock, Active | Locked) => Locked,
            (Switch::Lock, Disabled | LockedAndDisabled) => LockedAndDisabled,
            (Switch::Unlock, Active | Locked) => Active,
            (Switch::Unlock, Disabled | LockedAndDisabled) => Disabled,
            (Switch::Disable, Active | Disabled) => Disabled,
            (Switch::Disable, Locked | LockedAndDisabled) => LockedAndDisabled,
            (Switch::Enable, Active | Disabled) => Active,
            (Switch::Enable, LockedAndDisabled) => Locked,
            (Switch::Enable, Locked) => return Err(Unchanged::Is(now)),
        })
    }
}

/// An account whose lock is held, as it is now.
#[derive(Debug)]
pub struct Held {
    /// Its row.
    pub account: Account,
    jid: Jid,
    locked: Locked,
}

/// Which sessions a new password ends.
#[derive(Debug, Clone)]
pub enum Ends {
    /// All: whoever asked is somebody else.
    All,
    /// All but the one that asked.
    AllBut(Arc<Session>),
}

/// Makes an account that can log in; it is durable when this returns.
pub async fn create(
    server: &Server,
    host: &Host,
    name: &str,
    keys: Vec<StoredKeys>,
    role: Role,
) -> Result<(), Unchanged> {
    if is_guest_name(name) {
        return Err(Unchanged::Reserved);
    }
    let jid = Jid::from_parts(Some(name), host.name.as_str(), None).map_err(|_| Unchanged::Reserved)?;
    let account = Box::new(Account {
        id: AccountId::ordinary(server.rng.bytes16()),
        host: host.name.as_str().into(),
        name: name.into(),
        role,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: server.clock.unix_ms(),
    });
    judged(&server.commit_with(Record::of(Op::AddAccount { account, keys }), vec![Effect::Forget(jid)]).await)
}

/// Takes the lock of an account and reads its row.
pub async fn hold(server: &Server, id: AccountId) -> Result<Held, Unchanged> {
    let locked = server.owners.lock(&[id]).await;
    let account = server.store.account_by_id(id).await?.ok_or(Unchanged::Gone)?;
    let jid = Jid::from_parts(Some(&account.name), &account.host, None).map_err(|_| Unchanged::Gone)?;
    Ok(Held { account, jid, locked })
}

impl Held {
    /// Gives the account other keys. Whoever logged in with the old ones is asked to log in again.
    pub fn set_password(self, keys: Vec<StoredKeys>, ends: Ends) -> Change {
        const WHY: &str = "the password was changed";
        let id = self.account.id;
        let condition = stream::error::Condition::Reset;
        let end = match ends {
            Ends::All => Effect::Disconnect(id, condition, WHY),
            Ends::AllBut(session) => Effect::DisconnectOthers(session, condition, WHY),
        };
        self.change(Op::SetKeys { id, keys }, Some(end))
    }

    /// Gives the account another state, and answers which. A disabled account is disconnected, a locked one goes on with what it may
    /// still do.
    pub fn set_state(self, switch: Switch) -> Result<(AccountState, Change), Unchanged> {
        let id = self.account.id;
        let state = switch.after(self.account.state)?;
        let then = match state {
            AccountState::Active => Effect::Lock(id, Lock::Open),
            AccountState::Locked => Effect::Lock(id, Lock::Locked),
            AccountState::Disabled | AccountState::LockedAndDisabled => {
                Effect::Disconnect(id, stream::error::Condition::NotAuthorized, "the account was disabled")
            }
        };
        Ok((state, self.change(Op::SetState { id, state }, Some(then))))
    }

    /// Gives the account another role.
    pub fn set_role(self, role: Role) -> Change {
        let id = self.account.id;
        self.change(Op::SetRole { id, role }, None)
    }

    fn change(self, op: Op, then: Option<Effect>) -> Change {
        let mut effects = vec![Effect::Forget(self.jid)];
        effects.extend(then);
        Change { record: Record::of(op), effects, locked: self.locked }
    }
}

impl Change {
    pub(super) fn new(record: Record, effects: Effects, locked: Locked) -> Change {
        Change { record, effects, locked }
    }

    /// Makes it durable and lets everybody see it; for commands.
    pub async fn make(self, server: &Server) -> Result<(), Unchanged> {
        let Change { record, effects, locked } = self;
        let outcome = server.commit_with(record, effects).await;
        drop(locked);
        judged(&outcome)
    }

    /// Leaves it to the stanza that asked for it, behind the answer.
    pub fn hand_to(self, env: &mut Envelope) {
        let Change { record, effects, locked } = self;
        env.record = record;
        env.effects.extend(effects);
        env.locked = Some(locked);
    }
}

fn judged(outcome: &Outcome) -> Result<(), Unchanged> {
    Err(match outcome {
        Outcome::Done { .. } => return Ok(()),
        Outcome::Conflict => Unchanged::Taken,
        Outcome::Unavailable(why) => Unchanged::Unavailable(*why),
        Outcome::Gone | Outcome::Full | Outcome::Fenced => Unchanged::Gone,
    })
}

impl From<Busy> for Unchanged {
    fn from(Busy: Busy) -> Unchanged {
        Unchanged::Busy
    }
}

impl From<StoreError> for Unchanged {
    fn from(error: StoreError) -> Unchanged {
        tracing::error!(%error, "an account could not be read");
        Unchanged::Unreadable
    }
}

/// What a client is told.
impl From<&Unchanged> for StanzaError {
    fn from(why: &Unchanged) -> StanzaError {
        match why {
            Unchanged::Taken => StanzaError::new(Condition::Conflict).with_text("this name is taken"),
            Unchanged::Reserved => StanzaError::new(Condition::NotAcceptable).with_text("this name cannot be had"),
            Unchanged::Gone | Unchanged::Is(_) => StanzaError::new(Condition::NotAllowed),
            Unchanged::Busy | Unchanged::Restless => {
                StanzaError::new(Condition::ResourceConstraint).with_text("the server is busy, try again later")
            }
            Unchanged::Unavailable(Unavailable::DiskFull | Unavailable::Stopping) => {
                StanzaError::new(Condition::ResourceConstraint)
            }
            Unchanged::Unavailable(_) | Unchanged::Unreadable => {
                StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait)
            }
        }
    }
}

impl From<Unchanged> for Box<StanzaError> {
    fn from(why: Unchanged) -> Box<StanzaError> {
        Box::new(StanzaError::from(&why))
    }
}

impl From<Unchanged> for Refuse {
    fn from(why: Unchanged) -> Refuse {
        StanzaError::from(&why).into()
    }
}
