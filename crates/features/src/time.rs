//! XEP-0202: Entity Time. The server answers for the host and for the sender's own account, always in UTC, which tells nothing of
//! where it is. Keeps nothing.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::ns;
use metronome_proto::payload::time::Time;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "time",
    xeps: &[Xep::new(82, "1.1.1", "XMPP Date and Time Profiles"), Xep::new(202, "2.0", "Entity Time")],
    disco: &[ns::TIME],
    disco_account: &[ns::TIME],
    disco_services: &[ns::TIME],
    iq: &[answer_at(At::Host), answer_at(At::OwnAccount), answer_at(At::Services)],
    ..Feature::NONE
};

const fn answer_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::TIME,
        name: "time",
        asks: Asks::Snapshot,
        handle: |server, env| Box::pin(std::future::ready(answer(server, env))),
    }
}

fn answer(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let time = Time::in_utc(server.clock.unix_ms() as i64);
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&time.tree()))));
    Ok(())
}
