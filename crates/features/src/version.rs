//! XEP-0092: Software Version. Answers for the host; the operating system is not told. Keeps nothing.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_proto::ns;
use metronome_proto::xml::Content;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Tree;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "version",
    xeps: &[Xep::new(92, "1.1", "Software Version")],
    disco: &[ns::VERSION],
    iq: &[IqHandler {
        kind: IqType::Get,
        at: At::Host,
        ns: ns::VERSION,
        name: "query",
        asks: Asks::Snapshot,
        handle: |_, env| Box::pin(std::future::ready(answer(env))),
    }],
    ..Feature::NONE
};

fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    let query = Tree::new(ns::VERSION, "query")
        .child(Tree::new(ns::VERSION, "name").text("metronome"))
        .child(Tree::new(ns::VERSION, "version").text(env!("CARGO_PKG_VERSION")));
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&query))));
    Ok(())
}
