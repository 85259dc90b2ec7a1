//! `metronome`: the server. Reads its configuration, starts, prints that it is ready, and runs until it is told to stop.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use metronome_host::server::Server;
use metronome_net::listen::{self, CannotListen};
use metronome_net::s2s::authorities::Authorities;
use metronome_server::assemble::{self, Running};
use metronome_server::config::{self, ConfigFile, Configuration, Inputs, Origin, STANDARD_FILE};
use metronome_server::domains::Certificates;
use metronome_server::logging::Logging;
use metronome_server::process::Process;
use metronome_server::tables::{DATA, settings};
use metronome_server::{dev, pages, shutdown, unfit};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where the development mode keeps its data unless `--data` says otherwise.
const DEV_DATA: &str = "metronome-dev";
/// Largest number that may be added to the ports.
const PORT_OFFSET_MAX: u16 = 60_000;

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
    #[arg(long, value_name = "FOLDER", requires = "dev", default_value = DEV_DATA)]
    data: PathBuf,
    /// With --dev: a number to add to every port that --config does not set, where the usual ones are taken.
    #[arg(long, value_name = "N", requires = "dev", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=i64::from(PORT_OFFSET_MAX)))]
    port_offset: u16,
    /// Prints a page of the documentation and ends.
    #[arg(long, value_name = "PAGE", value_parser = ["options", "xeps", "commands", "metrics", "example"])]
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
                "commands" => pages::commands(),
                "metrics" => pages::metrics(),
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
    let logging = Arc::new(
        Logging::start(configuration.values())
            .map_err(|why| anyhow::anyhow!("{}", unfit::logs(&configuration, &why)))?,
    );
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let certificates = certificates(arguments, &configuration);
        let authorities = Arc::new(Authorities::load(configuration.values())?);
        let process = Process::new(inputs, configuration.clone(), logging, (certificates, authorities));
        let running = assemble::start(process).await.map_err(|error| with_hint(error, arguments, &configuration))?;
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
fn with_hint(error: anyhow::Error, arguments: &Arguments, configuration: &Configuration) -> anyhow::Error {
    let is_offset = |setting| configuration.origin("", setting) == Origin::Development;
    if arguments.dev && error.is::<CannotListen>() && is_offset(&listen::C2S) && is_offset(&listen::C2S_TLS) {
        return anyhow::anyhow!(
            "{error}\nTry other ports: {}",
            with_other_ports(&dev::program("metronome"), arguments)
        );
    }
    error
}

/// The same command line with the next ports.
fn with_other_ports(program: &str, arguments: &Arguments) -> String {
    let mut line = format!("{program} --dev");
    if arguments.data != Path::new(DEV_DATA) {
        line.push_str(&format!(" --data {}", arguments.data.display()));
    }
    if let Some(file) = &arguments.config {
        line.push_str(&format!(" --config {}", file.display()));
    }
    // The largest offset there is leads back to the beginning.
    let next = if arguments.port_offset > PORT_OFFSET_MAX - 1000 { 1000 } else { arguments.port_offset + 1000 };
    line + &format!(" --port-offset {next}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_ports_keep_the_rest_of_the_command_line() {
        let line = |given: &[&str]| {
            let given = ["metronome", "--dev"].iter().chain(given).copied();
            with_other_ports("metronome", &Arguments::try_parse_from(given).expect("a command line"))
        };
        assert_eq!(line(&[]), "metronome --dev --port-offset 1000");
        let given = ["--config", "m.toml", "--data", "d", "--port-offset", "2000"];
        assert_eq!(line(&given), "metronome --dev --data d --config m.toml --port-offset 3000");
        assert_eq!(line(&["--port-offset", "60000"]), "metronome --dev --port-offset 1000");
    }
}
