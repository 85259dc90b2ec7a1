//! Where the log goes: files that are rotated, daemons that the test itself plays, levels that change while the server runs.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use metronome_testkit::{Backend, Client, Server, Setup, WAIT};
use rustix::process::Signal;
use serde_json::json;

/// A daemon's socket.
fn daemon(path: &Path) -> UnixDatagram {
    let _ = std::fs::remove_file(path);
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    socket
}

/// The next datagram that contains `text`.
#[track_caller]
fn expect(socket: &UnixDatagram, text: &str) -> String {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{text:?} does not come: {error}"));
        let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if line.contains(text) {
            return line;
        }
    }
}

/// Nothing tells a test of a change of a file, so it looks again and again.
#[track_caller]
fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !happened() {
        assert!(Instant::now() < deadline, "it does not happen: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a file contains `text`.
#[track_caller]
fn wait_for(file: &Path, text: &str) {
    let has = || std::fs::read_to_string(file).unwrap_or_default().contains(text);
    wait_until(&format!("{} says {text:?}", file.display()), has);
}

fn fail_to_log_in(server: &Server) {
    let mut client = Client::direct_tls(server);
    client.open();
    client.sasl(&metronome_testkit::Sasl::new("SCRAM-SHA-256", "alice", "wrong-and-secret"));
}

#[test]
fn a_file_that_logrotate_has_moved_is_left_at_sighup_and_by_command() {
    let options = "[log]\ntarget = [\"terminal\", \"file\"]\nfile = \"{folder}/server.log\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let file = server.folder().join("server.log");
    wait_for(&file, "is ready");
    let again: [(&str, &dyn Fn()); 2] = [
        ("first.log", &|| server.signal(Signal::HUP)),
        ("second.log", &|| drop(server.control().run("log reopen", json!({})))),
    ];
    for (moved, reopen) in again {
        let moved = server.folder().join(moved);
        std::fs::rename(&file, &moved).unwrap();
        let failures = |file: &Path| std::fs::read_to_string(file).unwrap().matches("a login failed").count();
        let earlier = failures(&moved);
        fail_to_log_in(&server);
        // The client may hear of it before the log does.
        wait_until("the failure is in the moved file", || failures(&moved) > earlier);
        let before = failures(&moved);
        reopen();
        wait_until("the new file is there", || file.exists());
        fail_to_log_in(&server);
        wait_for(&file, "a login failed");
        assert_eq!(failures(&moved), before);
    }
}

#[test]
fn a_log_file_that_cannot_be_opened_again_is_told_and_the_old_one_goes_on() {
    let options = "[log]\ntarget = [\"terminal\", \"file\"]\nfile = \"{folder}/logs/server.log\"";
    let setup = Setup::default().store(Backend::Memory).options("log.level = \"info\"");
    let mut server = setup.start();
    server.stop();
    std::fs::create_dir(server.folder().join("logs")).unwrap();
    server.write_options(options);
    server.start_again();
    std::fs::rename(server.folder().join("logs"), server.folder().join("old")).unwrap();
    let reply = server.control().ask("log reopen", json!({}));
    assert_eq!(reply["exit"], 1, "{reply}");
    assert!(reply["message"].as_str().unwrap().contains("cannot open the log file"), "{reply}");
    fail_to_log_in(&server);
    wait_for(&server.folder().join("old/server.log"), "a login failed");
}

#[test]
fn syslog_and_the_journal_get_what_their_levels_say() {
    let folder = tempfile::tempdir().unwrap();
    let (syslog, journal) = (daemon(&folder.path().join("syslog")), daemon(&folder.path().join("journal")));
    let options = format!(
        "[log]\ntarget = [\"terminal\", \"syslog\", \"journal\"]\nsyslog = {:?}\nsyslog_facility = \"local5\"\njournal = {:?}\n\
         levels = {{ syslog = \"info..info\", journal = \"warn\" }}",
        folder.path().join("syslog"),
        folder.path().join("journal"),
    );
    let server = Setup::default().store(Backend::Memory).options(&options).start();
    let line = expect(&syslog, "is ready");
    // local5 is 21, info is 6.
    assert!(line.starts_with("<174>1 20") && line.contains(" metronome "), "{line}");
    fail_to_log_in(&server);
    let line = expect(&syslog, "a login failed");
    assert!(line.contains("host=localhost") && line.contains("alice@localhost"), "{line}");
    assert!(!line.contains("secret"), "{line}");
    // A certificate that cannot be used is an error: for the journal and not for syslog.
    let (certificate, _) = server.certificates().files("localhost");
    let kept = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, "nonsense").unwrap();
    let entry = expect(&journal, "the new certificate is not used");
    for part in ["PRIORITY\n\u{1}\0\0\0\0\0\0\u{0}3\n", "SYSLOG_IDENTIFIER\n", "METRONOME_HOST\n", "localhost"] {
        assert!(entry.contains(part), "{part:?} is not in {entry:?}");
    }
    std::fs::write(&certificate, kept).unwrap();
    // A daemon that comes back is found.
    drop(syslog);
    let syslog = daemon(&folder.path().join("syslog"));
    server.control().run("log reopen", json!({}));
    fail_to_log_in(&server);
    expect(&syslog, "a login failed");
    // The level of the journal is its own; a reload may change it.
    server.write_options(&options.replace("journal = \"warn\"", "journal = \"info\""));
    server.control().run("reload", json!({}));
    fail_to_log_in(&server);
    expect(&journal, "a login failed");
}

#[test]
fn a_daemon_that_does_not_read_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let _syslog = daemon(&folder.path().join("syslog"));
    let options = format!(
        "[log]\ntarget = [\"terminal\", \"syslog\"]\nsyslog = {:?}\nlevels = {{ syslog = \"trace\" }}",
        folder.path().join("syslog"),
    );
    let server = Setup::default().store(Backend::Memory).options(&options).start();
    let (mut alice, mut bob) = (Client::login(&server, "alice", "phone"), Client::login(&server, "bob", "phone"));
    bob.available();
    for number in 0..500 {
        alice.send(&format!("<message to='bob@localhost' type='chat' id='m{number}'><body>hello</body></message>"));
    }
    for number in 0..500 {
        bob.expect(&format!("<message id='m{number}'"));
    }
}

#[test]
fn the_level_changes_while_the_server_runs_until_the_next_reload() {
    let server = Setup::default().store(Backend::Memory).options("log.level = \"warn\"").start();
    let told = server.control().run("log level", json!({ "level": "debug" }));
    assert_eq!(told, "log.level is debug until the next reload or restart");
    drop(Client::login(&server, "alice", "phone"));
    server.expect_log("a session begins");
    server.expect_log("a session is over");
    server.control().run("reload", json!({}));
    server.control().run("status", json!({}));
    // At the configured level none of the next lines are written; what comes last shows that they would have come.
    let before = server.log().len();
    drop(Client::login(&server, "bob", "phone"));
    server.control().run("log level", json!({ "level": "info" }));
    server.control().run("status", json!({}));
    assert!(server.log().wait_for(before, "command command=\"status\"", WAIT).is_some());
    let text = server.log().tail(server.log().len() - before);
    assert!(!text.contains("a session begins"), "{text}");
    for wrong in ["loud", "", "INFO", "debug..info"] {
        assert_eq!(server.control().ask("log level", json!({ "level": wrong }))["exit"], 2, "{wrong}");
    }
}

#[test]
fn what_cannot_be_logged_to_is_told_at_the_start() {
    let mut server = Setup::default().store(Backend::Memory).start();
    let program = std::fs::read_link(format!("/proc/{}/exe", server.pid())).unwrap();
    server.stop();
    for (options, said) in [
        ("log.target = [\"syslog\"]\nlog.syslog = \"{folder}/nobody\"", "cannot reach syslog at "),
        ("log.target = [\"syslog\"]\nlog.syslog = \"somewhere\"", "is neither the path of a socket"),
        ("log.target = [\"journal\"]\nlog.journal = \"{folder}/nobody\"", "cannot reach the journal at "),
        ("log.target = [\"file\"]", "log.file does not name one"),
        ("log.levels.terminal = \"loud\"", "log.levels.terminal: `loud` is neither a level nor a range"),
    ] {
        server.write_options(options);
        let config = server.folder().join("metronome.toml");
        let output = std::process::Command::new(&program).arg("--config").arg(config).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(said), "{options}: {errors}");
    }
}
