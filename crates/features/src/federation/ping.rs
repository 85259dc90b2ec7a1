//! `metronomectl s2s ping`: a request to a remote domain and its answer (XEP-0199), over the stream that there is or one that is made
//! for it. So it shows the whole way: records, connection, proof in both directions.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Failed};
use metronome_host::remotes::Pushed;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::payload::ping;
use metronome_proto::stanza::error::StanzaError;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};
use metronome_proto::xml::Content;

/// For how long an answer is waited for, in milliseconds.
const PATIENCE_MS: u64 = 60_000;

pub(super) async fn ping(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let to = super::remote(server, &given)?;
    let from = local(server, &given, &to)?;
    let (began_ms, id) = (server.clock.steady_ms(), server.rng.token());
    let asked = server.asked.ask(&id, &from, &to, began_ms + PATIENCE_MS);
    let answer = asked.ok_or_else(|| Failed::problem("the server waits for too many answers already"))?;
    let request = Stanza::new(Kind::Iq(IqType::Get), from.clone()).with_to(to.clone()).with_id(&id).with_content(Content::from_tree(&ping::request()));
    let pushed = server.remotes.of(&from, &to).map(|remote| remote.push(Arc::new(request)));
    let refused = match pushed {
        Some(Pushed::Queued) => None,
        Some(Pushed::Down(failure)) => Some(format!("{to} cannot be reached: {}", failure.text)),
        Some(Pushed::Full) | None => Some(format!("too much waits for {to} already")),
    };
    if let Some(why) = refused {
        server.asked.forget(&id);
        return Err(unreached(&to, why));
    }
    let answer = answer.await.map_err(|_| unreached(&to, format!("{to} does not answer")))?;
    let took_ms = server.clock.steady_ms().saturating_sub(began_ms);
    match answer.kind {
        Kind::Iq(IqType::Result) => Ok(Answer::text(format!("{to} answers {from} after {took_ms} ms"))),
        // An error of the remote's is an answer; one of our own says that there was no way.
        _ => match StanzaError::read(&answer.content) {
            Some(error) if error.condition.name().starts_with("remote-server-") => {
                let text = error.text.as_deref().unwrap_or(error.condition.name());
                Err(unreached(&to, format!("{to} cannot be reached: {text}")))
            }
            Some(error) => Ok(Answer::text(format!("{to} answers {from} after {took_ms} ms: {}", error.condition.name()))),
            None => Err(unreached(&to, format!("{to} answers with an error"))),
        },
    }
}

fn unreached(to: &Jid, why: String) -> Failed {
    Failed::problem(why).with_hint(format!("metronomectl check connectivity {to} tells what was tried; the log says more"))
}

/// The domain of ours that asks: the one that is named, or the first.
fn local(server: &Server, given: &Arguments, to: &Jid) -> Result<Jid, Failed> {
    let hosts = server.hosts.load();
    let name = given.domain_if_given("from").unwrap_or_else(|| hosts.first().name.clone());
    let host = hosts.get(name.as_str()).ok_or_else(|| Failed::problem(format!("{name} is not served here")))?;
    server.gate.judge(host, to.as_str(), server.clock.unix_ms()).map_err(|closed| {
        Failed::problem(format!("{name} does not speak with {to}: {}", closed.as_str())).with_hint("metronomectl s2s rules")
    })?;
    Ok(name)
}
