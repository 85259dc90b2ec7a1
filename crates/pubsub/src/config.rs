//! The configuration of a node (XEP-0060 sections 8.2 and 16.4.4, XEP-0248 section 7.2, XEP-0496): one field for each of the form. What
//! the form says besides, the kind of the node and its place among others, stands beside it, since the row of the node has it.

mod fields;
mod form;
#[cfg(test)]
pub(crate) mod tests;
mod values;

use metronome_model::NodeKind;
use metronome_proto::jid::Jid;

use crate::rows::{self, On};

pub(crate) use fields::FIELDS;
pub(crate) use form::{NODE_TYPE, check_type, refused_field};
pub use form::{Relations, Submitted};
pub use values::{
    AccessModel, Amount, AssociationPolicy, ItemReply, NodeFull, NotificationType, PublishModel, SendLast,
};

/// Most bytes of a title, a type, a language, or the URL of a transformation.
pub const LINE_BYTES_MAX: usize = 1024;

/// Most bytes of a description.
pub const DESCRIPTION_BYTES_MAX: usize = 8192;

/// Most addresses in one field, and most groups.
pub const LISTED_MAX: usize = 100;

/// How a node behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// A name for humans.
    pub title: Box<str>,
    /// More for humans.
    pub description: Box<str>,
    /// What the payloads are, usually their namespace; empty if nothing is said.
    pub r#type: Box<str>,
    /// The language of its content, as a tag; empty if nothing is said.
    pub language: Box<str>,
    /// Who answers questions.
    pub contact: Vec<Jid>,
    /// Who may subscribe and retrieve.
    pub access_model: AccessModel,
    /// For [`AccessModel::Roster`]: the groups of the owner's roster.
    pub roster_groups_allowed: Vec<Box<str>>,
    /// Who may publish.
    pub publish_model: PublishModel,
    /// Whether anybody may subscribe at all.
    pub subscribe: bool,
    /// Whether subscriptions last only as long as the subscriber is online.
    pub tempsub: bool,
    /// Whether anything is sent to subscribers.
    pub deliver_notifications: bool,
    /// Whether payloads are sent with it.
    pub deliver_payloads: bool,
    /// Whether subscribers are told of a new configuration.
    pub notify_config: bool,
    /// Whether subscribers are told when the node is deleted.
    pub notify_delete: bool,
    /// Whether subscribers are told when items are removed.
    pub notify_retract: bool,
    /// Whether owners are told of subscribers that come and go.
    pub notify_sub: bool,
    /// How notifications are sent.
    pub notification_type: NotificationType,
    /// Whether they are sent only to who is online.
    pub presence_based_delivery: bool,
    /// When the last item is sent to a subscriber.
    pub send_last_published_item: SendLast,
    /// Whom items name as their publisher.
    pub itemreply: ItemReply,
    /// Whether items are kept.
    pub persist_items: bool,
    /// How many.
    pub max_items: Amount,
    /// For how many seconds; without it, for ever.
    pub item_expire: Option<Amount>,
    /// What happens to items that are too many.
    pub publish_node_full: NodeFull,
    /// Whether items go when their publisher goes offline.
    pub purge_offline: bool,
    /// Largest payload, in bytes; without it, as the service has it.
    pub max_payload_size: Option<u32>,
    /// The URL of a transformation of payloads into text, for who can apply it; this service does not.
    pub body_xslt: Box<str>,
    /// The URL of a transformation of payloads into forms, for who can apply it.
    pub dataform_xslt: Box<str>,
    /// Who may put nodes into a collection.
    pub children_association_policy: AssociationPolicy,
    /// Who may, if a list says so.
    pub children_association_whitelist: Vec<Jid>,
    /// How many nodes there may be in it; without it, as the service has it.
    pub children_max: Option<Amount>,
    /// XEP-0496: the node that this one goes with. Nobody sets it; it is told of nodes in a list of what belongs to another.
    pub link: Option<Box<str>>,
    /// XEP-0496: the node that stands above this one. Told in the same way.
    pub parent: Option<Box<str>>,
    /// Where a node that is no more has gone; empty for all others. What is left of it is this alone.
    pub moved: Box<str>,
}

impl Config {
    /// What is shared by all configurations that set nothing else. Stored nodes lack what is as it is here, so it must never change;
    /// defaults for new nodes are made from it.
    pub fn base() -> Config {
        Config {
            title: Box::default(),
            description: Box::default(),
            r#type: Box::default(),
            language: Box::default(),
            contact: Vec::new(),
            access_model: AccessModel::Open,
            roster_groups_allowed: Vec::new(),
            publish_model: PublishModel::Publishers,
            subscribe: true,
            tempsub: false,
            deliver_notifications: true,
            deliver_payloads: true,
            notify_config: false,
            notify_delete: false,
            notify_retract: false,
            notify_sub: false,
            notification_type: NotificationType::Headline,
            presence_based_delivery: false,
            send_last_published_item: SendLast::OnSubAndPresence,
            itemreply: ItemReply::None,
            persist_items: true,
            max_items: Amount::Max,
            item_expire: None,
            publish_node_full: NodeFull::RetractOldest,
            purge_offline: false,
            max_payload_size: None,
            body_xslt: Box::default(),
            dataform_xslt: Box::default(),
            children_association_policy: AssociationPolicy::Owners,
            children_association_whitelist: Vec::new(),
            children_max: None,
            link: None,
            parent: None,
            moved: Box::default(),
        }
    }

    /// The bytes that a store keeps.
    pub fn encode(&self) -> Box<[u8]> {
        rows::encode(FIELDS, self, &Config::base())
    }

    /// Reads them back. Fields of a later version are passed over. Of bytes that cannot be read nothing is known but that there
    /// was a node: nobody but its owners and members gets in.
    pub fn decode(bytes: &[u8]) -> Config {
        let closed = || Config { access_model: AccessModel::Whitelist, subscribe: false, ..Config::base() };
        rows::decode(FIELDS, bytes, Config::base()).unwrap_or_else(closed)
    }

    /// Bytes on the heap.
    pub fn memory_usage(&self) -> usize {
        let texts = [
            &self.title,
            &self.description,
            &self.r#type,
            &self.language,
            &self.body_xslt,
            &self.dataform_xslt,
            &self.moved,
        ];
        let named = self.roster_groups_allowed.iter().chain(&self.link).chain(&self.parent);
        let jids = self.contact.iter().chain(&self.children_association_whitelist);
        let of_text = |text: &str| text.len() + size_of::<Box<str>>();
        let of_jid = |jid: &Jid| jid.as_str().len() + size_of::<Jid>() + 16;
        texts.map(|text| text.len()).iter().sum::<usize>()
            + named.map(|name| of_text(name)).sum::<usize>()
            + jids.map(of_jid).sum::<usize>()
    }
}

/// Whether a field has a meaning for nodes of this kind.
pub(crate) fn is_for(on: On, kind: NodeKind) -> bool {
    match on {
        On::All => true,
        On::Leaves => kind == NodeKind::Leaf,
        On::Collections => kind == NodeKind::Collection,
        On::Nothing => false,
    }
}
