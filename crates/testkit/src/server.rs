//! The running server: the real program in a folder of its own, on free loopback ports; it dies with its value.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::control::Control;
use crate::dial::Dial;
use crate::log::Log;
use crate::setup::Setup;
use crate::{ports, program};

/// A server that is not ready by then never will be.
const READY: Duration = Duration::from_secs(20);
/// How often other ports are tried, where somebody else was faster.
const STARTS_MAX: u32 = 5;

/// A server. Dropped, it is killed and its folder removed.
pub struct Server {
    folder: TempDir,
    setup: Setup,
    ports: Ports,
    certificates: Certificates,
    process: Option<Child>,
    log: Log,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    clear: u16,
    direct: u16,
    /// For other servers.
    s2s: u16,
    s2s_direct: u16,
    component: u16,
    component_direct: u16,
    http: u16,
    https: u16,
    multi: u16,
    metrics: u16,
    socks: u16,
}

impl Ports {
    fn of(
        [clear, direct, s2s, s2s_direct, component, component_direct, http, https, multi, metrics, socks]: [u16; 11],
    ) -> Ports {
        Ports { clear, direct, s2s, s2s_direct, component, component_direct, http, https, multi, metrics, socks }
    }
}

impl Server {
    /// A server as [`Setup::default`] describes it.
    #[track_caller]
    pub fn start() -> Server {
        Setup::default().start()
    }

    #[track_caller]
    pub(crate) fn start_with(setup: Setup) -> Server {
        let folder = tempfile::Builder::new().prefix("metronome-test-").tempdir().expect("a folder for the server");
        let of_its_own = folder.path().join("certificates");
        let certificates = match &setup.certificates {
            Some(shared) => shared.share(&of_its_own),
            None => Certificates::new(&of_its_own),
        };
        let own = setup.extra.iter().chain(&setup.components).map(String::as_str);
        for domain in std::iter::once("localhost").chain(own) {
            certificates.issue(domain);
        }
        let ports = Ports::of([0; 11]);
        let mut server = Server { folder, setup, ports, certificates, process: None, log: Log::default() };
        server.write_options(&server.setup.options.clone());
        server.start_on_free_ports();
        for account in &server.setup.accounts {
            server.control().add_user(account);
        }
        server
    }

    #[track_caller]
    fn start_on_free_ports(&mut self) {
        for _ in 0..STARTS_MAX {
            self.ports = Ports::of(std::array::from_fn(|_| ports::free()));
            std::fs::write(self.file("metronome.toml"), self.base()).expect("the configuration can be written");
            match self.spawn() {
                Ok(()) => return,
                Err(()) if self.log.text().contains("cannot listen") => {}
                Err(()) => panic!("the server does not start:\n{}", self.log.text()),
            }
        }
        panic!("the server found no port:\n{}", self.log.text());
    }

    /// What every test has; a scenario's own options lie beside it in `conf.d` and win.
    fn base(&self) -> String {
        let listen = |port: u16| {
            let addresses = self
                .setup
                .hosts
                .iter()
                .map(|host| format!("\"{}\"", SocketAddr::new(host.parse().expect("an IP address"), port)));
            addresses.collect::<Vec<_>>().join(", ")
        };
        let mut toml = format!(
            "domain = \"localhost\"\nextra = {:?}\ncomponents = {:?}\n\
             [server]\ndata = {:?}\n[control]\nsocket = {:?}\n[storage]\nbackend = \"{}\"\n\
             [listen]\nc2s = [{}]\nc2s_tls = [{}]\n{}{}{}\
             [limits]\nconnections = 100000\nconnection_rate = \"100000/s\"\n\
             [auth]\niterations = 4096\n[log]\nlevel = \"debug\"\ntarget = [\"terminal\"]\n",
            self.setup.extra,
            self.setup.components,
            self.file("data"),
            self.file("control.sock"),
            self.setup.backend.name(),
            listen(self.ports.clear),
            listen(self.ports.direct),
            self.for_components(),
            self.for_browsers(),
            self.for_servers(),
        );
        let (certificate, key) = self.certificates.files("localhost");
        toml.push_str(&format!("[tls.files]\ncert = {certificate:?}\nkey = {key:?}\n"));
        for domain in self.setup.extra.iter().chain(&self.setup.components) {
            let (certificate, key) = self.certificates.files(domain);
            toml.push_str(&format!("[host.\"{domain}\".tls.files]\ncert = {certificate:?}\nkey = {key:?}\n"));
        }
        for domain in &self.setup.components {
            toml.push_str(&format!("[host.\"{domain}\".component]\nsecret = {:?}\n", crate::SECRET));
        }
        toml
    }

    /// Where components connect, where there are some.
    fn for_components(&self) -> String {
        match self.setup.components.is_empty() {
            true => String::new(),
            false => {
                format!("component = [\"{}\"]\ncomponent_tls = [\"{}\"]\n", self.component(), self.component_direct())
            }
        }
    }

    /// Where browsers connect, where the scenario is about that.
    fn for_browsers(&self) -> String {
        let ports = match self.setup.web {
            false => "http = []\nhttps = []\nmetrics = []\n".to_owned(),
            true => {
                let (http, https, metrics) = (self.http(), self.https(), self.metrics());
                format!("http = [\"{http}\"]\nhttps = [\"{https}\"]\nmetrics = [\"{metrics}\"]\n")
            }
        };
        let multi = if self.setup.multi { format!("multi = [\"{}\"]\n", self.multi()) } else { String::new() };
        let socks = if self.setup.socks { format!("socks = [\"{}\"]\n", self.socks()) } else { String::new() };
        format!("{ports}{multi}{socks}")
    }

    /// Nobody is called by name, and nobody from elsewhere comes in, unless the scenario is about that.
    fn for_servers(&self) -> String {
        match &self.setup.certificates {
            None => "s2s = []\ns2s_tls = []\n[federation]\nenabled = false\n".to_owned(),
            Some(_) => format!(
                "s2s = [\"{}\"]\ns2s_tls = [\"{}\"]\n[federation]\nca = {:?}\nallow_addresses = [\"127.0.0.0/8\"]\n",
                self.s2s(),
                self.s2s_direct(),
                self.certificates.ca(),
            ),
        }
    }

    /// Starts the program; fails if it ends before it is ready.
    fn spawn(&mut self) -> Result<(), ()> {
        let from = self.log.len();
        let mut child = Command::new(program::path())
            .arg("--config")
            .arg(self.file("metronome.toml"))
            .current_dir(self.folder.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program::path().display()));
        self.log.keep(child.stdout.take().expect("the pipe was asked for"));
        self.log.keep(child.stderr.take().expect("the pipe was asked for"));
        self.process = Some(child);
        let deadline = Instant::now() + READY;
        while self.log.wait_for(from, "ready in ", Duration::from_millis(20)).is_none() {
            if self.exit_status().is_some() {
                // Its last words may still be in the pipe.
                self.log.wait_for(from, "metronome: ", Duration::from_millis(500));
                return Err(());
            }
            if Instant::now() > deadline {
                return Err(());
            }
        }
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of its configuration, data and certificates.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its certificates.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Its control socket.
    pub fn control(&self) -> Control {
        Control { socket: self.file("control.sock") }
    }

    /// What it has printed since it was made, restarts included.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until it has printed `text`.
    #[track_caller]
    pub fn expect_log(&self, text: &str) -> String {
        let line = self.log.wait_for(0, text, crate::client::WAIT);
        line.unwrap_or_else(|| panic!("the server does not say {text:?}:\n{}", self.log.tail(40)))
    }

    /// Replaces the scenario's options; the server takes notice at a reload or a restart.
    pub fn write_options(&self, toml: &str) {
        let folder = self.file("conf.d");
        std::fs::create_dir_all(&folder).expect("a folder for options");
        let toml = toml.replace("{folder}", &self.folder.path().display().to_string());
        std::fs::write(folder.join("scenario.toml"), toml).expect("options can be written");
    }

    /// Where clients connect in clear text.
    pub fn clear(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.clear)
    }

    /// Where clients connect with TLS.
    pub fn direct(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.direct)
    }

    /// Where other servers connect in clear text.
    pub fn s2s(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.s2s)
    }

    /// Where other servers connect with TLS.
    pub fn s2s_direct(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.s2s_direct)
    }

    /// A way to connect as another server, to be described further.
    pub fn dial_as_server(&self) -> Dial {
        Dial::new(self.s2s(), self.s2s_direct(), self.certificates.roots()).protocols(&["xmpp-server"])
    }

    /// Where components connect in clear text.
    pub fn component(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.component)
    }

    /// Where components connect with TLS.
    pub fn component_direct(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.component_direct)
    }

    /// Where browsers connect in clear text.
    pub fn http(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.http)
    }

    /// Where browsers connect with TLS.
    pub fn https(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.https)
    }

    /// Where everybody connects.
    pub fn multi(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.multi)
    }

    /// Where the parties of bytestreams connect.
    pub fn socks(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.socks)
    }

    /// A way to connect to the port for everybody, without ALPN.
    pub fn dial_one_port(&self) -> Dial {
        Dial::new(self.multi(), self.multi(), self.certificates.roots()).protocols(&[])
    }

    /// Where those who watch it connect.
    pub fn metrics(&self) -> SocketAddr {
        SocketAddr::new(self.setup.hosts[0].parse().expect("an IP address"), self.ports.metrics)
    }

    /// A way to connect as somebody who watches it; in clear text only.
    pub fn dial_as_watcher(&self) -> Dial {
        Dial::new(self.metrics(), self.metrics(), self.certificates.roots())
    }

    /// A way to connect as a browser.
    pub fn dial_as_browser(&self) -> Dial {
        Dial::new(self.http(), self.https(), self.certificates.roots()).protocols(&["http/1.1"])
    }

    /// A way to connect as a component.
    pub fn dial_as_component(&self) -> Dial {
        Dial::new(self.component(), self.component_direct(), self.certificates.roots())
    }

    /// A way to connect, to be described further.
    pub fn dial(&self) -> Dial {
        Dial::new(self.clear(), self.direct(), self.certificates.roots())
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or_else(|| panic!("the server does not run"), Child::id)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().cast_signed()).expect("a process has an id");
        kill_process(pid, signal).expect("the server can be signalled");
    }

    /// Its exit status, if it has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.as_mut().and_then(|child| child.try_wait().expect("a child can be waited for"))
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub fn wait_for_exit(&mut self, wait: Duration) -> ExitStatus {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(status) = self.exit_status() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log.tail(20));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL: nothing is written, nobody is told.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait_for_exit(Duration::from_secs(15));
        assert!(status.success(), "the server ended with {status}:\n{}", self.log.tail(20));
        self.process = None;
    }

    /// Starts it again with the same data, ports and certificates, after [`Server::kill`] or [`Server::stop`].
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "the server runs");
        if self.spawn().is_err() {
            panic!("the server does not start again:\n{}", self.log.tail(20));
        }
    }

    /// A clean stop and a start.
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// A crash and a start.
    #[track_caller]
    pub fn crash(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Its resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let file = format!("/proc/{}/statm", self.pid());
        let statm = std::fs::read_to_string(file).expect("the server runs");
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has numbers");
        pages * rustix::param::page_size() as u64
    }

    /// By how many bytes its resident memory grows each time this is done again: the least of several rounds.
    ///
    /// What the allocator keeps for itself comes in leaps in some of them; what is never given back comes in all.
    pub fn steady_growth(&self, rounds: usize, mut round: impl FnMut()) -> u64 {
        let mut grow = || {
            let before = self.resident_bytes();
            round();
            self.resident_bytes().saturating_sub(before)
        };
        (0..rounds).map(|_| grow()).min().unwrap_or_default()
    }

    /// How many sockets it has open, listening ones included.
    pub fn sockets(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the server runs");
        let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// One of the figures of `status`, such as `logins`.
    pub fn figure(&self, name: &str) -> u64 {
        let status = self.control().run("status", serde_json::json!({}));
        status[name].as_u64().unwrap_or_else(|| panic!("{name} is not in {status}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the server's last words:\n{}", self.log.tail(30));
        }
    }
}
