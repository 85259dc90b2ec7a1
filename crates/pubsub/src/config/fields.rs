//! Every field of `pubsub#node_config`: one row each. A tag in the first column stays with its field for ever, or stored nodes
//! would be misread.

use metronome_proto::payload::data_form::FieldKind;
use metronome_proto::payload::pubsub::NAME_BYTES_MAX;

use super::values::{
    AccessModel, Amount, AssociationPolicy, ItemReply, NodeFull, NotificationType, PublishModel, SendLast,
};
use super::{Config, DESCRIPTION_BYTES_MAX, LINE_BYTES_MAX, LISTED_MAX};
use crate::rows::{On, Row, Unfit, choice, flag, jids, line, names, number, single, written_flag, written_line};

/// Most bytes of the address of what a node was replaced by.
const URI_BYTES_MAX: usize = 8192;

/// A text.
macro_rules! text {
    ($tag:literal $name:literal $field:ident, $max:expr, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::TextSingle,
            label: $label,
            choices: &[],
            on: On::All,
            get: |config| written_line(&config.$field),
            set: |config, values| line(values, $max).map(|line| config.$field = line),
        }
    };
}

/// A truth value.
macro_rules! truth {
    ($tag:literal $name:literal $field:ident $on:ident, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::Boolean,
            label: $label,
            choices: &[],
            on: On::$on,
            get: |config| written_flag(config.$field),
            set: |config, values| flag(values).map(|flag| config.$field = flag),
        }
    };
}

/// One of several words.
macro_rules! word {
    ($tag:literal $name:literal $field:ident $of:ident $on:ident, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::ListSingle,
            label: $label,
            choices: $of::CHOICES,
            on: On::$on,
            get: |config| vec![config.$field.as_str().to_owned()],
            set: |config, values| choice(values, $of::of).map(|word| config.$field = word),
        }
    };
}

/// Addresses.
macro_rules! addresses {
    ($tag:literal $name:literal $field:ident $on:ident, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::JidMulti,
            label: $label,
            choices: &[],
            on: On::$on,
            get: |config| config.$field.iter().map(|jid| jid.as_str().to_owned()).collect(),
            set: |config, values| jids(values, LISTED_MAX).map(|jids| config.$field = jids),
        }
    };
}

/// The name of another node, if there is one.
macro_rules! node {
    ($tag:literal $name:literal $field:ident, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::TextSingle,
            label: $label,
            choices: &[],
            on: On::Nothing,
            get: |config| written_line(config.$field.as_deref().unwrap_or_default()),
            set: |config, values| {
                line(values, NAME_BYTES_MAX).map(|node| config.$field = Some(node).filter(|node| !node.is_empty()))
            },
        }
    };
}

/// All fields, in the order in which they are shown.
pub(crate) const FIELDS: &[Row<Config>] = &[
    text!(1 "title" title, LINE_BYTES_MAX, "A short name for the node"),
    text!(2 "description" description, DESCRIPTION_BYTES_MAX, "A description of the node"),
    text!(3 "type" r#type, LINE_BYTES_MAX, "The type of the payloads, usually their namespace"),
    Row {
        tag: 4,
        name: "language",
        kind: FieldKind::TextSingle,
        label: "The language of the content, such as en",
        choices: &[],
        on: On::All,
        get: |config| written_line(&config.language),
        set: |config, values| language(values).map(|language| config.language = language),
    },
    addresses!(5 "contact" contact All, "Who answers questions"),
    word!(6 "access_model" access_model AccessModel All, "Who may subscribe and retrieve items"),
    Row {
        tag: 7,
        name: "roster_groups_allowed",
        kind: FieldKind::ListMulti,
        label: "Roster groups that may subscribe and retrieve items",
        choices: &[],
        on: On::All,
        get: |config| config.roster_groups_allowed.iter().map(|group| String::from(&**group)).collect(),
        set: |config, values| {
            names(values, LISTED_MAX, LINE_BYTES_MAX).map(|groups| config.roster_groups_allowed = groups)
        },
    },
    word!(8 "publish_model" publish_model PublishModel Leaves, "Who may publish"),
    truth!(9 "subscribe" subscribe All, "Whether anybody may subscribe"),
    truth!(10 "tempsub" tempsub All, "Whether subscriptions end when the subscriber goes offline"),
    truth!(11 "deliver_notifications" deliver_notifications All, "Whether to notify subscribers"),
    truth!(12 "deliver_payloads" deliver_payloads Leaves, "Whether to deliver payloads with notifications"),
    truth!(13 "notify_config" notify_config All, "Whether to notify subscribers when the configuration changes"),
    truth!(14 "notify_delete" notify_delete All, "Whether to notify subscribers when the node is deleted"),
    truth!(15 "notify_retract" notify_retract Leaves, "Whether to notify subscribers when items are removed"),
    truth!(16 "notify_sub" notify_sub All, "Whether to notify owners of new and former subscribers"),
    word!(17 "notification_type" notification_type NotificationType All, "The type of the messages to subscribers"),
    truth!(18 "presence_based_delivery" presence_based_delivery All, "Whether to notify only who is online"),
    word!(19 "send_last_published_item" send_last_published_item SendLast Leaves, "When to send the last item"),
    word!(20 "itemreply" itemreply ItemReply Leaves, "Whom items name as their publisher"),
    truth!(21 "persist_items" persist_items Leaves, "Whether to keep items"),
    Row {
        tag: 22,
        name: "max_items",
        kind: FieldKind::TextSingle,
        label: "How many items to keep: a number, or max",
        choices: &[],
        on: On::Leaves,
        get: |config| vec![config.max_items.word()],
        set: |config, values| {
            let amount = amount(values)?.ok_or(Unfit("a number, or max"))?;
            config.max_items = amount;
            Ok(())
        },
    },
    Row {
        tag: 23,
        name: "item_expire",
        kind: FieldKind::TextSingle,
        label: "After how many seconds items go: a number, or max, or nothing for never",
        choices: &[],
        on: On::Leaves,
        get: |config| config.item_expire.map(Amount::word).into_iter().collect(),
        set: |config, values| amount(values).map(|amount| config.item_expire = amount),
    },
    word!(24 "publish_node_full" publish_node_full NodeFull Leaves, "What to do with a new item when the node is full"),
    truth!(25 "purge_offline" purge_offline Leaves, "Whether to remove items when their publisher goes offline"),
    Row {
        tag: 26,
        name: "max_payload_size",
        kind: FieldKind::TextSingle,
        label: "The largest payload in bytes, or nothing for as much as the service allows",
        choices: &[],
        on: On::Leaves,
        get: |config| config.max_payload_size.map(|size| size.to_string()).into_iter().collect(),
        set: |config, values| {
            let size = if single(values)?.is_empty() { None } else { Some(number(values, 1)?) };
            config.max_payload_size = size;
            Ok(())
        },
    },
    text!(27 "body_xslt" body_xslt, LINE_BYTES_MAX, "The URL of a transformation of payloads into text"),
    text!(28 "dataform_xslt" dataform_xslt, LINE_BYTES_MAX, "The URL of a transformation of payloads into forms"),
    word!(
        29 "children_association_policy" children_association_policy AssociationPolicy Collections,
        "Who may associate nodes with this collection"
    ),
    addresses!(
        30 "children_association_whitelist" children_association_whitelist Collections,
        "The whitelist of those who may associate nodes with this collection"
    ),
    Row {
        tag: 31,
        name: "children_max",
        kind: FieldKind::TextSingle,
        label: "How many nodes this collection may have: a number, or max",
        choices: &[],
        on: On::Collections,
        get: |config| config.children_max.map(Amount::word).into_iter().collect(),
        set: |config, values| amount(values).map(|amount| config.children_max = amount),
    },
    node!(32 "{urn:xmpp:pubsub-relationships:0}link" link, "The node that this one goes with"),
    node!(33 "{urn:xmpp:pubsub-relationships:0}parent" parent, "The node above this one"),
    Row {
        tag: 34,
        name: "moved",
        kind: FieldKind::TextSingle,
        label: "",
        choices: &[],
        on: On::Nothing,
        get: |config| written_line(&config.moved),
        set: |config, values| line(values, URI_BYTES_MAX).map(|uri| config.moved = uri),
    },
];

/// A number from 1, or `max`; or nothing at all.
fn amount(values: &[String]) -> Result<Option<Amount>, Unfit> {
    match single(values)? {
        "" => Ok(None),
        "max" => Ok(Some(Amount::Max)),
        _ => number(values, 1).map(|count| Some(Amount::Count(count))),
    }
}

/// A language tag, as far as its letters tell.
fn language(values: &[String]) -> Result<Box<str>, Unfit> {
    let tag = single(values)?;
    let is_tag = tag.len() <= 64 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_tag { Ok(tag.into()) } else { Err(Unfit("a language tag")) }
}
