//! XEP-0060: Publish-Subscribe, on a service of each domain.

use metronome_host::feature::{Feature, Service, Xep};
use metronome_host::options::{Kind, Setting};

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "pubsub.service",
    Kind::Text,
    "\"pubsub\"",
    "Where a domain has its pubsub service: a label that stands before the domain, as in `pubsub.example.org`; a whole domain name, if there \
     is a dot in it; or `\"\"` for none. Other servers find it by DNS like any domain.",
)
.per_host();

/// The settings of pubsub.
pub const SETTINGS: &[Setting] = &[PLACE];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "pubsub",
    xeps: &[Xep::new(60, "1.30", "Publish-Subscribe")],
    service: Some(&SERVICE),
    settings: SETTINGS,
    ..Feature::NONE
};

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: "pubsub",
    identity: ("pubsub", "service"),
    title: "Publish-Subscribe",
    disco: &[],
    place: &PLACE,
};
