//! RFC 3921 section 3: session establishment. Servers of RFC 6121 have nothing left to do there; old clients ask all the same.
//! Keeps nothing.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler};
use metronome_host::refuse::Refuse;
use metronome_proto::ns;
use metronome_proto::xml::Content;
use metronome_proto::stanza::iq::IqType;

/// See the module.
pub static FEATURE: Feature =
    Feature { name: "legacy-session", iq: &[answer_at(At::Host), answer_at(At::OwnAccount)], ..Feature::NONE };

const fn answer_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Set,
        at,
        ns: ns::SESSION,
        name: "session",
        asks: Asks::Snapshot,
        handle: |_, env| Box::pin(std::future::ready(answer(env))),
    }
}

fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}
