//! The features of a server as tables: built once at start, asked for every request.

use std::collections::HashMap;

use metronome_proto::stanza::iq::IqType;

use crate::command::Command;
use crate::feature::{At, Feature, Inline, IqHandler, StreamFeature, StreamState};

/// What all features together answer and announce.
#[derive(Debug)]
pub struct Registry {
    features: &'static [&'static Feature],
    iq: HashMap<(At, bool, &'static str, &'static str), &'static IqHandler>,
    disco_host: Vec<&'static str>,
    disco_account: Vec<&'static str>,
}

impl Registry {
    /// Builds the tables.
    ///
    /// Panics if two features answer the same request: a server that starts has one answer to everything.
    pub fn new(features: &'static [&'static Feature]) -> Registry {
        let mut iq = HashMap::new();
        for handler in features.iter().flat_map(|feature| feature.iq) {
            let earlier = iq.insert((handler.at, handler.kind == IqType::Set, handler.ns, handler.name), handler);
            assert!(earlier.is_none(), "{} {} is answered by one feature", handler.ns, handler.name);
        }
        let sorted = |announced: fn(&Feature) -> &'static [&'static str]| {
            let mut all: Vec<_> = features.iter().flat_map(|feature| announced(feature)).copied().collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        Registry {
            features,
            iq,
            disco_host: sorted(|feature| feature.disco),
            disco_account: sorted(|feature| feature.disco_account),
        }
    }

    /// Every feature, in the order of its list.
    pub fn features(&self) -> &'static [&'static Feature] {
        self.features
    }

    /// Every command, in the order of the features.
    pub fn commands(&self) -> impl Iterator<Item = &'static Command> + use<> {
        self.features.iter().flat_map(|feature| feature.commands)
    }

    /// The handler of a request.
    pub fn iq(&self, at: At, kind: IqType, ns: &str, name: &str) -> Option<&'static IqHandler> {
        self.iq.get(&(at, kind == IqType::Set, ns, name)).copied()
    }

    /// What is announced on streams in this state, in the order of the features.
    pub fn stream(&self, when: StreamState) -> impl Iterator<Item = &'static StreamFeature> + use<> {
        self.features.iter().flat_map(|feature| feature.stream).filter(move |announced| announced.when == when)
    }

    /// What a client may ask for while it binds, in the order of the features.
    pub fn bind2(&self) -> impl Iterator<Item = &'static Inline> + use<> {
        self.features.iter().flat_map(|feature| feature.bind2)
    }

    /// What service discovery announces at this address, sorted.
    pub fn disco(&self, at: At) -> &[&'static str] {
        match at {
            At::Host => &self.disco_host,
            At::OwnAccount | At::Account => &self.disco_account,
        }
    }
}
