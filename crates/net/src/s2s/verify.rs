//! Asking a domain's own server about a key (XEP-0220 section 2.1.2), on a connection for that alone, which is closed behind the answer.
//! Never on a stream of the one who is to be judged.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use metronome_host::hosts::Host;
use metronome_host::network::household;
use metronome_proto::payload::dialback::{Dialback, Says, Step};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stream::header;
use tokio::time::timeout;

use super::Federation;
use super::dialback::{Question, Verdict};
use super::outbound::{self, Attempts, Reached, Why};

/// For how long the one who is to be judged waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the domain's own server says of a key, which somebody at the address `asker` has shown.
pub(super) async fn verify(federation: Arc<Federation>, asker: IpAddr, question: Question) -> Verdict {
    let verdict = timeout(PATIENCE, call(&federation, asker, &question)).await;
    let verdict = verdict.unwrap_or(Verdict::Unknown(Condition::RemoteServerTimeout));
    tracing::debug!(
        host = question.pair.local.as_str(),
        remote = question.pair.remote.as_str(),
        ?verdict,
        "a key was asked about"
    );
    verdict
}

async fn call(federation: &Federation, asker: IpAddr, question: &Question) -> Verdict {
    let pair = &question.pair;
    // So many at a time, in all and for one household: whoever has no turn soon is told that there was no time.
    let Ok(_turn) = federation.verifying.turn(household(asker)).await else {
        return Verdict::Unknown(Condition::ResourceConstraint);
    };
    let Some(host) = federation.server.hosts.load().spoken_for(pair.local.as_str()).cloned() else {
        return Verdict::Unknown(Condition::ItemNotFound);
    };
    match ask_somebody(federation, &host, question).await {
        Ok(Says::Valid) => Verdict::Valid,
        Ok(Says::Invalid) => Verdict::Invalid,
        // It was there and could not say (section 2.5).
        Ok(Says::Error(_) | Says::Key(_)) | Err(Condition::RemoteServerNotFound) => {
            Verdict::Unknown(Condition::RemoteServerNotFound)
        }
        Err(condition) => Verdict::Unknown(condition),
    }
}

/// Asks whichever of the domain's servers answers first.
async fn ask_somebody(federation: &Federation, host: &Arc<Host>, question: &Question) -> Result<Says, Condition> {
    let mut attempts = Attempts::new(federation, host, &question.pair.remote);
    loop {
        let reached = attempts.next().await?;
        match ask(reached, question).await {
            Ok(says) => return Ok(says),
            Err(why) => attempts.failed(why),
        }
    }
}

/// Asks and hears the answer; the connection ends with it.
async fn ask(reached: Reached, question: &Question) -> Result<Says, Why> {
    let mut stream = reached.stream;
    let asked = Dialback {
        step: Step::Verify,
        from: question.pair.local.clone(),
        to: question.pair.remote.clone(),
        id: Some(question.id.clone()),
        says: Says::Key(question.key.clone()),
    };
    stream.send(&asked.to_vec()).await?;
    let heard = Dialback::read(&outbound::hear(&mut stream).await?);
    let says = match heard {
        Some(Ok(said)) if is_answer(&said, &asked) => said.says,
        _ => return Err(Why::Confused("an answer to another question")),
    };
    let _ = stream.send(header::CLOSE.as_bytes()).await;
    Ok(says)
}

/// Whether this answers exactly that (section 3.1).
fn is_answer(said: &Dialback, asked: &Dialback) -> bool {
    said.step == asked.step
        && said.from == asked.to
        && said.to == asked.from
        && said.id == asked.id
        && !matches!(said.says, Says::Key(_))
}

#[cfg(test)]
mod tests {
    use metronome_proto::jid::Jid;

    use super::*;

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let said = |step, from: &str, to: &str, id: &str, says| Dialback {
            step,
            from: Jid::parse(from).unwrap(),
            to: Jid::parse(to).unwrap(),
            id: Some(id.into()),
            says,
        };
        let asked = said(Step::Verify, "a.example", "b.example", "1", Says::Key("k".into()));
        assert!(is_answer(&said(Step::Verify, "b.example", "a.example", "1", Says::Valid), &asked));
        for wrong in [
            said(Step::Result, "b.example", "a.example", "1", Says::Valid),
            said(Step::Verify, "a.example", "b.example", "1", Says::Valid),
            said(Step::Verify, "c.example", "a.example", "1", Says::Valid),
            said(Step::Verify, "b.example", "c.example", "1", Says::Valid),
            said(Step::Verify, "b.example", "a.example", "2", Says::Valid),
            said(Step::Verify, "b.example", "a.example", "1", Says::Key("k".into())),
        ] {
            assert!(!is_answer(&wrong, &asked), "{wrong:?}");
        }
    }
}
