//! `metronome`: the server. Reads its configuration, starts, prints that it is ready, and runs until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use metronome_host::server::Server;
use metronome_server::assemble::{self, Running};
use metronome_server::config::{self, ConfigFile, Configuration, Inputs, STANDARD_FILE};
use metronome_server::domains::Certificates;
use metronome_server::logging::Logging;
use metronome_server::process::Process;
use metronome_server::tables::{DATA, settings};
use metronome_server::{dev, pages, shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The XMPP server.
#[derive(Parser)]
#[command(name = "metronome", version)]
struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Runs for development: domain localhost on the loopback interface, its own certificate authority, the accounts
    /// alice@localhost and bob@localhost with the password `secret`.
    #[arg(long)]
    dev: bool,
    /// With --dev: where the data are kept.
    #[arg(long, value_name = "FOLDER", requires = "dev", default_value = "metronome-dev")]
    data: PathBuf,
    /// With --dev: a number to add to every port, where the usual ones are taken.
    #[arg(long, value_name = "N", requires = "dev", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=60_000))]
    port_offset: u16,
    /// Prints a page of the documentation and ends.
    #[arg(long, value_name = "PAGE", value_parser = ["options", "xeps", "example"])]
    print_docs: Option<String>,
}

fn main() -> ExitCode {
    let started = Instant::now();
    let arguments = Arguments::parse();
    if let Some(page) = &arguments.print_docs {
        print!(
            "{}",
            match page.as_str() {
                "options" => pages::options(),
                "example" => config::example(settings()),
                _ => pages::xeps(),
            }
        );
        return ExitCode::SUCCESS;
    }
    match run(&arguments, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metronome: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, started: Instant) -> anyhow::Result<()> {
    let inputs = inputs(arguments)?;
    let configuration = config::load(settings(), &inputs)?;
    let logging = Arc::new(Logging::start(configuration.values())?);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let certificates = certificates(arguments, &configuration);
        let process = Process::new(inputs, configuration.clone(), logging, certificates);
        let running = assemble::start(process).await.map_err(|error| with_hint(error, arguments))?;
        if arguments.dev {
            dev::accounts(&running.server).await?;
        }
        // Before anybody is told that we are ready: whoever is told may signal at once.
        let signals = Signals::install()?;
        announce(arguments, &running, &configuration, started);
        signals.wait_for_stop(&running.server).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        shutdown::run(running).await;
        Ok(())
    })
}

fn inputs(arguments: &Arguments) -> anyhow::Result<Inputs> {
    if arguments.dev {
        let file = arguments.config.clone().map_or(ConfigFile::None, ConfigFile::Named);
        return Ok(Inputs {
            presets: dev::presets(&arguments.data, arguments.port_offset)?,
            ..Inputs::of_process(file)
        });
    }
    let file = match &arguments.config {
        Some(file) => ConfigFile::Named(file.clone()),
        None => ConfigFile::IfThere(STANDARD_FILE.into()),
    };
    Ok(Inputs::of_process(file))
}

fn certificates(arguments: &Arguments, configuration: &Configuration) -> Certificates {
    match configuration.values().path(&DATA) {
        Some(folder) if arguments.dev => Certificates::Development(folder.to_owned()),
        _ => Certificates::Files,
    }
}

/// In the development mode a taken port has an easy way out.
fn with_hint(error: anyhow::Error, arguments: &Arguments) -> anyhow::Error {
    if arguments.dev && error.is::<metronome_net::listen::CannotListen>() {
        let next = arguments.port_offset + 1000;
        return anyhow::anyhow!("{error}\nTry other ports: metronome --dev --port-offset {next}");
    }
    error
}

fn announce(arguments: &Arguments, running: &Running, configuration: &Configuration, started: Instant) {
    tracing::info!(domains = configuration.domains().join(" "), "metronome {} is ready", env!("CARGO_PKG_VERSION"));
    println!("ready in {} ms", started.elapsed().as_millis());
    if arguments.dev {
        print!("{}", dev::welcome(&arguments.data, running));
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// As many connections as the system allows this process.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// What the operating system tells the server.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Signals> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Reloads at each hangup, and returns when the server is to stop.
    async fn wait_for_stop(mut self, server: &Arc<Server>) {
        loop {
            tokio::select! {
                Some(()) = self.hangup.recv() => drop(tokio::spawn(reload_on_hangup(server.clone()))),
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = server.control.stopped() => break,
            }
        }
        server.control.request_stop();
    }
}

/// A task of its own, so that a slow disk does not keep the server from hearing that it is to stop.
async fn reload_on_hangup(server: Arc<Server>) {
    let Ok(process) = server.control.process() else { return };
    if let Err(error) = process.reopen_logs() {
        tracing::error!(%error, "the logs could not be opened again");
    }
    // Success and failure are logged there.
    let _ = process.reload(&server).await;
}
