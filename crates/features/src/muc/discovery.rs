//! What service discovery tells of rooms: which there are (XEP-0045 section 6.3), by pages (XEP-0059), and what one is (section 6.4).

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_muc::config::{Config, NAME, Table};
use metronome_muc::{Room, Standing, disco};
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, Field};
use metronome_proto::payload::disco::{Identity, Info, Item, Items};
use metronome_proto::payload::rsm::{Given, Wanted};
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::{Content, Tree};
use metronome_store::rooms::RoomsListed;

use super::standing;
use crate::disco::asked_host;

/// Most rooms in one answer.
const PAGE_MAX: u64 = 100;

/// The rooms that a service names to everybody, or all of them to who owns them all.
pub(super) async fn items(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    let query = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    if metronome_proto::payload::disco::node(&query).is_some_and(|node| !node.is_empty()) {
        return Err(Condition::ItemNotFound.into());
    }
    let set = Wanted::read(&query)?;
    let wanted = set.max.unwrap_or(PAGE_MAX).min(PAGE_MAX) as usize;
    let after = set.after.as_deref();
    let listed = match standing::of(server, env, &host).await? {
        Standing::Superuser => RoomsListed::All,
        Standing::Ordinary => RoomsListed::Public,
    };
    let rooms = server.store.rooms(host.name.domain(), listed, after, wanted + 1).await?;
    let is_all = rooms.len() <= wanted;
    let shown = &rooms[..rooms.len().min(wanted)];
    let item = |room: &metronome_store::rooms::ListedRoom| {
        let jid = Jid::from_parts(Some(&room.name), host.name.domain(), None).ok()?;
        let config = Config::decode(&room.row.config);
        let title = config.text(&NAME);
        let name = if title.is_empty() { &*room.name } else { title };
        Some(Item { jid, node: None, name: Some(name.to_owned()) })
    };
    let tree = Items { node: None, items: shown.iter().filter_map(item).collect() }.tree();
    let ends = shown.first().zip(shown.last()).map(|(first, last)| (first.name.to_string(), last.name.to_string()));
    let tree = match !is_all || set != Wanted::default() {
        true => tree.child(Given { ends, index: None, count: None }.tree()),
        false => tree,
    };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&tree))));
    Ok(())
}

/// What a room is; `logs` is the address of its log, if everybody may read that.
pub fn info(room: &Room, table: &Table, more: &[&str], logs: Option<String>) -> Tree {
    let identity = Identity::new("conference", "text");
    let identity = match disco::name(room) {
        Some(name) => identity.named(name),
        None => identity.named(room.address().local().unwrap_or_default()),
    };
    let features = [metronome_proto::ns::DISCO_INFO, metronome_proto::ns::DISCO_ITEMS];
    let mut features: Vec<_> =
        features.iter().copied().chain(disco::features(room, table)).chain(more.iter().copied()).collect();
    features.sort_unstable();
    features.dedup();
    let features = features.into_iter().map(str::to_owned).collect();
    let logs = logs.map(|address| Field::text_single("muc#roominfo_logs").label("Where to read what was said").value(address));
    let form = logs.into_iter().fold(disco::info(room, table), DataForm::field);
    Info { node: None, identities: vec![identity], features, extensions: vec![form] }.tree()
}
