//! XEP-0313: Message Archive Management, with XEP-0441 (preferences). An account asks for what was stored of its messages, and says
//! what is stored; nobody else gets an answer. What is worth storing at all is decided in `archive`.

mod commands;
pub mod preferences;
mod purge;
pub mod query;
pub(crate) mod removal;
pub mod retention;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, Handle, IqHandler, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::ns;
use metronome_proto::payload::mam;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Content, Tree};
use metronome_store::StoreError;

use crate::pubsub::archive;

/// Messages of a page where a client does not say how many it wants.
pub const PAGE: Setting = Setting::new(
    "archive.page",
    Kind::Count { min: 1, max: 1000 },
    "50",
    "Messages that a client gets from its archive at a time if it does not say how many it wants.",
)
.per_host();

/// Most messages of a page.
pub const PAGE_MAX: Setting = Setting::new(
    "archive.page_max",
    Kind::Count { min: 1, max: 1000 },
    "250",
    "Most messages that a client gets from its archive at a time, however many it wants. A page also ends after about half a mebibyte.",
)
.per_host();

/// What is archived for accounts that have not said it themselves.
pub const DEFAULT: Setting = Setting::new(
    "archive.default",
    Kind::Choice(&["always", "roster", "never"]),
    "\"always\"",
    "What is archived for accounts that have no preferences of their own: everything, messages with people in the roster, or nothing. \
     What is not archived is stored all the same until a client proved that it has it.",
)
.per_host();

/// Whether people may remove messages.
pub const PURGE: Setting = Setting::new(
    "archive.purge",
    Kind::Flag,
    "true",
    "Whether people may remove messages from their own archives.",
)
.per_host();

/// The settings of archives.
pub const SETTINGS: &[Setting] = &[
    PAGE,
    PAGE_MAX,
    DEFAULT,
    PURGE,
    retention::KEEP,
    retention::MESSAGES,
    retention::KEEP_IN_ROOMS,
    retention::MESSAGES_IN_ROOMS,
];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "mam",
    xeps: &[
        Xep::new(59, "1.0", "Result Set Management"),
        Xep::new(297, "1.0", "Stanza Forwarding"),
        Xep::new(313, "1.1.3", "Message Archive Management"),
        Xep::new(441, "0.2.0", "Message Archive Management Preferences"),
    ],
    disco_account: &[ns::MAM, ns::MAM_EXTENDED, ns::MAM_GROUPCHAT_FIELD, ns::MAM_PURGE, ns::RSM],
    iq: &[
        own(IqType::Get, "query", Asks::Read, |_, env| Box::pin(std::future::ready(form(env)))),
        own(IqType::Set, "query", Asks::Read, |server, env| match archive::is_of_node(env) {
            true => Box::pin(archive::answer(server, env)),
            false => Box::pin(query::answer(server, env)),
        }),
        own(IqType::Get, "metadata", Asks::Read, |server, env| Box::pin(metadata(server, env))),
        own(IqType::Get, "prefs", Asks::Read, |server, env| Box::pin(preferences::get(server, env))),
        own(IqType::Set, "prefs", Asks::Change, |server, env| Box::pin(preferences::set(server, env))),
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::MAM_PURGE,
            name: "purge",
            asks: Asks::Change,
            handle: |server, env| Box::pin(purge::answer(server, env)),
        },
    ],
    commands: commands::COMMANDS,
    settings: SETTINGS,
    ..Feature::NONE
};

/// A request to one's own archive. To anybody else's there is no handler, so that it is answered as if there were no such account.
const fn own(kind: IqType, name: &'static str, asks: Asks, handle: Handle) -> IqHandler {
    IqHandler { kind, at: At::OwnAccount, ns: ns::MAM, name, asks, handle }
}

/// Answers what can be asked for.
pub(crate) fn form(env: &mut Envelope) -> Result<(), Refuse> {
    reply(env, &mam::form());
    Ok(())
}

async fn metadata(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let owner = env.sender.session()?.account;
    tell_position(server, env, Some(owner)).await
}

/// Answers where an archive begins and ends; without an owner there is none yet.
pub(crate) async fn tell_position(
    server: &Server,
    env: &mut Envelope,
    owner: Option<AccountId>,
) -> Result<(), Refuse> {
    let metadata = match owner {
        Some(owner) => position(server, owner).await?.0,
        None => mam::metadata(None),
    };
    reply(env, &metadata);
    Ok(())
}

/// What is told of an archive as a whole (section 4.2), and the id of the last message in it; zero if there is none.
pub async fn position(server: &Server, owner: AccountId) -> Result<(Tree, u64), StoreError> {
    let ends = server.store.ends(owner).await?;
    let last_id = ends.as_ref().map_or(0, |(_, last)| last.id);
    let ends = ends.map(|(first, last)| [(first.id, first.at_ms), (last.id, last.at_ms)]);
    Ok((mam::metadata(ends), last_id))
}

fn done(env: &mut Envelope) {
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
}

fn reply(env: &mut Envelope, answer: &Tree) {
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(answer))));
}
