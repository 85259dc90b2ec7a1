//! The same thing in the forms of different documents, of which each client knows one: avatars (XEP-0398), cards (XEP-0292)
//! and bookmarks (XEP-0402). One form is
//! what counts, the nodes of the account; the others are made of it when they are asked for, and what is set in them goes there.

pub mod avatar;
pub(crate) mod bookmarks;
pub(crate) mod cards;

use std::sync::Arc;

use metronome_host::feature::{Feature, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{AccountId, Outcome};
use metronome_proto::jid::Jid;
use metronome_proto::payload::bookmarks::{COMPAT, COMPAT_PEP, CONVERSION};
use metronome_proto::payload::pubsub::Request;
use metronome_proto::stanza::error::Condition;

use crate::pubsub;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "conversions",
    xeps: &[
        Xep::new(84, "1.1.4", "User Avatar"),
        Xep::new(153, "1.1.1", "vCard-Based Avatars"),
        Xep::new(292, "0.12.0", "vCard4 Over XMPP"),
        Xep::new(398, "1.0.0", "User Avatar to vCard-Based Avatars Conversion"),
        Xep::new(48, "1.2", "Bookmarks"),
        Xep::new(402, "1.2.0", "PEP Native Bookmarks"),
        Xep::new(411, "1.1.0", "Bookmarks Conversion"),
    ],
    disco_account: &[avatar::CONVERSION, COMPAT, COMPAT_PEP, CONVERSION],
    ..Feature::NONE
};

/// Publishes or retracts for the owner of an account, at once: what is set in another form is set when this is.
async fn act(server: &Arc<Server>, owner: AccountId, address: &Jid, request: Request) -> Result<(), Refuse> {
    match pubsub::as_owner(server, owner, address, request).await?.commit(server).await {
        Outcome::Done { .. } => Ok(()),
        _ => Err(Condition::ResourceConstraint.into()),
    }
}
