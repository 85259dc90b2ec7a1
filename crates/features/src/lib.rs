//! One file per XEP or duty of an account or server; each is a `FEATURE` value. What is announced, answered and
//! configured derives from this one list, so it cannot differ from what works.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(test)]
mod decisions;
mod hex;
pub mod reading;
mod stored_xml;
pub mod strangers;

use metronome_host::feature::Feature;

macro_rules! features {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every feature of the server.
        pub static ALL: &[&Feature] = &[$(&$name::FEATURE),*];
    };
}

features! {
    accounts, adhoc, archive, blocking, caps, carbons, certificates, check, components, compression, contact_info, conversions, csi, disco, external_services, fast, federation, groups, hosts,
    jid_prep, last_activity, legacy_session, login, mam, muc, offline, operations, ping, privacy, private, proxy65, pubsub, push, register,
    reports, retraction, roster, server_info, sic, stanza_id, stream_management, switches, time, upload, vcard, version, watching, web,
}
