//! Requests of the server's own that wait for their answers, each with a deadline. `route::ask` sends them and gives the answers in; whoever
//! asks waits in a task of its own, never while a stanza is handled.

use std::collections::HashMap;

use metronome_proto::jid::Jid;
use metronome_proto::stanza::Stanza;
use tokio::sync::oneshot;

use crate::sync::Mutex;

/// Most requests that wait for answers at once; beyond it nothing is asked.
pub const QUESTIONS_MAX: usize = 10_000;

/// The requests that wait.
#[derive(Debug, Default)]
pub struct Asked {
    /// By the id of the request, which nobody can guess.
    questions: Mutex<HashMap<Box<str>, Question>>,
}

#[derive(Debug)]
struct Question {
    from: Jid,
    to: Jid,
    /// Steady time in milliseconds.
    deadline_ms: u64,
    answer: oneshot::Sender<Stanza>,
}

impl Asked {
    /// Notes a request with this random id; none if too many wait already. The answer comes through the receiver, which ends without
    /// one when the deadline has passed.
    pub fn ask(&self, id: &str, from: &Jid, to: &Jid, deadline_ms: u64) -> Option<oneshot::Receiver<Stanza>> {
        let mut questions = self.questions.lock();
        if questions.len() >= QUESTIONS_MAX {
            return None;
        }
        let (answer, receiver) = oneshot::channel();
        questions.insert(id.into(), Question { from: from.clone(), to: to.clone(), deadline_ms, answer });
        Some(receiver)
    }

    /// Gives in an iq of type `result` or `error`; false if it answers nothing that was asked of its sender by whom it is for.
    pub fn answer(&self, answer: &Stanza) -> bool {
        let question = {
            let mut questions = self.questions.lock();
            let id = answer.id.as_deref().unwrap_or_default();
            let is_answer =
                |question: &Question| question.to == answer.from && Some(&question.from) == answer.to.as_ref();
            match questions.get(id).is_some_and(is_answer) {
                true => questions.remove(id),
                false => None,
            }
        };
        match question {
            // Whoever asked may have given up.
            Some(question) => {
                drop(question.answer.send(answer.clone()));
                true
            }
            None => false,
        }
    }

    /// Forgets a request that could not be sent.
    pub fn forget(&self, id: &str) {
        self.questions.lock().remove(id);
    }

    /// Forgets what was not answered in time. Called once a second.
    pub fn expire(&self, now_ms: u64) {
        self.questions.lock().retain(|_, question| question.deadline_ms > now_ms);
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        self.questions.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use metronome_proto::stanza::{IqType, Kind};

    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    fn answer(from: &str, to: &str, id: &str) -> Stanza {
        Stanza::new(Kind::Iq(IqType::Result), jid(from)).with_to(jid(to)).with_id(id)
    }

    #[test]
    fn only_who_was_asked_answers_and_only_once() {
        let asked = Asked::default();
        let mut receiver = asked.ask("q", &jid("localhost"), &jid("push@localhost/x"), 10).unwrap();
        for forged in [
            answer("push@localhost/y", "localhost", "q"),
            answer("push@localhost/x", "other.example", "q"),
            answer("push@localhost/x", "localhost", "Q"),
            Stanza::new(Kind::Iq(IqType::Result), jid("push@localhost/x")).with_id("q"),
        ] {
            assert!(!asked.answer(&forged));
        }
        assert!(receiver.try_recv().is_err());
        assert!(asked.answer(&answer("push@localhost/x", "localhost", "q")));
        assert!(receiver.try_recv().is_ok());
        assert!(!asked.answer(&answer("push@localhost/x", "localhost", "q")));
        assert_eq!(asked.count(), 0);
    }

    #[test]
    fn who_is_not_answered_in_time_hears_so() {
        let asked = Asked::default();
        let mut receiver = asked.ask("q", &jid("localhost"), &jid("push.example"), 10).unwrap();
        asked.expire(9);
        assert_eq!(asked.count(), 1);
        asked.expire(10);
        assert_eq!((asked.count(), receiver.try_recv().unwrap_err()), (0, oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn there_are_only_so_many_questions() {
        let asked = Asked::default();
        let ask = |number: usize| asked.ask(&number.to_string(), &jid("a"), &jid("b"), 10);
        assert!((0..QUESTIONS_MAX).all(|number| ask(number).is_some()));
        assert!(ask(QUESTIONS_MAX).is_none());
        asked.forget("0");
        assert!(ask(QUESTIONS_MAX).is_some());
    }
}
