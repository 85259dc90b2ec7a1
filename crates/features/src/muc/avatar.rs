//! Cards and pictures of rooms (XEP-0054, XEP-0486): what an owner gives is checked here and stored with the room's account; the room tells
//! of the hashes, which lie beside the card so that nobody has to read it for them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, IqHandler};
use metronome_host::options::{Kind, Setting, Values};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Document, Drawer, Op};
use metronome_muc::Card;
use metronome_proto::ns;
use metronome_proto::payload::avatar::{Format, Photo};
use metronome_proto::payload::vcard;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Child, Content, Tree};
use metronome_store::StoreError;

use crate::conversions::avatar::hash;
use crate::stored_xml;

/// Largest card of a room.
pub const SIZE: Setting = Setting::new(
    "limits.rooms.vcard",
    Kind::Bytes,
    "\"128 KiB\"",
    "Largest card of a room, with the picture in all of its formats. No card is larger than `limits.c2s.stanza`.",
)
.per_host()
.within(1024, 16 << 20);

/// Most formats of one picture.
const PHOTOS_MAX: usize = 4;

const CARD: &str = "vCard";

/// The name of the document with the hashes.
const HASHES: &str = "hashes";

/// The request for a card; what sets one goes to the room.
pub(super) const GET: IqHandler = IqHandler {
    kind: IqType::Get,
    at: At::Room,
    ns: ns::VCARD,
    name: CARD,
    asks: Asks::Read,
    handle: |server, env| Box::pin(get(server, env)),
};

/// Reads the card that a room is to have; an empty one for none.
pub fn read(values: &Values, card: &Child<'_>) -> Result<Card, StanzaError> {
    if vcard::is_empty(card) {
        return Ok(Card::default());
    }
    let bytes_max = values.bytes(&SIZE);
    if card.bytes().len() as u64 > bytes_max {
        let text = format!("this is larger than {bytes_max} bytes");
        return Err(StanzaError::new(Condition::PolicyViolation).with_text(text));
    }
    if vcard::photos(card) > PHOTOS_MAX {
        let text = format!("a card has {PHOTOS_MAX} pictures at most");
        return Err(StanzaError::new(Condition::PolicyViolation).with_text(text));
    }
    let hashes = Photo::all_of(card).iter().map(hash_of).collect::<Result<_, _>>()?;
    Ok(Card { xml: card.bytes().into(), hashes })
}

fn hash_of(photo: &Photo) -> Result<Box<str>, StanzaError> {
    let refuse = |text: &str| StanzaError::new(Condition::NotAcceptable).with_text(text);
    let image = STANDARD.decode(&photo.base64).map_err(|_| refuse("this picture is not in base64"))?;
    let says = photo.kind.as_deref().unwrap_or_default();
    if Format::of(&image).is_none() && !says.starts_with("image/") {
        return Err(refuse("this is not a picture"));
    }
    Ok(hash(&image).into())
}

/// What is stored of a card.
pub fn ops(owner: AccountId, card: Card) -> [Op; 2] {
    let hash = |hash: &str| Tree::new(ns::ROOM_AVATAR, "hash").text(hash);
    let hashes = match card.hashes.is_empty() {
        true => Vec::new(),
        false => Tree::new(ns::ROOM_AVATAR, HASHES).children(card.hashes.iter().map(|text| hash(text))).to_vec(ns::CLIENT),
    };
    let document = |ns: &str, name: &str, xml| Document { drawer: Drawer::Card, ns: ns.into(), name: name.into(), xml };
    [document(ns::VCARD, CARD, card.xml), document(ns::ROOM_AVATAR, HASHES, hashes.into())]
        .map(|document| Op::SetDocument { owner, document: Box::new(document) })
}

/// The hashes of a room's picture, for a room that is loaded.
pub async fn hashes(server: &Server, owner: AccountId) -> Result<Vec<Box<str>>, StoreError> {
    let stored = server.store.document(owner, Drawer::Card, ns::ROOM_AVATAR, HASHES).await?;
    let content = stored.and_then(|xml| Content::parse(&xml).ok()).unwrap_or_default();
    let hashes = content.child(ns::ROOM_AVATAR, HASHES);
    Ok(hashes.iter().flat_map(Child::children).map(|hash| Box::from(&*hash.text())).collect())
}

/// Everybody may read the card, as everybody may ask what the room is.
async fn get(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let to = env.stanza.to.as_ref().ok_or(Condition::ServiceUnavailable)?;
    let account = server.store.account(to.domain(), to.local().unwrap_or_default()).await?;
    let owner = account.ok_or(Condition::ItemNotFound)?.id;
    let stored = server.store.document(owner, Drawer::Card, ns::VCARD, CARD).await?;
    let content = stored_xml::content(&stored.ok_or(Condition::ItemNotFound)?)?;
    env.effects.push(Effect::Reply(env.stanza.result(content)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const SVG: &str = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSIzMiIgaGVpZ2h0PSIzMiI+CiA8cmVjdCB4PSIwIiB5PSIwIiB3aWR0aD0iMzIiIGhlaWdodD0iMzIiIGZpbGw9InJlZCIvPgo8L3N2Zz4K";

    fn of(inside: &str) -> Result<Card, Condition> {
        let content = Content::parse(format!("<vCard xmlns='vcard-temp'>{inside}</vCard>").as_bytes()).unwrap();
        let card = read(&Values::defaults(&[&[SIZE]]), &content.iter().next().unwrap());
        card.map_err(|error| error.condition)
    }

    fn photo(kind: &str, image: &str) -> String {
        format!("<PHOTO><TYPE>{kind}</TYPE><BINVAL>{image}</BINVAL></PHOTO>")
    }

    #[test]
    fn all_formats_of_a_picture_have_a_hash() {
        let card = of(&[photo("image/svg+xml", SVG), photo("image/png", PNG)].concat()).unwrap();
        assert_eq!(card.hashes.len(), 2);
        assert_eq!(&*card.hashes[0], "a31c4bd04de69663cfd7f424a8453f4674da37ff");
        assert!(card.xml.starts_with(b"<vCard"));
        assert_eq!(of("<FN>Coven</FN>").unwrap().hashes.len(), 0);
        assert_eq!(of(""), Ok(Card::default()));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        assert_eq!(of(&photo("image/png", "%%%")), Err(Condition::NotAcceptable));
        assert_eq!(of(&photo("text/html", "aGVsbG8=")), Err(Condition::NotAcceptable));
        assert_eq!(of(&photo("image/png", PNG).repeat(5)), Err(Condition::PolicyViolation));
        assert_eq!(of(&photo("image/png", &"A".repeat(128 * 1024))), Err(Condition::PolicyViolation));
    }
}
