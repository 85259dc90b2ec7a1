//! XEP-0292: a card that was published as vCard4 only, for those who ask for one of the old form (XEP-0054).

use std::sync::Arc;

use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::vcard4;
use metronome_proto::xml::Content;

use crate::pubsub;

/// The card in the old form, if there is one that somebody may read and that has anything to say there.
pub(crate) async fn old(server: &Arc<Server>, owner: AccountId, address: &Jid, who: &Jid) -> Result<Option<Vec<u8>>, Refuse> {
    if !pubsub::may_read(server, owner, address, vcard4::NODE, who).await? {
        return Ok(None);
    }
    let newest = server.store.newest_items(owner, vec![vcard4::NODE.into()]).await?;
    let Some(content) = newest.first().and_then(|(_, item)| Content::parse(&item.payload).ok()) else { return Ok(None) };
    let card = content.child(ns::VCARD4, "vcard").map(|card| vcard4::to_temp(&card));
    Ok(card.filter(|card| card.elements().next().is_some()).map(|card| card.to_vec(ns::CLIENT)))
}
