//! Who asks for a command, and what that lets them do. The control socket speaks for the operator; a session may do what the
//! configuration and its account's role say at this very moment.

use std::sync::Arc;

use metronome_model::{Account, AccountState, Role as AccountRole};
use metronome_proto::jid::Jid;

use super::Role;
use crate::hosts::Host;
use crate::options::{Kind, Setting, Values};
use crate::session::Session;

/// Accounts that may do everything.
pub const OPERATORS: Setting = Setting::new(
    "commands.operators",
    Kind::List,
    "[]",
    "Accounts that may do by ad-hoc commands (XEP-0050) everything that `metronomectl` can, for all domains. An administrator of a \
     domain can neither change such an account nor make one.",
);

/// Who asks.
#[derive(Debug, Clone)]
pub enum Asker {
    /// Whoever may use the control socket.
    Operator,
    /// A client.
    Session {
        /// Its session.
        session: Arc<Session>,
        /// What it may do where it asks.
        role: Role,
    },
}

impl Asker {
    /// A session that asks `host`. None for guests, and where it asks another domain than its own, unless it is an operator's.
    pub fn of(session: &Arc<Session>, account: &Account, host: &Host) -> Option<Asker> {
        if session.is_guest() {
            return None;
        }
        let is_own = session.jid.domain() == host.name.as_str();
        let role = match account.role {
            // Who waits for a confirmation has no say in anything.
            _ if session.is_locked() || account.state != AccountState::Active => Role::User,
            _ if is_operator(&host.values, &session.jid) => Role::Operator,
            AccountRole::Admin => Role::Admin,
            AccountRole::User => Role::User,
        };
        (is_own || role == Role::Operator).then(|| Asker::Session { session: session.clone(), role })
    }

    /// What it may do.
    pub fn role(&self) -> Role {
        match self {
            Asker::Operator => Role::Operator,
            Asker::Session { role, .. } => *role,
        }
    }

    /// The session that asks.
    pub fn session(&self) -> Option<&Arc<Session>> {
        match self {
            Asker::Operator => None,
            Asker::Session { session, .. } => Some(session),
        }
    }

    /// For the log.
    pub fn name(&self) -> &str {
        match self {
            Asker::Operator => "control",
            Asker::Session { session, .. } => session.jid.as_str(),
        }
    }
}

/// Whether an account is one of [`OPERATORS`].
pub fn is_operator(values: &Values, jid: &Jid) -> bool {
    let is_it = |entry: &String| Jid::parse(entry).is_ok_and(|operator| operator.as_str() == jid.bare_str());
    values.list(&OPERATORS).iter().any(is_it)
}
