//! How a server is configured before it starts: a store, domains, accounts, and the options that a scenario is about.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::certificates::Certificates;
use crate::server::Server;

/// What keeps accounts and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file in the server's folder.
    Sqlite,
    /// Nothing: it forgets everything at the end of the process.
    Memory,
}

impl Backend {
    /// As written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Sqlite => "sqlite",
            Backend::Memory => "memory",
        }
    }
}

/// A server to be started. Without further words: SQLite, the domain `localhost`, the accounts alice, bob and carol, TLS required,
/// and limits per address that no scenario reaches by accident.
#[derive(Clone)]
pub struct Setup {
    pub(crate) backend: Backend,
    pub(crate) options: String,
    pub(crate) extra: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) hosts: Vec<String>,
    /// Whether it listens for browsers.
    pub(crate) web: bool,
    /// Whether it has a port for everybody.
    pub(crate) multi: bool,
    /// Whether it has one for the parties of bytestreams.
    pub(crate) socks: bool,
    /// Those of a federation; its own otherwise.
    pub(crate) certificates: Option<Certificates>,
}

impl Default for Setup {
    fn default() -> Setup {
        let accounts = ["alice", "bob", "carol"].map(|name| format!("{name}@localhost")).to_vec();
        let hosts = vec!["127.0.0.1".to_owned()];
        Setup {
            backend: Backend::Sqlite,
            options: String::new(),
            extra: Vec::new(),
            components: Vec::new(),
            accounts,
            hosts,
            web: false,
            multi: false,
            socks: false,
            certificates: None,
        }
    }
}

impl Setup {
    /// With another store.
    pub fn store(mut self, backend: Backend) -> Setup {
        self.backend = backend;
        self
    }

    /// With options in TOML; they win over what this crate sets. `{folder}` in them stands for the server's folder.
    pub fn options(mut self, toml: &str) -> Setup {
        self.options.push_str(toml);
        self.options.push('\n');
        self
    }

    /// Serving one more domain, with a certificate of its own.
    pub fn domain(mut self, domain: &str) -> Setup {
        self.extra.push(domain.to_owned());
        self
    }

    /// With one more account, such as `dave@localhost`; its password is `dave-secret`.
    pub fn account(mut self, jid: &str) -> Setup {
        self.accounts.push(jid.to_owned());
        self
    }

    /// Without accounts.
    pub fn no_accounts(mut self) -> Setup {
        self.accounts.clear();
        self
    }

    /// Listening on these loopback addresses (without ports) and not on 127.0.0.1 alone.
    pub fn addresses(mut self, hosts: &[&str]) -> Setup {
        self.hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        self
    }

    /// Listening for other servers and trusting this authority, which also signs its certificates.
    pub fn federates(mut self, certificates: &Certificates) -> Setup {
        self.certificates = Some(certificates.clone());
        self
    }

    /// Listening for browsers.
    pub fn web(mut self) -> Setup {
        self.web = true;
        self
    }

    /// Listening for everybody on one port, besides.
    pub fn one_port(mut self) -> Setup {
        self.multi = true;
        self
    }

    /// Listening for the parties of bytestreams.
    pub fn socks(mut self) -> Setup {
        self.socks = true;
        self
    }

    /// With an external component, whose secret is [`crate::SECRET`].
    pub fn component(mut self, domain: &str) -> Setup {
        self.components.push(domain.to_owned());
        self
    }

    /// Starts it and waits until it is ready.
    #[track_caller]
    pub fn start(self) -> Server {
        Server::start_with(self)
    }
}

/// Runs a scenario twice, at the same time: on a server with SQLite and on one that keeps everything in memory.
#[track_caller]
pub fn on_both_stores(scenario: impl Fn(&mut Server) + Sync) {
    on_both_stores_with("", scenario);
}

/// The same with options in TOML.
#[track_caller]
pub fn on_both_stores_with(options: &str, scenario: impl Fn(&mut Server) + Sync) {
    let run = |backend: Backend| {
        let mut server = Setup::default().store(backend).options(options).start();
        let outcome = catch_unwind(AssertUnwindSafe(|| scenario(&mut server)));
        if let Err(panic) = outcome {
            eprintln!("this was the server with storage.backend = \"{}\":\n{}", backend.name(), server.log().tail(30));
            resume_unwind(panic);
        }
    };
    std::thread::scope(|scope| {
        let memory = std::thread::Builder::new()
            .name(format!("{}, in memory", std::thread::current().name().unwrap_or("scenario")))
            .spawn_scoped(scope, || run(Backend::Memory))
            .expect("a thread for the second server");
        run(Backend::Sqlite);
        if let Err(panic) = memory.join() {
            resume_unwind(panic);
        }
    });
}
