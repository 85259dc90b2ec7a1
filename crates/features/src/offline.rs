//! XEP-0160: Offline Messages, and XEP-0203: Delayed Delivery. Offline messages are the unseen rows of the archive;
//! `route::catch_up` hands them over when a session becomes available. Keeps nothing of its own.

use metronome_host::feature::{Feature, Xep};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::delay::Delay;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "offline",
    xeps: &[
        Xep::new(160, "1.0.1", "Best Practices for Handling Offline Messages"),
        Xep::new(203, "2.0", "Delayed Delivery"),
    ],
    disco: &[ns::OFFLINE],
    ..Feature::NONE
};

/// Writes the stamp of a message that was stored before it was handed over.
pub fn write_stamp(out: &mut Vec<u8>, host: &Jid, at_ms: u64) {
    Delay { at_ms: at_ms as i64, from: Some(host.clone()), reason: None }.tree().write(out, ns::CLIENT);
}
