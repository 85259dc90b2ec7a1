//! One file per XEP or duty of an account or server; each is a `FEATURE` value. What is announced, answered and
//! configured derives from this one list, so it cannot differ from what works.
#![cfg_attr(test, allow(clippy::unwrap_used))]

use metronome_host::feature::Feature;

macro_rules! features {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every feature of the server.
        pub static ALL: &[&Feature] = &[$(&$name::FEATURE),*];
    };
}

features! { accounts, archive, disco, legacy_session, offline, operations, ping, stanza_id, version }
