//! XEP-0138: Stream Compression, as an option of a domain. What is compressed, and when, is in `net`, which knows the connections.

use metronome_host::feature::{Feature, Xep};
use metronome_host::options::{Kind, Setting};

/// Whether clients may compress their streams.
pub const ALLOWED: Setting = Setting::new(
    "compression.c2s",
    Kind::Flag,
    "false",
    "Whether clients may compress their streams (XEP-0138) once they have logged in. The length of what is compressed tells those who listen \
     of what is in it, TLS or not, and each such stream costs the server about 300 KiB of memory: for links on which every byte counts.",
)
.for_new_streams()
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "compression",
    xeps: &[Xep::new(138, "2.1", "Stream Compression")],
    is_on: |values| values.flag(&ALLOWED),
    settings: &[ALLOWED],
    ..Feature::NONE
};
