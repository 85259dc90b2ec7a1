//! What the negotiation of a client's stream implements: it is in `net`, and this is what the pages about it are made from.

use metronome_host::feature::{Feature, Xep};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "login",
    xeps: &[
        Xep::new(386, "1.1.0", "Bind 2"),
        Xep::new(388, "1.0.4", "Extensible SASL Profile"),
        Xep::new(440, "1.0.0", "SASL Channel-Binding Type Capability"),
        Xep::new(474, "0.5.0", "SASL SCRAM Downgrade Protection"),
        Xep::new(478, "0.2.0", "Stream Limits Advertisement"),
        Xep::new(480, "0.2.0", "SASL Upgrade Tasks"),
    ],
    ..Feature::NONE
};
