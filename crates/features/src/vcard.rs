//! XEP-0054: vcard-temp: the visiting card of an account, stored as it was given, read by everybody. An account without a card
//! answers others like one that does not exist, so nobody learns from it which accounts there are.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Document, Drawer, Op};
use metronome_proto::ns;
use metronome_proto::payload::vcard;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::conversions::{avatar, cards};
use crate::{stored_xml, strangers};

/// Largest card.
pub const SIZE: Setting = Setting::new(
    "limits.vcard",
    Kind::Bytes,
    "\"256 KiB\"",
    "Largest visiting card; one with a picture is some ten kilobytes. No card is larger than `limits.c2s.stanza`.",
)
.per_host()
.within(1024, 16 << 20);

/// The settings of visiting cards.
pub const SETTINGS: &[Setting] = &[SIZE];

const NAME: &str = "vCard";

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "vcard",
    xeps: &[Xep::new(54, "1.3.0", "vcard-temp")],
    disco: &[ns::VCARD],
    disco_account: &[ns::VCARD],
    iq: &[
        getter(At::OwnAccount),
        getter(At::Account),
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::VCARD,
            name: NAME,
            asks: Asks::Change,
            handle: |server, env| Box::pin(set(server, env)),
        },
    ],
    settings: SETTINGS,
    ..Feature::NONE
};

const fn getter(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::VCARD,
        name: NAME,
        asks: Asks::Read,
        handle: |server, env| Box::pin(get(server, env)),
    }
}

async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let owner = match env.destination {
        Destination::Account(Some(owner)) => owner,
        _ => env.sender.session()?.account,
    };
    let stored = server.store.document(owner, Drawer::Card, ns::VCARD, NAME).await?;
    let address = match env.destination {
        Destination::OwnAccount => env.stanza.from.bare(),
        _ => env.stanza.to.as_ref().ok_or(Condition::ServiceUnavailable)?.bare(),
    };
    let stored = match stored {
        Some(stored) => Some(stored.to_vec()),
        None => cards::old(server, owner, &address, &env.stanza.from).await?,
    };
    match avatar::card(server, owner, &address, &env.stanza.from, stored.as_deref()).await? {
        Some(xml) => {
            let content = stored_xml::content(&xml)?;
            env.effects.push(Effect::Reply(env.stanza.result(content)));
            Ok(())
        }
        // Section 3.1 for the own card, section 3.3 for others'.
        None if env.destination == Destination::OwnAccount => Err(Condition::ItemNotFound.into()),
        None => strangers::answer(env),
    }
}

async fn set(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let document = document(env)?;
    stored_xml::refuse_larger_than(env.host.values.bytes(&SIZE), &document)?;
    let owner = env.sender.session()?.account;
    env.locked = Some(server.owners.lock(&[owner]).await);
    let stored = server.store.document(owner, document.drawer, &document.ns, &document.name).await?;
    if stored.as_deref().unwrap_or_default() != &*document.xml {
        env.record.push(Op::SetDocument { owner, document: Box::new(document) });
    }
    let (content, address) = (env.stanza.content.clone(), env.stanza.from.bare());
    let card = content.iter().next().ok_or(Condition::BadRequest)?;
    avatar::card_set(server, owner, &address, &card, stored.as_deref()).await?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// The card as it is to be stored; an empty one removes what is there.
fn document(env: &Envelope) -> Result<Document, Refuse> {
    let card = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    if vcard::photos(&card) > 1 {
        return Err(StanzaError::new(Condition::PolicyViolation).with_text("a card has one PHOTO at most").into());
    }
    let xml = if vcard::is_empty(&card) { Box::default() } else { card.bytes().into() };
    Ok(Document { drawer: Drawer::Card, ns: ns::VCARD.into(), name: NAME.into(), xml })
}
