//! Images that messages in rooms name without carrying them (XEP-0231): the room asks whoever sent the message, once, and answers for them
//! from then on.

use std::sync::Arc;

use metronome_features::muc::bits;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::bob::{self, Data};
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Content;

use crate::ask::{self, Answer};

/// Most images of one message that are asked for.
const EACH_MAX: usize = 4;

/// Takes what a message carries that the room sends to everybody, and asks its sender for what it only names.
pub(super) fn take(server: &Arc<Server>, room: &Jid, message: &Stanza) {
    bits::take(server, room, &message.content);
    for cid in bob::named(&message.content, EACH_MAX) {
        if bits::is_worth_asking(server, room, &cid) && server.bits.ask(room, &cid) {
            tokio::spawn(fetch(server.clone(), room.clone(), message.from.clone(), cid));
        }
    }
}

async fn fetch(server: Arc<Server>, room: Jid, sender: Jid, cid: Box<str>) {
    let request = Content::from_tree(&Data::request(&cid).tree());
    let answer = ask::get(&server, room.clone(), sender, request).await;
    server.bits.answered(&room, &cid);
    let Answer::Result(answer) = answer else { return };
    let is_it = answer.child(ns::BOB, "data").is_some_and(|data| data.attr("cid").as_deref() == Some(&*cid));
    if is_it {
        bits::take(&server, &room, &answer.content);
    }
}
