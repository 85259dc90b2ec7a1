//! Random sequences of commands about domains and of reloads, with stops and crashes in between, against a model of the rules.

use std::collections::{BTreeMap, BTreeSet};

use metronome_testkit::{Server, Setup};
use serde_json::json;

use crate::domains::is_service;

const NAMES: [&str; 4] = ["a.example", "b.example", "localhost", "z.example"];
const STEPS: usize = 150;
/// TLS is not what this is about.
const CLEAR: &str = "tls.require_c2s = false\ntls.files = { cert = \"\", key = \"\" }";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Configuration,
    Command,
}

/// What the rules say about the domains.
#[derive(Debug, Default)]
struct Model {
    configured: BTreeSet<&'static str>,
    /// By name: where it comes from, and whether it is switched off.
    stored: BTreeMap<&'static str, (From, bool)>,
}

impl Model {
    fn origin(&self, name: &str) -> Option<From> {
        let added = self.stored.get(name).is_some_and(|(from, _)| *from == From::Command);
        if self.configured.contains(name) { Some(From::Configuration) } else { added.then_some(From::Command) }
    }

    /// Runs a command; whether it is done.
    fn run(&mut self, verb: &str, name: &'static str) -> bool {
        let origin = self.origin(name);
        match (verb, origin) {
            ("add", None) => drop(self.stored.insert(name, (From::Command, false))),
            ("remove", Some(From::Command)) => drop(self.stored.remove(name)),
            ("disable", Some(origin)) => drop(self.stored.insert(name, (origin, true))),
            ("enable", Some(From::Configuration)) => drop(self.stored.remove(name)),
            ("enable", Some(From::Command)) => drop(self.stored.insert(name, (From::Command, false))),
            _ => return false,
        }
        true
    }

    fn reload(&mut self, extra: &[&'static str]) {
        self.configured = extra.iter().copied().chain(["localhost"]).collect();
        for name in self.configured.clone() {
            match self.stored.get(name) {
                Some((From::Command, false)) => drop(self.stored.remove(name)),
                Some((From::Command, true)) => drop(self.stored.insert(name, (From::Configuration, true))),
                _ => {}
            }
        }
    }

    fn list(&self) -> Vec<String> {
        let row = |name: &&str| {
            let origin = match self.origin(name)? {
                From::Configuration => "configuration",
                From::Command => "command",
            };
            let is_off = self.stored.get(*name).is_some_and(|(_, is_off)| *is_off);
            Some(format!("{name} {origin} {}", if is_off { "disabled" } else { "enabled" }))
        };
        NAMES.iter().filter_map(row).collect()
    }
}

fn list(server: &Server) -> Vec<String> {
    let list = server.control().run("host list", json!({}));
    let row = |row: &serde_json::Value| format!("{} {} {}", row["host"], row["origin"], row["state"]).replace('"', "");
    let domains = list.as_array().unwrap().iter().filter(|row| !is_service(row));
    domains.map(row).collect()
}

#[test]
fn whatever_is_done_in_whatever_order_the_domains_are_as_the_rules_say() {
    for seed in 1..=4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut server = Setup::default().no_accounts().options(CLEAR).start();
        let mut model = Model::default();
        model.reload(&[]);
        for step in 0..STEPS {
            let told = match random.u8(..12) {
                0 => {
                    server.restart();
                    "a restart".to_owned()
                }
                1 => {
                    server.crash();
                    "a crash".to_owned()
                }
                2..5 => {
                    let extra: Vec<_> =
                        ["a.example", "b.example", "z.example"].into_iter().filter(|_| random.bool()).collect();
                    server.write_options(&format!("extra = {extra:?}\n{CLEAR}"));
                    server.control().run("reload", json!({}));
                    model.reload(&extra);
                    format!("a reload with {extra:?}")
                }
                _ => {
                    let verb = ["add", "remove", "disable", "enable"][random.usize(..4)];
                    let name = NAMES[random.usize(..NAMES.len())];
                    let exit = server.control().ask(&format!("host {verb}"), json!({ "name": name }))["exit"].clone();
                    let expected = if model.run(verb, name) { 0 } else { 1 };
                    assert_eq!(exit, expected, "seed {seed}, step {step}: {verb} {name}");
                    format!("{verb} {name}")
                }
            };
            assert_eq!(list(&server), model.list(), "seed {seed}, step {step}: {told}");
        }
    }
}
