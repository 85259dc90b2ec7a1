//! XEP-0328: JID Preparation and Validation Service: the host says how an address is written once it is prepared, or why it is none.
//! Answers with what every address here goes through. Keeps nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::refuse::Refuse;
use metronome_proto::ns;
use metronome_proto::payload::jid_prep;
use metronome_proto::stanza::error::{Condition, StanzaError};
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Content, Tree};

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "jid-prep",
    xeps: &[Xep::new(328, "0.2.1", "JID Preparation and Validation Service")],
    identities: &[("component", "jidprep")],
    disco: &[ns::JID_PREP, ns::JID_PREP_BASE64],
    iq: &[request("jid-validate-request"), request(BASE64)],
    ..Feature::NONE
};

const BASE64: &str = "jid-validate-base64-request";

const fn request(name: &'static str) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at: At::Host,
        ns: ns::JID_PREP,
        name,
        asks: Asks::Snapshot,
        handle: |_, env| Box::pin(std::future::ready(answer(env))),
    }
}

fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    let request = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let text = jid_prep::text(&request)?;
    let answer = if request.name() == BASE64 { judge_base64(&text)? } else { jid_prep::judge(&text) };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&answer))));
    Ok(())
}

/// Text that XML cannot carry, or that is to come unchanged.
fn judge_base64(text: &str) -> Result<Tree, Refuse> {
    let bytes = STANDARD.decode(text.trim());
    let bytes = bytes.map_err(|_| StanzaError::new(Condition::BadRequest).with_text("this is not base64"))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => jid_prep::judge(&text),
        Err(_) => jid_prep::invalid("it is not UTF-8"),
    })
}
