//! What service discovery tells of a host and the name of all of it (XEP-0030, XEP-0115): made once for each snapshot of the
//! host, by the feature that answers with it.

use metronome_proto::payload::caps::Caps;
use metronome_proto::payload::disco::Info;

/// What a host says of itself.
#[derive(Debug, Clone)]
pub struct Announced {
    /// Identities, features and forms, without a node.
    pub info: Info,
    /// Its name.
    pub caps: Caps,
}
