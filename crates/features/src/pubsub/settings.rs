//! What administrators may say of nodes: where the service is, who may create, and how much there may be.

use metronome_host::options::{Kind, Setting, Values};
use metronome_pubsub::config::{AccessModel, Amount, Config};
use metronome_pubsub::{AccountRules, Limits, OnMissing, Rules, ServiceRules};

use super::place::{Kind as PlaceKind, Place};

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "pubsub.service",
    Kind::Text,
    "\"pubsub\"",
    "Where a domain has its pubsub service: a label that stands before the domain, as in `pubsub.example.org`; a whole domain name, if there \
     is a dot in it; or `\"\"` for none. Other servers find it by DNS like any domain.",
)
.per_host();

/// Who may create nodes on the service.
pub(super) const CREATION: Setting = Setting::new(
    "pubsub.creation",
    Kind::Choice(&["admins", "users", "everybody"]),
    "\"users\"",
    "Who may create nodes on the service of a domain: its administrators, the accounts of the domain as well, or everybody, also those of \
     other servers. On their own account people may always create nodes.",
)
.per_host();

/// Whether publishing makes a node.
pub(super) const AUTO_CREATE: Setting = Setting::new(
    "pubsub.auto_create",
    Kind::Flag,
    "true",
    "Whether the service makes a node that does not exist when somebody who may create nodes publishes to it.",
)
.per_host();

/// Nodes of accounts that keep one item.
pub(super) const SINGLETONS: Setting = Setting::new(
    "pubsub.singletons",
    Kind::List,
    "[\"http://jabber.org/protocol/mood\", \"http://jabber.org/protocol/activity\", \"http://jabber.org/protocol/tune\", \
     \"http://jabber.org/protocol/geoloc\", \"http://jabber.org/protocol/nick\", \"urn:xmpp:avatar:*\", \"urn:xmpp:chatting:0\", \
     \"urn:xmpp:browsing:0\", \"urn:xmpp:gaming:0\", \"urn:xmpp:viewing:0\"]",
    "Nodes of accounts that keep their latest item only, unless they are configured otherwise; a `*` at the end stands for any end.",
)
.per_host();

/// Most nodes.
pub(super) const NODES: Setting = Setting::new(
    "limits.pubsub.nodes",
    Kind::Count { min: 1, max: 10_000_000 },
    "1000",
    "Most nodes of one account.",
)
.per_host();

/// Most nodes of a service.
pub(super) const SERVICE_NODES: Setting = Setting::new(
    "limits.pubsub.service_nodes",
    Kind::Count { min: 1, max: 100_000_000 },
    "100000",
    "Most nodes of one service, or of a domain itself.",
)
.per_host();

/// Most bytes.
pub(super) const TOTAL: Setting = Setting::new(
    "limits.pubsub.total",
    Kind::Bytes,
    "\"64 MiB\"",
    "Most bytes of all nodes of one account with their items.",
)
.per_host()
.within(4096, 1 << 40);

/// Most bytes of a service.
pub(super) const SERVICE_TOTAL: Setting = Setting::new(
    "limits.pubsub.service_total",
    Kind::Bytes,
    "\"10 GiB\"",
    "Most bytes of all nodes of one service, or of a domain itself, with their items.",
)
.per_host()
.within(4096, 1 << 44);

/// Most items of a node.
pub(super) const ITEMS: Setting = Setting::new(
    "limits.pubsub.items",
    Kind::Count { min: 1, max: 100_000_000 },
    "10000",
    "Most items that one node keeps; nodes that ask for `max` keep so many.",
)
.per_host();

/// Largest payload.
pub(super) const PAYLOAD: Setting =
    Setting::new("limits.pubsub.payload", Kind::Bytes, "\"256 KiB\"", "Largest payload of one item.")
        .per_host()
        .within(1024, 16 << 20);

/// Most subscriptions.
pub(super) const SUBSCRIPTIONS: Setting = Setting::new(
    "limits.pubsub.subscriptions",
    Kind::Count { min: 1, max: 1_000_000 },
    "20000",
    "Most subscriptions to one node.",
)
.per_host();

/// How many notifications somebody may cause.
pub(super) const NOTIFICATIONS: Setting = Setting::new(
    "limits.pubsub.notifications",
    Kind::Frequency,
    "\"1000000/min\"",
    "Most notifications to subscribers, and to contacts whose clients may ask for them, that somebody may cause; who goes beyond it hears \
     that, and nothing happens.",
)
.per_host();

/// The settings of pubsub.
pub const SETTINGS: &[Setting] = &[
    PLACE,
    CREATION,
    AUTO_CREATE,
    SINGLETONS,
    NODES,
    SERVICE_NODES,
    TOTAL,
    SERVICE_TOTAL,
    ITEMS,
    PAYLOAD,
    SUBSCRIPTIONS,
    NOTIFICATIONS,
    super::feeds::SHOWN,
];

/// How nodes behave at a place.
pub(super) fn rules(place: &Place) -> Box<dyn Rules> {
    let values = &place.host.values;
    let limits = limits(place.kind, values);
    // Who keeps a copy hears what is no longer there (XEP-0060 sections 8.4.2 and 8.5.2).
    let told = Config { notify_delete: true, notify_retract: true, ..Config::base() };
    match place.kind {
        PlaceKind::Service => Box::new(ServiceRules {
            leaf: told.clone(),
            collection: told,
            on_missing: if values.flag(&AUTO_CREATE) { OnMissing::Create } else { OnMissing::Refuse },
            limits,
        }),
        PlaceKind::Domain | PlaceKind::Account => {
            let told = Config { access_model: AccessModel::Presence, ..told };
            Box::new(AccountRules {
                leaf: Config { max_items: Amount::Max, ..told.clone() },
                collection: told,
                singletons: values.list(&SINGLETONS).iter().map(|name| name.as_str().into()).collect(),
                limits,
            })
        }
    }
}

/// How much there may be at such a place.
pub(super) fn limits(kind: PlaceKind, values: &Values) -> Limits {
    let (nodes, total) = match kind {
        PlaceKind::Account => (&NODES, &TOTAL),
        PlaceKind::Service | PlaceKind::Domain => (&SERVICE_NODES, &SERVICE_TOTAL),
    };
    Limits {
        nodes_max: values.count(nodes),
        bytes_max: values.bytes(total),
        items_max: values.count(&ITEMS),
        payload_bytes_max: values.bytes(&PAYLOAD) as usize,
        subscriptions_max: values.count(&SUBSCRIPTIONS) as usize,
        ..Limits::default()
    }
}
