//! XEP-0049: Private XML Storage: what a client keeps for its account alone, by namespace and name. Stored as it was given, within
//! the account's quota; for nobody else there is anything at all.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Document, Drawer, Op};
use metronome_proto::ns;
use metronome_proto::payload::{Malformed, private};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::conversions::bookmarks;
use crate::stored_xml;

/// Largest document.
pub const DOCUMENT: Setting = Setting::new(
    "limits.private.document",
    Kind::Bytes,
    "\"128 KiB\"",
    "Largest piece of private data that a client may store.",
)
.per_host()
.within(1024, 16 << 20);

/// Largest sum of documents.
pub const TOTAL: Setting = Setting::new(
    "limits.private.total",
    Kind::Bytes,
    "\"1 MiB\"",
    "Most private data of one account, all pieces together.",
)
.per_host()
.within(1024, 1 << 30);

/// The settings of private data.
pub const SETTINGS: &[Setting] = &[DOCUMENT, TOTAL];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "private",
    xeps: &[Xep::new(49, "1.2", "Private XML Storage")],
    disco: &[ns::PRIVATE],
    disco_account: &[ns::PRIVATE],
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::OwnAccount,
            ns: ns::PRIVATE,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(get(server, env)),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::OwnAccount,
            ns: ns::PRIVATE,
            name: "query",
            asks: Asks::Change,
            handle: |server, env| Box::pin(set(server, env)),
        },
    ],
    settings: SETTINGS,
    ..Feature::NONE
};

/// The document that a request is about, and whether its element is empty. Its XML is the query with the element in it, which
/// stands for itself and so comes back as it was.
fn document(env: &Envelope, nothing: Condition) -> Result<(Document, bool), Refuse> {
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let element = match private::element(&query) {
        Ok(Some(element)) => element,
        Ok(None) => return Err(StanzaError::new(nothing).with_text("which element?").into()),
        Err(Malformed(why)) => return Err(StanzaError::new(Condition::NotAcceptable).with_text(why).into()),
    };
    let xml = query.bytes().into();
    let document = Document { drawer: Drawer::Private, ns: element.ns().into(), name: element.name().into(), xml };
    Ok((document, private::is_empty(&element)))
}

/// What is stored, or the element that was asked for where nothing is (section 2.3).
async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (wanted, _) = document(env, Condition::BadRequest)?;
    let owner = env.sender.session()?.account;
    let stored = server.store.document(owner, wanted.drawer, &wanted.ns, &wanted.name).await?;
    let converted = match bookmarks::is_list(&wanted) {
        true => bookmarks::list(server, owner, stored.as_deref()).await?,
        false => None,
    };
    let content = match (converted, stored) {
        (Some(content), _) => content,
        (None, Some(xml)) => stored_xml::content(&xml)?,
        (None, None) => Content::from_tree(&private::nothing(&wanted.ns, &wanted.name)),
    };
    env.effects.push(Effect::Reply(env.stanza.result(content)));
    Ok(())
}

/// Stores an element, or removes what is there if it is empty: who asks for it then gets the same.
async fn set(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let (mut document, removes) = document(env, Condition::NotAcceptable)?;
    if removes {
        document.xml = Box::default();
    }
    stored_xml::refuse_larger_than(env.host.values.bytes(&DOCUMENT), &document)?;
    let owner = env.sender.session()?.account;
    env.locked = Some(server.owners.lock(&[owner]).await);
    let stored = server.store.document(owner, document.drawer, &document.ns, &document.name).await?;
    if stored.as_deref().unwrap_or_default() != &*document.xml {
        let before = stored.map_or(0, |xml| Document { xml, ..document.clone() }.len_bytes()) as u64;
        let all = server.store.drawer_size(owner, document.drawer).await?.bytes;
        let after = all.saturating_sub(before) + document.len_bytes() as u64;
        // What shrinks is always taken: otherwise who has too much could not have less.
        if after > env.host.values.bytes(&TOTAL) && after > all {
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text("there is no room for more").into());
        }
        env.record.push(Op::SetDocument { owner, document: Box::new(document.clone()) });
    }
    if bookmarks::is_list(&document) {
        let (content, address) = (env.stanza.content.clone(), env.stanza.from.bare());
        let storage = content.iter().next().and_then(|query| query.child(&document.ns, &document.name));
        bookmarks::set(server, owner, &address, &storage.ok_or(Condition::BadRequest)?).await?;
        bookmarks::keep_list_if_there(server, owner, &address).await?;
    }
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}
