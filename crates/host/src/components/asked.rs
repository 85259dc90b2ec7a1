//! Which stream of a component has asked what: the answer goes where the question came from, since the others know nothing of it.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use metronome_proto::stanza::iq::IqType;
use metronome_proto::stanza::{Kind, Stanza};

/// Most questions that are remembered; the oldest are forgotten, and their answers go where everything else from there goes.
const ASKED_MAX: usize = 4096;

/// Questions of one component that are open, each as a hash.
#[derive(Debug, Default)]
pub(super) struct Asked {
    streams: HashMap<u64, u64>,
    /// As they came; some of them are answered.
    order: VecDeque<u64>,
}

fn hash(asker: &str, asked: &str, id: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (asker, asked, id).hash(&mut hasher);
    hasher.finish()
}

impl Asked {
    /// Notes a request that this stream has sent.
    pub(super) fn note(&mut self, stanza: &Stanza, stream: u64) {
        let (Kind::Iq(IqType::Get | IqType::Set), Some(to)) = (stanza.kind, &stanza.to) else { return };
        let key = hash(stanza.from.as_str(), to.as_str(), stanza.id.as_deref());
        if self.order.len() >= ASKED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.streams.remove(&oldest);
        }
        self.streams.insert(key, stream);
        self.order.push_back(key);
    }

    /// The stream that has sent the request which this answers.
    pub(super) fn take(&mut self, answer: &Stanza) -> Option<u64> {
        let (Kind::Iq(IqType::Result | IqType::Error), Some(to)) = (answer.kind, &answer.to) else { return None };
        self.streams.remove(&hash(to.as_str(), answer.from.as_str(), answer.id.as_deref()))
    }
}
