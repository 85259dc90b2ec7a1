//! XEP-0092: Software Version. Answers for the host; of the operating system only what the administrator wants to tell.
//! Keeps nothing.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::ns;
use metronome_proto::payload::version::Version;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::disco;

/// What is told of the operating system.
pub const SYSTEM: Setting = Setting::new(
    "version.system",
    Kind::Text,
    "\"\"",
    "What is told of the operating system to those who ask for the version: nothing, or this text; `auto` stands for its name.",
)
.per_host();

/// The settings of the version.
pub const SETTINGS: &[Setting] = &[SYSTEM];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "version",
    xeps: &[Xep::new(92, "1.1", "Software Version")],
    disco: &[ns::VERSION],
    disco_services: &[ns::VERSION],
    iq: &[answer_at(At::Host), answer_at(At::Services)],
    settings: SETTINGS,
    ..Feature::NONE
};

const fn answer_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::VERSION,
        name: "query",
        asks: Asks::Snapshot,
        handle: |server, env| Box::pin(std::future::ready(answer(server, env))),
    }
}

fn answer(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let version = Version {
        name: "metronome".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        os: system(&disco::asked_host(server, env)),
    };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&version.tree()))));
    Ok(())
}

fn system(host: &Host) -> Option<String> {
    match host.values.text(&SYSTEM) {
        "" => None,
        "auto" => Some(std::env::consts::OS.to_owned()),
        told => Some(told.to_owned()),
    }
}
