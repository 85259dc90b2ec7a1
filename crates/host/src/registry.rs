//! The features of a server as tables: built once at start, asked for every request.

use std::collections::HashMap;

use metronome_proto::stanza::iq::IqType;

use crate::command::Command;
use crate::feature::{At, Feature, Inline, IqHandler, Service, StreamFeature, StreamState};
use crate::options::Values;

/// What all features together answer and announce.
#[derive(Debug)]
pub struct Registry {
    features: &'static [&'static Feature],
    iq: HashMap<(At, bool, &'static str, &'static str), &'static IqHandler>,
    disco_host: Vec<Announced>,
    disco_account: Vec<Announced>,
    disco_services: Vec<Announced>,
}

/// A namespace that service discovery announces, where the feature is on.
type Announced = (&'static str, fn(&Values) -> bool);

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
            let of = |feature: &&'static Feature| {
                let is_on = feature.is_on;
                announced(feature).iter().map(move |&ns| (ns, is_on))
            };
            let mut all: Vec<Announced> = features.iter().flat_map(of).collect();
            all.sort_unstable_by_key(|(ns, _)| *ns);
            all
        };
        Registry {
            features,
            iq,
            disco_host: sorted(|feature| feature.disco),
            disco_account: sorted(|feature| feature.disco_account),
            disco_services: sorted(|feature| feature.disco_services),
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

    /// The services that domains have, in the order of the features.
    pub fn services(&self) -> impl Iterator<Item = &'static Service> + use<> {
        self.features.iter().filter_map(|feature| feature.service)
    }

    /// The handler of a request. What a service does not answer in a way of its own it answers as all of them do.
    pub fn iq(&self, at: At, kind: IqType, ns: &str, name: &str) -> Option<&'static IqHandler> {
        let find = |at| self.iq.get(&(at, kind == IqType::Set, ns, name)).copied();
        match at {
            At::Service(_) => find(at).or_else(|| find(At::Services)),
            _ => find(at),
        }
    }

    /// What is announced on streams in this state, in the order of the features.
    pub fn stream(&self, when: StreamState) -> impl Iterator<Item = &'static StreamFeature> + use<> {
        self.features.iter().flat_map(|feature| feature.stream).filter(move |announced| announced.when == when)
    }

    /// What a client may ask for while it binds, in the order of the features.
    pub fn bind2(&self) -> impl Iterator<Item = &'static Inline> + use<> {
        self.features.iter().flat_map(|feature| feature.bind2)
    }

    /// What service discovery announces at this address of a host with these options, sorted.
    pub fn disco(&self, at: At, values: &Values) -> Vec<&'static str> {
        let announced = match at {
            At::Host => &self.disco_host,
            At::OwnAccount | At::Account => &self.disco_account,
            At::Services | At::Service(_) | At::Room => &self.disco_services,
        };
        let mut on: Vec<_> = announced.iter().filter(|(_, is_on)| is_on(values)).map(|(ns, _)| *ns).collect();
        if let Some(service) = self.services().find(|service| at == At::Service(service.name)) {
            on.extend(service.disco);
            on.sort_unstable();
        }
        on.dedup();
        on
    }
}
