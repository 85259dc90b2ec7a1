//! XEP-0279: Server IP Check: from which address and port the server sees its client. Told to that client and to nobody else.
//! Keeps nothing.

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_proto::ns;
use metronome_proto::payload::sic;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;

use crate::strangers;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "sic",
    xeps: &[Xep::new(279, "0.2", "Server IP Check")],
    disco: &[ns::SIC],
    disco_account: &[ns::SIC],
    iq: &[
        answer_at(At::Host),
        answer_at(At::OwnAccount),
        IqHandler {
            asks: Asks::Read,
            // Section 4: also to contacts.
            handle: |_, env| Box::pin(std::future::ready(strangers::answer(env))),
            ..answer_at(At::Account)
        },
    ],
    ..Feature::NONE
};

const fn answer_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::SIC,
        name: "address",
        asks: Asks::Snapshot,
        handle: |_, env| Box::pin(std::future::ready(answer(env))),
    }
}

fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    let port = Some(env.sender.session()?.port).filter(|port| *port != 0);
    let address = sic::result(env.sender.session()?.address, port);
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&address))));
    Ok(())
}
