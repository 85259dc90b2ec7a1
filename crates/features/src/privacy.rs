//! XEP-0016: Privacy Lists: the long way to the account's lists, of which XEP-0191 is the short one ([`crate::blocking`]). Clients make,
//! replace and remove lists, choose one for a session, and one for the account.

use std::sync::Arc;

use metronome_host::blocking::{Blocking, Chosen, List};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::ns;
use metronome_proto::payload::privacy::{self, Get, Item, Set};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::blocking::{RULES, lists};
use crate::roster::load;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "privacy",
    xeps: &[Xep::new(16, "1.7", "Privacy Lists")],
    disco: &[ns::PRIVACY],
    disco_account: &[ns::PRIVACY],
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::OwnAccount,
            ns: ns::PRIVACY,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(get(server, env)),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::PRIVACY,
            name: "query",
            asks: Asks::Change,
            handle: |server, env| Box::pin(set(server, env)),
        },
    ],
    ..Feature::NONE
};

/// The names of all lists, or one list (section 2.3).
async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let wanted = Get::read(&query)?;
    let blocking = lists::hold(server, env, &[]).await?;
    env.sender.session()?.set_wants_lists();
    let answer = match wanted {
        Get::Names => {
            let active = env.sender.session()?.active_list();
            let active = active.map(|name| privacy::choice("active", &name));
            let default = blocking.default_list().map(|list| privacy::choice("default", &list.name));
            let names = blocking.lists().iter().map(|list| privacy::list(&list.name, []));
            privacy::query(active.into_iter().chain(default).chain(names))
        }
        Get::List(name) => {
            let list = blocking.list(&name).ok_or(Condition::ItemNotFound)?;
            privacy::query([privacy::list(&name, list.items())])
        }
    };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&answer))));
    Ok(())
}

async fn set(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let wanted = Set::read(&query, env.host.values.count(&RULES) as usize)?;
    let before = lists::hold(server, env, &[]).await?;
    env.sender.session()?.set_wants_lists();
    match wanted {
        Set::Active(name) => activate(env, &before, name.as_deref()),
        Set::Default(name) => make_default(server, env, &before, name.as_deref()),
        Set::List { name, items } => keep(server, env, &before, &name, items).await,
        Set::Remove(name) => remove(server, env, &before, &name),
    }
}

/// Section 2.4: for this session, and for as long as it lasts. It counts before the answer goes.
fn activate(env: &mut Envelope, blocking: &Blocking, name: Option<&str>) -> Result<(), Refuse> {
    if name.is_some_and(|name| blocking.list(name).is_none()) {
        return Err(Condition::ItemNotFound.into());
    }
    env.effects.push(Effect::Rules(env.sender.session()?.clone(), blocking.rules(name)));
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// Section 2.5: for the account. Nobody changes it under the feet of another session that goes by it.
fn make_default(
    server: &Server,
    env: &mut Envelope,
    before: &Blocking,
    name: Option<&str>,
) -> Result<(), Refuse> {
    if name.is_some_and(|name| before.list(name).is_none()) {
        return Err(Condition::ItemNotFound.into());
    }
    let is_changed = before.default_list().map(|list| &*list.name) != name;
    if is_changed && others_go_by(server, env.sender.session()?, |chosen, _| chosen == Chosen::Default) {
        return Err(Condition::Conflict.into());
    }
    change(server, env, before, before.with_default(name))
}

/// Sections 2.6 and 2.7: a list is always set as a whole, and everybody is told.
async fn keep(
    server: &Arc<Server>,
    env: &mut Envelope,
    before: &Blocking,
    name: &str,
    items: Vec<Item>,
) -> Result<(), Refuse> {
    let list = List::new(name, items);
    if list.asks_roster() {
        let known = load::groups(server, env.sender.session()?.account, &env.sender.session()?.jid).await?;
        if list.groups().any(|group| !known.contains(group)) {
            return Err(StanzaError::new(Condition::ItemNotFound).with_text("there is no such group").into());
        }
    }
    change(server, env, before, before.with_list(list))?;
    lists::push_list(server, env, name, |_| true);
    Ok(())
}

/// Section 2.8.
fn remove(server: &Server, env: &mut Envelope, before: &Blocking, name: &str) -> Result<(), Refuse> {
    if before.list(name).is_none() {
        return Err(Condition::ItemNotFound.into());
    }
    if others_go_by(server, env.sender.session()?, |_, list| *list.name == *name) {
        return Err(Condition::Conflict.into());
    }
    change(server, env, before, before.without_list(name))?;
    lists::push_list(server, env, name, |_| true);
    Ok(())
}

fn change(server: &Server, env: &mut Envelope, before: &Blocking, after: Blocking) -> Result<(), Refuse> {
    let after = Arc::new(after);
    lists::put(env, before, after.clone())?;
    lists::push_difference(server, env, before, &after);
    Ok(())
}

/// Whether another session of the account goes by such a list.
fn others_go_by(server: &Server, session: &Session, is_such: impl Fn(Chosen, &List) -> bool) -> bool {
    let all = server.sessions.of(session.account);
    all.iter().filter(|other| other.serial != session.serial).any(|other| {
        let rules = other.rules();
        rules.as_ref().is_some_and(|rules| is_such(rules.chosen, &rules.list))
    })
}
