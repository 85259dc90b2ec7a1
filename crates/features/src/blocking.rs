//! XEP-0191: Blocking Command: the short way to the account's lists, of which XEP-0016 is the long one ([`crate::privacy`]): a blocked
//! address is a rule at the beginning of the default list. What comes of it is judged in [`check`] for every stanza.

pub mod check;
pub(crate) mod lists;
pub mod watch;

use std::sync::Arc;

use metronome_host::blocking::{Blocking, List};
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::blocking::{self, Item};
use metronome_proto::payload::Malformed;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::reports;

/// How many rules an account may have.
pub const RULES: Setting = Setting::new(
    "limits.blocking",
    Kind::Count { min: 1, max: 10_000 },
    "1000",
    "Most rules of one account in all its privacy lists together; each blocked address is one.",
)
.per_host();

/// What the list is called that blocking makes where there is no default list.
const NAME: &str = "blocklist";

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "blocking",
    xeps: &[Xep::new(191, "1.3", "Blocking Command")],
    disco: &[ns::BLOCKING],
    disco_account: &[ns::BLOCKING],
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::OwnAccount,
            ns: ns::BLOCKING,
            name: "blocklist",
            asks: Asks::Read,
            handle: |server, env| Box::pin(get(server, env)),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::BLOCKING,
            name: "block",
            asks: Asks::Change,
            handle: |server, env| Box::pin(block(server, env)),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::BLOCKING,
            name: "unblock",
            asks: Asks::Change,
            handle: |server, env| Box::pin(unblock(server, env)),
        },
    ],
    settings: &[RULES],
    ..Feature::NONE
};

/// Answers with the blocklist (section 3.2). From here on changes are pushed; they wait for the lock, so every push comes behind it.
async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let blocking = lists::hold(server, env, &[]).await?;
    env.sender.session()?.set_wants_blocklist();
    let answer = Content::from_tree(&blocking::tree("blocklist", blocking.blocked()));
    env.effects.push(Effect::Reply(env.stanza.result(answer)));
    Ok(())
}

/// The addresses of a request, each once, and what is reported of them.
fn items(env: &Envelope) -> Result<(Vec<Jid>, Vec<Item>), Refuse> {
    let request = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let items = blocking::items(&request, env.host.values.count(&RULES) as usize)?;
    let mut jids: Vec<Jid> = items.iter().map(|item| item.jid.clone()).collect();
    jids.sort_unstable();
    jids.dedup();
    Ok((jids, items))
}

/// Section 3.3: from its answer on nothing goes to the blocked or comes from them.
async fn block(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (jids, mut items) = items(env)?;
    if jids.is_empty() {
        return Err(Malformed("whom?").into());
    }
    items.retain(|item| item.report.is_some());
    let also = if items.is_empty() { &[][..] } else { &[reports::OWNER][..] };
    let before = lists::hold(server, env, also).await?;
    let list = match before.default_list() {
        Some(list) => list.with_blocked(&jids),
        None => List::new(&fresh_name(&before), Vec::new()).with_blocked(&jids),
    };
    let name = list.name.clone();
    let after = before.with_list(list).with_default(Some(&name));
    reports::keep(server, env, &items).await?;
    lists::put(env, &before, Arc::new(after))?;
    lists::push_blocklist(server, env, "block", &jids);
    lists::push_list(server, env, &name, Session::wants_lists);
    Ok(())
}

/// Sections 3.4 and 3.5. A list of which nothing is left goes: then it is as if nobody had ever been blocked.
async fn unblock(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (jids, _) = items(env)?;
    let before = lists::hold(server, env, &[]).await?;
    let (name, after) = match before.default_list() {
        None => (None, before.with_default(None)),
        Some(list) => {
            let left = list.without_blocked(Some(&*jids).filter(|jids| !jids.is_empty()));
            let is_empty = left.items().is_empty();
            let after = if is_empty { before.without_list(&list.name) } else { before.with_list(left) };
            (Some(list.name.clone()), after)
        }
    };
    lists::put(env, &before, Arc::new(after))?;
    lists::push_blocklist(server, env, "unblock", &jids);
    if let Some(name) = name {
        lists::push_list(server, env, &name, Session::wants_lists);
    }
    Ok(())
}

/// A name that no list has.
fn fresh_name(blocking: &Blocking) -> String {
    let numbered = (2..).map(|number| format!("{NAME}-{number}"));
    let mut names = std::iter::once(NAME.to_owned()).chain(numbered);
    names.find(|name| blocking.list(name).is_none()).unwrap_or_default()
}
