//! XEP-0115: Entity Capabilities of the server itself: a name for all that it announces, told with the features of a stream, so that
//! clients need not ask each time. Made once for each snapshot of a host, and kept there.

pub mod learn;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::announced::Announced;
use metronome_host::feature::{Feature, StreamFeature, StreamState, Xep};
use metronome_host::hosts::Host;
use metronome_host::server::Server;
use metronome_proto::ns;
use metronome_proto::payload::caps::{Caps, verification_string};
use metronome_proto::payload::disco::Info;
use sha1::{Digest as _, Sha1};

use crate::disco;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "caps",
    xeps: &[Xep::new(115, "1.6.0", "Entity Capabilities"), Xep::new(390, "0.3.2", "Entity Capabilities 2.0")],
    disco: &[ns::CAPS, ns::CAPS_2],
    stream: &[announced_when(StreamState::Secured), announced_when(StreamState::Authenticated)],
    ..Feature::NONE
};

/// The software, as the node of its capabilities.
const NODE: &str = "https://metronome.im";

const fn announced_when(when: StreamState) -> StreamFeature {
    StreamFeature { when, announce: |server, host| Some(announced(server, host).caps.tree()) }
}

/// What a host says of itself, and the name of it.
pub fn announced<'a>(server: &Server, host: &'a Host) -> &'a Announced {
    host.announced.get_or_init(|| {
        let info = disco::info_of_host(server, host);
        let caps = Caps { hash: Some("sha-1".to_owned()), node: NODE.to_owned(), ver: ver(&info) };
        Announced { info, caps }
    })
}

/// The verification string's hash (section 5.1).
pub fn ver(info: &Info) -> String {
    STANDARD.encode(Sha1::digest(verification_string(info)))
}

#[cfg(test)]
mod tests {
    use metronome_proto::payload::data_form::{DataForm, Field, FormType};
    use metronome_proto::payload::disco::Identity;

    use super::*;

    fn features() -> Vec<String> {
        ["caps", "disco#info", "disco#items", "muc"].map(|name| format!("http://jabber.org/protocol/{name}")).to_vec()
    }

    /// Section 5.2.
    #[test]
    fn the_simple_example_of_the_specification() {
        let identities = vec![Identity::new("client", "pc").named("Exodus 0.9.1")];
        let info = Info { identities, features: features(), ..Info::default() };
        assert_eq!(ver(&info), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    /// Section 5.3.
    #[test]
    fn the_complex_example_of_the_specification() {
        let identity = |lang: &str, name: &str| Identity {
            lang: Some(lang.to_owned()),
            ..Identity::new("client", "pc").named(name)
        };
        let form = DataForm::new(FormType::Result)
            .field(Field::hidden_form_type("urn:xmpp:dataforms:softwareinfo"))
            .field(Field::untyped("ip_version").values(["ipv4", "ipv6"]))
            .field(Field::untyped("os").value("Mac"))
            .field(Field::untyped("os_version").value("10.5.1"))
            .field(Field::untyped("software").value("Psi"))
            .field(Field::untyped("software_version").value("0.11"));
        let identities = vec![identity("en", "Psi 0.11"), identity("el", "\u{3a8} 0.11")];
        let info = Info { identities, features: features(), extensions: vec![form], ..Info::default() };
        assert_eq!(ver(&info), "q07IKJEyjvHSyhy//CH0CxmKi8w=");
    }
}
