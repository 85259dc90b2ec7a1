//! What one person has attached to an item (XEP-0470 sections 4.7 and 4.8), as far as it is counted.

use std::collections::BTreeSet;

use metronome_proto::ns;
use metronome_proto::payload::pubsub::Payload;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::xml::Content;

use crate::known::Stop;

/// Most reactions of one person to one item.
const REACTIONS_MAX: usize = 20;

/// Most bytes of one reaction: the longest emoji take some forty.
const REACTION_BYTES_MAX: usize = 64;

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attached {
    /// Whether it was noticed.
    pub is_noticed: bool,
    /// Each once.
    pub reactions: BTreeSet<Box<str>>,
}

impl Attached {
    /// What somebody publishes: refused if it is not in the form of the document, or more than one person would say.
    pub(crate) fn judge(payload: Option<&Payload>) -> Result<Attached, Stop> {
        let is_attachments =
            |payload: &&Payload| &*payload.ns == ns::PUBSUB_ATTACHMENTS && &*payload.name == "attachments";
        let payload = payload.filter(is_attachments).ok_or(Stop::from(Condition::BadRequest))?;
        let attached = Attached::read(&payload.bytes);
        let are_long = attached.reactions.iter().any(|reaction| reaction.len() > REACTION_BYTES_MAX);
        if attached.reactions.len() > REACTIONS_MAX || are_long {
            let error = metronome_proto::payload::pubsub::PubsubError::new(Condition::NotAcceptable);
            return Err(error
                .with_type(ErrorType::Modify)
                .with_text("these are too many or too long reactions")
                .into());
        }
        Ok(attached)
    }

    /// What is stored. Elements that are not known are not counted.
    pub(crate) fn read(payload: &[u8]) -> Attached {
        let mut attached = Attached::default();
        let Ok(content) = Content::parse(payload) else { return attached };
        let Some(attachments) = content.child(ns::PUBSUB_ATTACHMENTS, "attachments") else { return attached };
        for child in attachments.children() {
            if child.is(ns::PUBSUB_ATTACHMENTS, "noticed") {
                attached.is_noticed = true;
            } else if child.is(ns::PUBSUB_ATTACHMENTS, "reactions") {
                let reactions = child.children().filter(|child| child.is(ns::PUBSUB_ATTACHMENTS, "reaction"));
                let texts = reactions.map(|reaction| Box::<str>::from(reaction.text().trim()));
                attached.reactions.extend(texts.filter(|text| !text.is_empty()));
            }
        }
        attached
    }
}
