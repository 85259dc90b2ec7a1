//! XEP-0199: XMPP Ping. Answers pings to the host and to the sender's own account, and makes the server's own:
//! `route::timers` sends them as a sign of life and as proof of receipt. Keeps nothing.

use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::outbox::Frame;
use metronome_host::refuse::Refuse;
use metronome_host::{effect::Effect, envelope::Envelope};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::xml::Content;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::write;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "ping",
    xeps: &[Xep::new(199, "2.0.1", "XMPP Ping")],
    disco: &[ns::PING],
    disco_account: &[ns::PING],
    disco_services: &[ns::PING],
    iq: &[answer_at(At::Host), answer_at(At::OwnAccount), answer_at(At::Services)],
    ..Feature::NONE
};

const fn answer_at(at: At) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at,
        ns: ns::PING,
        name: "ping",
        // To the own account it stays in its order among the stanzas to that address.
        asks: match at {
            At::Host | At::Services | At::Service(_) => Asks::Snapshot,
            At::OwnAccount | At::Account | At::Room => Asks::Read,
        },
        handle: |_, env| Box::pin(std::future::ready(answer(env))),
    }
}

fn answer(env: &mut Envelope) -> Result<(), Refuse> {
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    Ok(())
}

/// What the ids of the server's own pings begin with.
const ID: &str = "server-ping-";

/// The server's ping to one of its sessions.
pub fn ask(host: &Jid, session: &Jid, number: u64) -> Frame {
    let mut out = Vec::with_capacity(160);
    out.extend_from_slice(b"<iq type='get'");
    write::attribute(&mut out, "from", host.as_str());
    write::attribute(&mut out, "to", session.as_str());
    write::attribute(&mut out, "id", &format!("{ID}{number}"));
    out.extend_from_slice(b"><ping xmlns='urn:xmpp:ping'/></iq>");
    Frame::whole(out)
}

/// The number of the server's ping that an iq with this id answers.
pub fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix(ID)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_ping_that_it_answers() {
        let host = Jid::parse("localhost").unwrap();
        let session = Jid::parse("alice@localhost/a'b").unwrap();
        let text = String::from_utf8(ask(&host, &session, 7).head.to_vec()).unwrap();
        assert!(text.contains("id='server-ping-7'") && text.contains("to='alice@localhost/a&apos;b'"), "{text}");
        assert_eq!(number_of("server-ping-7"), Some(7));
        assert_eq!(number_of("server-ping-"), None);
        assert_eq!(number_of("7"), None);
    }
}
