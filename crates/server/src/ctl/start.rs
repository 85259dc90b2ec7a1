//! `start`: runs the server in the background and waits until it answers; and the wait for the end of one that was told to stop.
//! For machines without a service manager, and for tests of a configuration; systemd starts the server by itself.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use metronome_host::command::Failed;
use metronome_net::control::{Reply, Request, SOCKET};
use serde_json::{Map, json};

use super::client::Client;
use super::{Parts, Socket};
use crate::config::{self, ConfigFile, Configuration, Inputs};
use crate::tables::DATA;

/// Between two looks whether it is ready, or gone.
const LOOK: Duration = Duration::from_millis(20);
/// How long a server that was told to stop may take; it gives up by itself long before.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a server's last words that are shown.
const WORDS_BYTES_MAX: u64 = 16 * 1024;
/// A longer `output.log` is put aside before the next start.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

pub(super) fn run(parts: &Parts, file: &ConfigFile, timeout: Duration) -> Result<Reply, Failed> {
    let configuration = config::load(parts.settings, &Inputs::of_process(file.clone()))
        .map_err(|problems| Failed::problem(problems.to_string()))?;
    let socket =
        configuration.values().path(&SOCKET).ok_or_else(|| Failed::problem("control.socket must not be empty"))?;
    let socket = Socket(socket.to_owned());
    if Client::connect(&socket).is_ok() {
        return Err(Failed::problem(format!("the server is running: it answers on {}", socket.0.display())));
    }
    let begun = Instant::now();
    let output = Output::open(&configuration)?;
    let mut server = spawn(file, &output)?;
    loop {
        if let Some(status) = server.try_wait().map_err(|why| Failed::problem(why.to_string()))? {
            let words = output.since_start();
            let why = if words.is_empty() { format!("it ended with {status}") } else { words };
            return Err(Failed::problem(format!("the server did not start\n{why}")));
        }
        if answers(&socket) {
            return Ok(started(&server, &output, begun));
        }
        if begun.elapsed() > timeout {
            let after = timeout.as_secs();
            return Err(Failed::problem(format!(
                "the server is not ready after {after} s; process {} goes on",
                server.id()
            ))
            .with_hint(format!("what it says is in {}", output.path.display())));
        }
        sleep(LOOK);
    }
}

fn started(server: &Child, output: &Output, begun: Instant) -> Reply {
    let (pid, ms) = (server.id(), begun.elapsed().as_millis());
    let text = format!(
        "the server is running as process {pid}, ready after {ms} ms; what it prints goes to {}",
        output.path.display()
    );
    Reply { exit: 0, text, value: json!({ "pid": pid, "output": output.path }), hint: String::new() }
}

fn spawn(file: &ConfigFile, output: &Output) -> Result<Child, Failed> {
    let program = program();
    let mut command = Command::new(&program);
    if let ConfigFile::Named(file) = file {
        command.arg("--config").arg(file);
    }
    let pipes =
        || Ok::<_, std::io::Error>((Stdio::from(output.file.try_clone()?), Stdio::from(output.file.try_clone()?)));
    let (out, errors) = pipes().map_err(|why| Failed::problem(why.to_string()))?;
    // A group of its own: what is typed on this terminal is not for the server.
    command.stdin(Stdio::null()).stdout(out).stderr(errors).process_group(0);
    command.spawn().map_err(|why| Failed::problem(format!("cannot run {}: {why}", program.display())))
}

/// The server's program lies beside this one; else it is looked for like any other.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name("metronome"));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| "metronome".into())
}

fn answers(socket: &Socket) -> bool {
    let status = Request { command: "status".to_owned(), arguments: Map::new() };
    Client::connect(socket).and_then(|mut client| client.ask(&status)).is_ok_and(|reply| reply.exit == 0)
}

/// What the server prints: the log if it goes to the terminal, and its last words if it does not start.
struct Output {
    path: PathBuf,
    file: File,
    /// Where this start begins.
    from: u64,
}

impl Output {
    fn open(configuration: &Configuration) -> Result<Self, Failed> {
        let folder = configuration.values().path(&DATA).unwrap_or(Path::new("."));
        let path = folder.join("output.log");
        let open = || {
            DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
            make_room(&path)?;
            // Addresses of people may be in it: no more than the log files may be read by others.
            let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o640).open(&path)?;
            let from = file.seek(SeekFrom::End(0))?;
            Ok((file, from))
        };
        let opened: std::io::Result<_> = open();
        let (file, from) = opened.map_err(|why| Failed::problem(format!("cannot write {}: {why}", path.display())))?;
        Ok(Self { path, file, from })
    }

    fn since_start(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.take(WORDS_BYTES_MAX).read_to_end(&mut text)
        });
        if read.is_ok() { String::from_utf8_lossy(&text).trim_end().to_owned() } else { String::new() }
    }
}

/// Moves what earlier starts have printed out of the way once it is long; of what was moved before nothing is kept.
fn make_room(path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > OUTPUT_BYTES_MAX => std::fs::rename(path, path.with_extension("log.old")),
        _ => Ok(()),
    }
}

/// Waits until a server that has answered to `stop` is gone: its socket's file is the last that it removes.
pub(super) fn wait_for_end(socket: &Socket) -> Result<(), Failed> {
    let begun = Instant::now();
    while socket.0.exists() {
        if begun.elapsed() > STOP_TIMEOUT {
            return Err(Failed::problem(format!("the server has not ended within {} s", STOP_TIMEOUT.as_secs())));
        }
        sleep(LOOK);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::{config, tables};

    #[test]
    fn what_a_server_prints_is_not_for_everybody_and_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let configuration =
            config::from_text(tables::settings(), &format!("domain = \"a.example\"\nserver.data = {data:?}\n"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let output = Output::open(&configuration).unwrap();
        assert_eq!((mode(&data) & 0o027, mode(&output.path) & 0o137), (0, 0));
        assert_eq!(output.from, 0);
        std::fs::write(&output.path, vec![b'x'; 10]).unwrap();
        assert_eq!(Output::open(&configuration).unwrap().from, 10);
        output.file.set_len(OUTPUT_BYTES_MAX + 1).unwrap();
        assert_eq!(Output::open(&configuration).unwrap().from, 0);
        assert_eq!(std::fs::metadata(data.join("output.log.old")).unwrap().len(), OUTPUT_BYTES_MAX + 1);
    }
}
