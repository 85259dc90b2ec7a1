//! The two programs together: a real server, and the control utility as an administrator uses it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A server in a folder of its own, on ports the system chose. Killed when dropped.
struct Server {
    folder: TempDir,
    process: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("metronome.toml");
        std::fs::write(&file, config(&folder, "")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_metronome"))
            .arg("--config")
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ready in ") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the server ended before it was ready");
        }
        // A pipe that nobody reads would stop a server that logs a lot.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { folder, process }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    /// Replaces what follows the usual configuration.
    fn write_config(&self, more: &str) {
        std::fs::write(self.folder.path().join("metronome.toml"), config(&self.folder, more)).unwrap();
    }

    /// Runs the control utility: exit code, output and errors.
    fn ctl(&self, arguments: &str, input: &str) -> (i32, String, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_metronomectl"))
            .env("METRONOME_SOCKET", self.socket())
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Verbs that read nothing may have ended already.
        drop(process.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = process.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The output of a verb that succeeds.
    fn ok(&self, arguments: &str, input: &str) -> String {
        let (exit, out, errors) = self.ctl(arguments, input);
        assert_eq!((exit, errors.as_str()), (0, ""), "{arguments}: {out}");
        out
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn config(folder: &TempDir, more: &str) -> String {
    let path = folder.path().display();
    format!(
        "domain = \"example.org\"\nserver.data = \"{path}/data\"\ncontrol.socket = \"{path}/run/control.sock\"\n\
         auth.iterations = 4096\ntls.require_c2s = false\nlisten.c2s = [\"127.0.0.1:0\"]\nlisten.c2s_tls = []\nlisten.s2s = []\nlisten.s2s_tls = []\nlisten.http = []\nlisten.https = []\nlisten.metrics = []\n{more}"
    )
}

#[test]
fn accounts_are_managed_over_the_socket() {
    let server = Server::start();
    server.ok("user add alice@example.org --admin", "secret\n");
    server.ok("adduser bob@example.org", "secret\n");
    assert_eq!(
        server.ctl("user add bob@example.org", "secret\n"),
        (1, String::new(), "error: bob@example.org exists already\n".to_owned())
    );
    server.ok("user passwd bob@example.org --password-stdin", "other\n");
    server.ok("user role alice@example.org user", "");
    server.ok("user role bob@example.org admin", "");
    server.ok("user disable bob@example.org", "");
    let list: serde_json::Value = serde_json::from_str(&server.ok("user list --json", "")).unwrap();
    let expected = serde_json::json!([
        { "jid": "alice@example.org", "role": "user", "state": "active", "sessions": 0 },
        { "jid": "bob@example.org", "role": "admin", "state": "disabled", "sessions": 0 },
    ]);
    assert_eq!(list, expected);
    server.ok("user enable bob@example.org", "");
    server.ok("deluser bob@example.org", "");
    assert_eq!(server.ctl("user delete bob@example.org", "").0, 1);
    assert_eq!(server.ok("session list", ""), "none\n");
}

#[test]
fn a_batch_makes_many_accounts_over_one_connection() {
    let server = Server::start();
    let lines: String = (0..20).map(|n| format!("user add u{n}@example.org password=secret\n")).collect();
    assert_eq!(server.ok("--batch --jobs 4 -q", &lines), "");
    assert_eq!(server.ok("user list", "").lines().count(), 21);
}

#[test]
fn a_reload_with_a_mistake_changes_nothing_and_shows_the_line() {
    let server = Server::start();
    server.write_config("log.level = \"debug\"\n");
    assert!(server.ok("reload", "").contains("log.level"));
    server.write_config("log.levle = \"info\"\n");
    let (exit, out, errors) = server.ctl("reload", "");
    assert_eq!((exit, out.as_str()), (1, ""));
    assert!(errors.contains("13│ log.levle = \"info\"") && errors.contains("did you mean `level`?"), "{errors}");
    server.write_config("log.level = \"debug\"\n");
    assert!(!server.ok("reload", "").contains("log.level"), "the wrong file has changed nothing");
}

#[test]
fn stop_answers_and_then_the_server_is_gone() {
    let mut server = Server::start();
    assert!(!server.ok("stop", "").is_empty());
    assert!(server.process.wait().unwrap().success());
    assert!(!server.socket().exists());
    let (exit, _, errors) = server.ctl("status", "");
    assert_eq!(exit, 3);
    assert!(errors.contains("is it running?"), "{errors}");
}

/// Runs the control utility of a configuration file.
fn ctl(folder: &TempDir, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metronomectl"))
        .env("METRONOME_SOCKET", folder.path().join("run/control.sock"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn start_waits_until_the_server_answers_and_stop_until_it_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metronome.toml");
    std::fs::write(&file, config(&folder, "")).unwrap();
    let start = ["start", "--config", file.to_str().unwrap()];
    // As often as one likes: nothing of the one before is in the way of the next.
    for _ in 0..3 {
        let (exit, out, errors) = ctl(&folder, &start);
        assert_eq!((exit, errors.as_str()), (0, ""), "{out}");
        let pid = out.split_once("process ").and_then(|(_, rest)| rest.split(',').next()).unwrap();
        assert!(std::fs::metadata(format!("/proc/{pid}")).is_ok(), "{out}");
        assert_eq!(ctl(&folder, &["status"]).0, 0);
        let (exit, _, errors) = ctl(&folder, &start);
        assert_eq!(exit, 1);
        assert!(errors.contains("the server is running: it answers on "), "{errors}");
        assert_eq!(ctl(&folder, &["stop"]), (0, "the server is stopping\n".to_owned(), String::new()));
        assert!(!folder.path().join("run/control.sock").exists());
        assert_eq!(ctl(&folder, &["stop"]).0, 3);
    }
}

#[test]
fn start_shows_why_a_server_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metronome.toml");
    let start = ["start", "--config", file.to_str().unwrap()];
    for (text, said) in [
        (config(&folder, "log.levle = \"info\"\n"), "did you mean `level`?"),
        (config(&folder, "[tls.files]\ncert = \"/nowhere\"\nkey = \"/nowhere\"\n"), "/nowhere"),
        (config(&folder, "[log]\ntarget = [\"file\"]\n"), "log.file does not name one"),
    ] {
        std::fs::write(&file, text).unwrap();
        let (exit, out, errors) = ctl(&folder, &start);
        assert_eq!((exit, out.as_str()), (1, ""));
        assert!(errors.contains(said), "{errors}");
        assert!(!folder.path().join("run/control.sock").exists());
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ctl(&folder, &start).0, 1);
    assert_eq!(ctl(&folder, &["start", "--timeout", "soon"]).0, 2);
}

#[test]
fn domains_are_managed_over_the_socket() {
    let server = Server::start();
    assert_eq!(server.ok("host add Chat.Example.", ""), "chat.example is served\n");
    server.ok("user add erin@chat.example", "secret\n");
    let list = server.ok("host list", "");
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["chat.example", "command", "enabled", "0", "-", "-"], "{list}");
    assert_eq!(rows[2], ["rooms.chat.example", "command", "service", "0", "-", "-"], "{list}");
    assert_eq!(rows[3], ["proxy.chat.example", "command", "service", "0", "-", "-"], "{list}");
    assert_eq!(rows[4], ["pubsub.chat.example", "command", "service", "0", "-", "-"], "{list}");
    assert_eq!(rows[5], ["upload.chat.example", "command", "service", "0", "-", "-"], "{list}");
    assert_eq!(rows[6], ["example.org", "configuration", "enabled", "0", "-", "-"], "{list}");
    assert_eq!(server.ctl("host add chat.example", "").0, 1);
    assert_eq!(server.ctl("host add a@b", "").0, 2);
    assert_eq!(server.ctl("host remove chat.example", "").0, 1);
    assert_eq!(server.ctl("host remove example.org", "").0, 1);
    server.ok("host disable chat.example", "");
    assert!(server.ok("status --json", "").contains("\"hosts_not_served\":\"chat.example\""));
    server.ok("host enable chat.example", "");
    server.ok("host remove chat.example --accounts", "");
    assert_eq!(server.ok("host list", "").lines().count(), 6);
}

#[test]
fn rooms_are_managed_over_the_socket() {
    let server = Server::start();
    let room = "coven@rooms.example.org";
    assert_eq!(
        server.ok(&format!("room create {room} alice@example.org --config roomname=Coven"), ""),
        format!("{room} was made, and alice@example.org owns it\n")
    );
    let list: serde_json::Value = serde_json::from_str(&server.ok("room list example.org --json", "")).unwrap();
    assert_eq!((&list[0]["room"], &list[0]["name"]), (&room.into(), &"Coven".into()));
    server.ok(&format!("room set {room} membersonly true"), "");
    server.ok(&format!("room affiliation {room} bob@elsewhere.example admin"), "");
    let shown: serde_json::Value = serde_json::from_str(&server.ok(&format!("room show {room} --json"), "")).unwrap();
    assert_eq!((&shown["membersonly"], &shown["admins"], &shown["owners"]), (&true.into(), &1.into(), &1.into()));
    let (exit, _, errors) = server.ctl(&format!("room set {room} maxusers many"), "");
    assert_eq!((exit, errors.as_str()), (1, "error: muc#roomconfig_maxusers cannot have this value\n"));
    assert_eq!(server.ctl("room show coven", "").0, 2);
    assert_eq!(server.ctl("room show nobody@rooms.example.org", "").0, 1);
    server.ok(&format!("room destroy {room} --alternate heath@rooms.example.org"), "");
    assert_eq!(server.ok("room list", ""), "none\n");
    assert!(server.ok("room list --destroyed", "").contains("heath@rooms.example.org"));
}

#[test]
fn a_domain_that_is_removed_leaves_no_rooms_to_the_next_one_with_its_name() {
    let server = Server::start();
    let room = "coven@rooms.chat.example";
    server.ok("host add chat.example", "");
    server.ok(&format!("room create {room} alice@example.org"), "");
    server.ok("room create heath@rooms.chat.example alice@example.org", "");
    server.ok("room destroy heath@rooms.chat.example --alternate coven@rooms.chat.example", "");
    let (exit, _, errors) = server.ctl("host remove chat.example", "");
    assert_eq!(exit, 1);
    assert!(errors.contains("there are rooms at rooms.chat.example"), "{errors}");
    server.ok("host remove chat.example --accounts", "");
    server.ok("host add chat.example", "");
    assert_eq!(server.ok("room list", ""), "none\n");
    assert_eq!(server.ok("room list --destroyed", ""), "none\n");
    assert_eq!(server.ctl(&format!("room show {room}"), "").0, 1);
}

#[test]
fn defaults_of_rooms_that_make_no_sense_are_shown_and_not_put_into_force() {
    let server = Server::start();
    server.write_config("[rooms]\ndefaults = [\"colour = red\"]\n");
    let (exit, _, errors) = server.ctl("reload", "");
    assert_eq!(exit, 1);
    assert!(errors.contains("no room has a field `colour`"), "{errors}");
    server.write_config("[rooms]\ndefaults = [\"membersonly = true\"]\n");
    server.ok("reload", "");
    server.ok("room create coven@rooms.example.org alice@example.org", "");
    let shown: serde_json::Value =
        serde_json::from_str(&server.ok("room show coven@rooms.example.org --json", "")).unwrap();
    assert_eq!(shown["membersonly"], true);
}

#[test]
fn in_development_mode_an_added_domain_has_a_certificate_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let run = || {
        let mut process = Command::new(env!("CARGO_BIN_EXE_metronome"))
            .args(["--dev", "--data", data.to_str().unwrap()])
            .env("METRONOME_LISTEN__C2S", "127.0.0.1:0")
            .env("METRONOME_LISTEN__C2S_TLS", "127.0.0.1:0")
            .env("METRONOME_LISTEN__HTTP", "127.0.0.1:0")
            .env("METRONOME_LISTEN__HTTPS", "127.0.0.1:0")
            .env("METRONOME_LISTEN__METRICS", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        (process, output)
    };
    let ctl = |arguments: &[&str]| {
        let ctl = Command::new(env!("CARGO_BIN_EXE_metronomectl"))
            .arg("--socket")
            .arg(data.join("control.sock"))
            .args(arguments)
            .output();
        let output = ctl.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for round in 0..2 {
        let (mut process, mut output) = run();
        let mut line = String::new();
        while !line.starts_with("ready in ") {
            line.clear();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the server ended before it was ready");
        }
        if round == 0 {
            ctl(&["host", "add", "m\u{fc}ller.example"]);
            ctl(&["reload"]);
        }
        let list = ctl(&["host", "list"]);
        let words: Vec<&str> = list.split_whitespace().collect();
        assert!(words.windows(3).any(|row| row == ["m\u{fc}ller.example", "command", "enabled"]), "{list}");
        assert!(data.join("domains/xn--mller-kva.example.pem").exists());
        ctl(&["stop"]);
        drop(output);
        drop(process.kill());
        process.wait().unwrap();
    }
}

#[test]
fn a_second_server_on_the_same_socket_is_refused() {
    let server = Server::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // That the ports are taken as well is not what there is to know.
    for port in [0, taken.local_addr().unwrap().port()] {
        let second = Command::new(env!("CARGO_BIN_EXE_metronome"))
            .arg("--config")
            .arg(server.folder.path().join("metronome.toml"))
            .env("METRONOME_LISTEN__C2S", format!("[\"127.0.0.1:{port}\"]"))
            .output()
            .unwrap();
        assert_eq!(second.status.code(), Some(1));
        let errors = String::from_utf8(second.stderr).unwrap();
        assert!(errors.contains("another server is running: it answers on"), "{errors}");
    }
    server.ok("status", "");
}

#[test]
fn version_and_help_need_no_server() {
    for program in [env!("CARGO_BIN_EXE_metronome"), env!("CARGO_BIN_EXE_metronomectl")] {
        for argument in ["--version", "--help"] {
            let output = Command::new(program).arg(argument).output().unwrap();
            assert!(output.status.success() && !output.stdout.is_empty(), "{program} {argument}");
        }
    }
}

#[test]
fn a_reload_compares_with_what_is_in_force() {
    let server = Server::start();
    server.write_config("log.format = \"json\"\n");
    // However often it is read: what runs is still the format of the start.
    for _ in 0..2 {
        assert_eq!(server.ok("reload", ""), "reloaded; these need a restart: log.format\n");
    }
    server.write_config("");
    assert_eq!(server.ok("reload", ""), "reloaded; nothing has changed\n");
}

#[test]
fn a_reload_tells_of_files_with_another_content_and_each_key_once() {
    let server = Server::start();
    let groups = server.folder.path().join("groups");
    std::fs::write(&groups, "[Team]\nalice@example.org\n").unwrap();
    let section = "[host.\"example.org\".registration]\nopen = true\n";
    server.write_config(&format!("groups.file = {groups:?}\n{section}"));
    assert_eq!(server.ok("reload", ""), "reloaded: groups.file, example.org: registration.open\n");
    std::fs::write(&groups, "[Team]\nbob@example.org\n").unwrap();
    assert_eq!(server.ok("reload", ""), "reloaded; read again: the groups of example.org\n");
    assert_eq!(server.ok("reload", ""), "reloaded; nothing has changed\n");
}

#[test]
fn what_a_reload_and_a_start_refuse_is_told_once_and_with_its_place() {
    let server = Server::start();
    server.write_config("log.levels.file = \"loud\"\n");
    let (exit, _, errors) = server.ctl("reload", "");
    assert_eq!(exit, 1);
    assert!(errors.contains("13│ log.levels.file = \"loud\""), "{errors}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metronome.toml");
    std::fs::write(&file, config(&folder, "log = { target = [\"file\"], file = \"/nonexistent/m.log\" }\n")).unwrap();
    let start = Command::new(env!("CARGO_BIN_EXE_metronome")).arg("--config").arg(&file).output().unwrap();
    let errors = String::from_utf8(start.stderr).unwrap();
    assert_eq!(errors.matches("No such file or directory").count(), 1, "{errors}");
    assert!(errors.contains("13│ ") && errors.contains("its folder must be there"), "{errors}");
}
