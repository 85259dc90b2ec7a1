//! The options of a subscription (XEP-0060 sections 6.3 and 16.4.2, XEP-0248 section 6.1): what its subscriber wants to be told, and when.

mod fields;
#[cfg(test)]
mod tests;

use metronome_model::NodeKind;
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FormType};
use metronome_proto::payload::pubsub::{PubsubError, Reason};

use crate::config::{check_type, is_for};
use crate::rows::{self, Row, Unfit};
use crate::words::words;
use fields::{FIELDS, INCLUDE_BODY};

pub use metronome_proto::stanza::presence::Show;

/// How often digests are sent unless something else is said: once a day.
pub const DIGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// What a subscriber wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether anything is sent at all.
    pub deliver: bool,
    /// Whether notifications are sent together.
    pub digest: bool,
    /// How many milliseconds lie between two digests at least.
    pub digest_frequency_ms: u64,
    /// When the subscription ends by itself.
    pub expire: Option<Expire>,
    /// Whether a text for humans is sent with payloads.
    pub include_body: bool,
    /// Only while the subscriber shows one of these; none of them for whatever it shows, and when it is offline.
    pub show_values: Vec<Show>,
    /// About what, if it is a subscription to a collection.
    pub subscription_type: SubscriptionType,
    /// How far down, if it is a subscription to a collection.
    pub subscription_depth: Depth,
    /// XEP-0465: whether others may know of the subscription; not in the form.
    pub public: bool,
    /// What was published until then, Unix time in milliseconds, the last digest has told, or was told before there were digests; not in
    /// the form.
    pub digested_ms: u64,
}

words! {
    /// What a subscription to a collection is about.
    pub enum SubscriptionType {
        /// Items that are published and removed.
        Items = "items", "Receive notification of items only";
        /// Nodes that come, change and go.
        Nodes = "nodes", "Receive notification of nodes only";
        /// Both.
        All = "all", "Receive notification of items and nodes";
    }
}

/// How far a subscription to a collection reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// So many levels below the collection; 0 for the collection itself.
    Levels(u32),
    /// To the end.
    All,
}

impl Depth {
    /// Whether a subscription to a collection is for what happens so many levels below it.
    pub(crate) fn reaches(self, distance: u32) -> bool {
        match self {
            Depth::All => true,
            Depth::Levels(levels) => levels >= distance,
        }
    }
}

/// When a subscription ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expire {
    /// At this time: Unix time in milliseconds (section 12.19).
    At(u64),
    /// When the subscriber goes offline (section 12.5).
    Presence,
}

/// Whether a service can make a text for humans of the payloads of a node (section 12.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bodies {
    /// It can.
    Made,
    /// It cannot, so that nobody can ask for it.
    None,
}

impl Options {
    /// What is shared by all subscriptions to nodes of this kind that set nothing else. Stored subscriptions lack what is as it is here, so
    /// it must never change.
    pub fn new(kind: NodeKind) -> Options {
        Options {
            deliver: true,
            digest: false,
            digest_frequency_ms: DIGEST_MS,
            expire: None,
            include_body: false,
            show_values: Vec::new(),
            subscription_type: match kind {
                NodeKind::Leaf => SubscriptionType::All,
                NodeKind::Collection => SubscriptionType::Nodes,
            },
            subscription_depth: Depth::Levels(1),
            public: false,
            digested_ms: 0,
        }
    }

    /// The bytes that a store keeps.
    pub fn encode(&self, kind: NodeKind) -> Box<[u8]> {
        rows::encode(FIELDS, self, &Options::new(kind))
    }

    /// Reads them back. Fields of a later version are passed over. Of bytes that cannot be read nothing is known but that there was a
    /// subscription: nothing is sent until it is configured again.
    pub fn decode(bytes: &[u8], kind: NodeKind) -> Options {
        let silent = || Options { deliver: false, ..Options::new(kind) };
        rows::decode(FIELDS, bytes, Options::new(kind)).unwrap_or_else(silent)
    }

    /// The form: all that can be set and chosen, for the subscriber; or what is set.
    pub fn form(&self, form: FormType, kind: NodeKind, bodies: Bodies) -> DataForm {
        let is_offered =
            |row: &&Row<Options>| is_for(row.on, kind) && (row.name != INCLUDE_BODY || bodies == Bodies::Made);
        let fields = FIELDS.iter().filter(is_offered).map(|row| row.field(self, form));
        let fields = [Field::hidden_form_type(ns::PUBSUB_SUBSCRIBE_OPTIONS)].into_iter().chain(fields);
        DataForm { fields: fields.collect(), ..DataForm::new(form) }
    }

    /// What a submitted form makes of them. Fields that are not in the form stay as they are, and what is not understood, or has no
    /// meaning for such a node, is passed over; what cannot be set is `invalid-options` (section 6.3.6.2).
    pub fn submit(&self, form: &DataForm, kind: NodeKind, bodies: Bodies) -> Result<Options, PubsubError> {
        let refused = |Unfit(which): Unfit| Reason::InvalidOptions.error().with_text(which);
        check_type(form, ns::PUBSUB_SUBSCRIBE_OPTIONS)?;
        let mut options = self.clone();
        for (row, field) in rows::known(FIELDS, form).map_err(refused)? {
            if is_for(row.on, kind) {
                (row.set)(&mut options, &field.values).map_err(refused)?;
            }
        }
        if options.include_body && bodies == Bodies::None {
            return Err(refused(Unfit("no text can be made of the payloads of this node")));
        }
        Ok(options)
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        self.show_values.capacity() * size_of::<Show>()
    }
}
