//! XEP-0398: avatars in the nodes of XEP-0084, in the card of XEP-0054 and in presence (XEP-0153). The nodes are what counts: who asks for the
//! card gets it with the avatar, if they may read the nodes; a picture that is set in the card is published; and presence that does not say
//! that there is none carries its hash.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_model::{AccountId, Item};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::avatar::{self, Format, Info, Metadata, Photo, update};
use metronome_proto::payload::pubsub::{Payload, Publication, Request};
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::xml::{Child, Content, Tree};
use sha1::{Digest as _, Sha1};

use super::act;
use crate::hex::hex;
use crate::{pubsub, stored_xml};

/// The feature that says so.
pub(crate) const CONVERSION: &str = "urn:xmpp:pep-vcard-conversion:0";

/// A card as somebody may see it: with the avatar of the account in it, or as it is stored where the nodes say nothing to them.
pub(crate) async fn card(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    who: &Jid,
    stored: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Refuse> {
    let as_stored = || Ok(stored.map(<[u8]>::to_vec));
    let Some(metadata) = metadata(server, owner).await? else { return as_stored() };
    for node in [ns::AVATAR_METADATA, ns::AVATAR_DATA] {
        if !pubsub::may_read(server, owner, address, node, who).await? {
            return as_stored();
        }
    }
    let photo = match metadata.stored() {
        None if metadata.formats.is_empty() => None,
        // It is somewhere else, which the card cannot say.
        None => return as_stored(),
        Some(info) => match photo(server, owner, info).await? {
            Some(photo) => Some(photo),
            None => return as_stored(),
        },
    };
    let content = stored.map(stored_xml::content).transpose()?.unwrap_or_default();
    let card = content.iter().next();
    let image = |photo: &Photo| photo.base64.clone();
    if card.as_ref().and_then(Photo::of).as_ref().map(image) == photo.as_ref().map(image) {
        return as_stored();
    }
    let mut out = Vec::new();
    avatar::write_card(&mut out, card.as_ref(), photo.as_ref());
    Ok(Some(out))
}

/// Publishes the picture of a new card, or that there is none any more if the card before had one.
pub(crate) async fn card_set(
    server: &Arc<Server>,
    owner: AccountId,
    address: &Jid,
    card: &Child<'_>,
    stored: Option<&[u8]>,
) -> Result<(), Refuse> {
    let stored = stored.map(stored_xml::content).transpose()?.unwrap_or_default();
    let before = stored.iter().next().and_then(|card| Photo::of(&card));
    match Photo::of(card) {
        Some(photo) => publish(server, owner, address, &photo).await,
        None if before.is_some() => {
            let empty = publication(None, &Metadata::default().tree())?;
            act(server, owner, address, request(ns::AVATAR_METADATA, empty)).await
        }
        None => Ok(()),
    }
}

/// Publishes a picture, unless it is the avatar already. What is no image is not published, and stays in the card.
async fn publish(server: &Arc<Server>, owner: AccountId, address: &Jid, photo: &Photo) -> Result<(), Refuse> {
    let Ok(image) = STANDARD.decode(&photo.base64) else { return Ok(()) };
    let Some(format) = Format::of(&image) else { return Ok(()) };
    let id = hash(&image);
    if metadata(server, owner).await?.is_some_and(|known| known.stored().is_some_and(|info| *info.id == *id)) {
        return Ok(());
    }
    let size = avatar::size(&image);
    let info = Info {
        bytes: image.len() as u64,
        id: id.as_str().into(),
        kind: format.media_type().into(),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height),
        url: None,
    };
    let data = publication(Some(&id), &avatar::data(&photo.base64))?;
    act(server, owner, address, request(ns::AVATAR_DATA, data)).await?;
    let metadata = publication(Some(&id), &Metadata { formats: vec![info] }.tree())?;
    act(server, owner, address, request(ns::AVATAR_METADATA, metadata)).await
}

/// Puts the hash of the account's avatar into an available presence of one of its sessions (XEP-0398 section 4).
pub async fn amend(server: &Server, session: &Session, env: &mut Envelope) -> Result<(), Refuse> {
    let hash = told(server, session.account).await?;
    if let Some(content) = update::amended(&env.stanza.content, hash.as_deref()) {
        Arc::make_mut(&mut env.stanza).content = content;
    }
    Ok(())
}

/// The hash of the account's avatar. Costs no read once it is known, whether there is one or not.
async fn told(server: &Server, owner: AccountId) -> Result<Option<Arc<str>>, Refuse> {
    if let Some(known) = server.nodes.avatar(owner) {
        return Ok(known);
    }
    let generation = server.nodes.generation();
    let metadata = metadata(server, owner).await?;
    let hash = metadata.as_ref().and_then(Metadata::stored).map(|info| Arc::from(&*info.id));
    server.nodes.keep_avatar(owner, hash.clone(), generation);
    Ok(hash)
}

/// What the account tells of its avatar; `None` if it has never told anything. Costs no read for an account without the node.
async fn metadata(server: &Server, owner: AccountId) -> Result<Option<Metadata>, Refuse> {
    if !pubsub::last::may_have(server, owner, ns::AVATAR_METADATA).await? {
        return Ok(None);
    }
    let newest = server.store.newest_items(owner, vec![ns::AVATAR_METADATA.into()]).await?;
    let Some((_, item)) = newest.into_iter().next() else { return Ok(None) };
    Ok(payload(&item).and_then(|content| {
        let metadata = content.child(ns::AVATAR_METADATA, "metadata")?;
        Metadata::read(&metadata).ok()
    }))
}

/// The image that belongs to it, if it is there and is what the hash says (XEP-0398 section 3.1).
async fn photo(server: &Server, owner: AccountId, info: &Info) -> Result<Option<Photo>, Refuse> {
    let items = server.store.items_by_id(owner, ns::AVATAR_DATA, vec![info.id.clone()]).await?;
    let Some(content) = items.first().and_then(payload) else { return Ok(None) };
    let Some(data) = content.child(ns::AVATAR_DATA, "data") else { return Ok(None) };
    let base64 = avatar::read_data(&data);
    let Ok(image) = STANDARD.decode(&base64) else { return Ok(None) };
    let kind = Format::of(&image).map_or_else(|| info.kind.clone(), |format| format.media_type().into());
    Ok((hash(&image).eq_ignore_ascii_case(&info.id)).then_some(Photo { kind: Some(kind), base64 }))
}

fn payload(item: &Item) -> Option<Content> {
    Content::parse(&item.payload).ok()
}

fn publication(id: Option<&str>, tree: &Tree) -> Result<Publication, Refuse> {
    let content = Content::from_tree(tree);
    let element = content.iter().next().ok_or(Condition::InternalServerError)?;
    let payload = Payload::of(&element).map_err(StanzaError::from)?;
    Ok(Publication { id: id.map(Box::from), payload: Some(payload) })
}

fn request(node: &str, item: Publication) -> Request {
    Request::Publish { node: node.into(), items: vec![item], options: None }
}

/// The SHA-1 hash of an image, in hexadecimal digits.
pub(crate) fn hash(image: &[u8]) -> String {
    hex(&Sha1::digest(image))
}
