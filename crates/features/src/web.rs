//! XEP-0124, XEP-0206, XEP-0252, XEP-0156 and XEP-0487: BOSH, and where browsers find this server. The web server in `net` answers; this is what
//! pages about the server and its options tell of it.

use metronome_host::feature::{Feature, Xep};
use metronome_host::web;

/// The feature.
pub static FEATURE: Feature = Feature {
    name: "web",
    xeps: &[
        Xep::new(124, "1.11.2", "Bidirectional-streams Over Synchronous HTTP (BOSH)"),
        Xep::new(156, "1.4.0", "Discovering Alternative XMPP Connection Methods"),
        Xep::new(206, "1.4", "XMPP Over BOSH"),
        Xep::new(252, "0.1", "BOSH Script Syntax"),
        Xep::new(487, "0.1.0", "Host Meta 2 - One Method To Rule Them All"),
    ],
    settings: web::SETTINGS,
    ..Feature::NONE
};
