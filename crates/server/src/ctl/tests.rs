//! The control utility from its command line to its exit code, with a scripted server on a real socket.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

use metronome_host::command::{Answer, Command, Does, Field, FieldKind, Finding, Role, Run, Tables};
use metronome_host::options::{Kind, Setting};
use metronome_net::control::Request;
use tempfile::TempDir;

use super::*;

const RUN: Run = |_, _| Box::pin(async { Ok(Answer::text("")) });
const JID: Field = Field::required("jid", FieldKind::Jid, "the account").positional();
const PASSWORD: Field = Field::required("password", FieldKind::Password, "its password");

const fn command(name: &'static str, fields: &'static [Field]) -> Command {
    Command { name, about: "A test", role: Role::Admin, does: Does::Changes, fields, run: RUN }
}

static COMMANDS: Tables = &[
    &[
        command("user add", &[JID, PASSWORD, Field::optional("admin", FieldKind::Flag, "make it an admin")]),
        command("user passwd", &[JID, PASSWORD]),
        command("user delete", &[JID]),
        command("user list", &[Field::optional("limit", FieldKind::Count, "how many")]),
        command(
            "user role",
            &[JID, Field::required("role", FieldKind::Choice(&["user", "admin"]), "the role").positional()],
        ),
    ],
    &[command("status", &[])],
];

const SETTINGS: &[Setting] =
    &[Setting::new("tls.minimum", Kind::Choice(&["1.2", "1.3"]), "\"1.2\"", "The oldest version.")];
static PARTS: Parts = Parts { commands: COMMANDS, settings: &[config::SETTINGS, SETTINGS], check: no_problems };

fn no_problems(_: &Configuration) -> Found {
    Found::default()
}

/// Passwords that were typed, and the line of standard input.
#[derive(Default)]
struct Script {
    typed: VecDeque<&'static str>,
    line: &'static str,
    prompts: Vec<String>,
}

impl Passwords for Script {
    fn has_terminal(&self) -> bool {
        !self.typed.is_empty()
    }

    fn ask(&mut self, prompt: &str) -> io::Result<String> {
        self.prompts.push(prompt.to_owned());
        Ok(self.typed.pop_front().unwrap_or_default().to_owned())
    }

    fn first_line(&mut self) -> io::Result<String> {
        Ok(self.line.to_owned())
    }
}

/// What a run printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    exit: u8,
    out: String,
    errors: String,
}

fn ran(arguments: &[&str], script: &mut Script) -> Ran {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let arguments: Vec<OsString> =
        std::iter::once("metronomectl").chain(arguments.iter().copied()).map(Into::into).collect();
    let mut outside = Outside { out: &mut out, errors: &mut errors, passwords: script };
    let exit = run(&PARTS, arguments, &mut outside);
    Ran { exit, out: String::from_utf8(out).unwrap(), errors: String::from_utf8(errors).unwrap() }
}

/// A server that answers each request with its own text, or as scripted, on as many connections as are made in a run.
struct Fake {
    folder: TempDir,
    task: JoinHandle<Vec<Request>>,
}

impl Fake {
    fn answering(answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::on_connections(1, answer)
    }

    /// The requests of all connections, in the order of the connections.
    fn on_connections(count: usize, answer: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        let task = std::thread::spawn(move || {
            let streams: Vec<_> = (0..count).map(|_| listener.accept().unwrap().0).collect();
            std::thread::scope(|scope| {
                let answer = &answer;
                let tasks: Vec<_> =
                    streams.iter().map(|stream| scope.spawn(move || converse(stream, answer))).collect();
                tasks.into_iter().flat_map(|task| task.join().unwrap()).collect()
            })
        });
        Self { folder, task }
    }

    fn start() -> Self {
        Self::answering(|request| Some(Reply::from(Ok(Answer::text(format!("{} done", request.command))))))
    }

    fn socket(&self) -> String {
        self.folder.path().join("s").display().to_string()
    }

    fn run(self, arguments: &[&str], script: &mut Script) -> (Ran, Vec<String>) {
        let socket = self.socket();
        let ran = ran(&[&["--socket", &socket], arguments].concat(), script);
        // If nothing was sent the server still waits for a connection.
        drop(UnixStream::connect(&socket));
        let requests = self.task.join().unwrap();
        (ran, requests.iter().map(|request| request.to_line().trim_end().to_owned()).collect())
    }
}

/// Answers the requests of one connection until it ends, or until there is no answer.
fn converse(mut stream: &UnixStream, answer: &(impl Fn(&Request) -> Option<Reply> + ?Sized)) -> Vec<Request> {
    let mut requests = Vec::new();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let request = Request::from_line(line.unwrap().as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let reply = answer(&request);
        requests.push(request);
        match reply {
            Some(reply) => stream.write_all(reply.to_line().as_bytes()).unwrap(),
            None => break,
        }
    }
    // A shared reference to the stream lives on in the caller; the other side must see the end now.
    drop(stream.shutdown(std::net::Shutdown::Both));
    requests
}

fn sent(arguments: &[&str], script: &mut Script) -> String {
    let (ran, requests) = Fake::start().run(arguments, script);
    assert_eq!(ran.exit, 0, "{ran:?}");
    requests.join("\n")
}

#[test]
fn the_command_line_is_well_formed() {
    cli::root(COMMANDS).debug_assert();
}

#[test]
fn the_servers_own_commands_are_well_formed() {
    let commands = crate::tables::commands();
    cli::root(commands).debug_assert();
    let all: Vec<_> = commands.iter().copied().flatten().collect();
    for (index, command) in all.iter().enumerate() {
        assert!(all[..index].iter().all(|other| other.name != command.name), "{} twice", command.name);
        for field in command.fields {
            let never_positional = matches!(field.kind, FieldKind::Flag | FieldKind::Password);
            assert!(!(field.positional && never_positional), "{}: {}", command.name, field.name);
        }
    }
    for name in ["user add", "user passwd", "user delete"] {
        assert!(all.iter().any(|command| command.name == name), "{name} has aliases");
    }
}

#[test]
fn version_and_help_are_answers() {
    let none = &mut Script::default();
    let version = ran(&["--version"], none);
    assert_eq!((version.exit, version.out.as_str()), (0, concat!("metronomectl ", env!("CARGO_PKG_VERSION"), "\n")));
    let help = ran(&["--help"], none);
    assert_eq!(help.exit, 0);
    assert!(help.out.contains("  user    add, passwd, delete, list, role\n"), "{}", help.out);
    assert!(!help.out.contains("adduser"), "aliases are for hands that know them: {}", help.out);
    let help = ran(&["user", "add", "--help"], none);
    assert!(help.out.contains("--admin") && !help.out.contains("--password "), "{}", help.out);
}

#[test]
fn wrong_use_exits_with_2_and_says_what_is_right() {
    let none = &mut Script::default();
    for arguments in [
        &["usr"][..],
        &["user"],
        &["user", "add"],
        &["user", "role", "a@b.example", "king"],
        &["user", "list", "--limit", "x"],
        &["user", "add", "a@b.example", "secret"],
        &["user", "add", "a@b.example", "--password", "secret"],
        &["status", "--batch"],
        &["--jobs", "3", "status"],
        &["--json"],
    ] {
        let ran = ran(arguments, none);
        assert_eq!(ran.exit, 2, "{arguments:?}: {ran:?}");
        assert!(!ran.errors.is_empty() && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_verb_becomes_a_request_and_its_answer_is_printed() {
    let (ran, requests) = Fake::start().run(&["user", "list", "--limit", "3"], &mut Script::default());
    assert_eq!(ran, Ran { exit: 0, out: "user list done\n".to_owned(), errors: String::new() });
    assert_eq!(requests, [r#"{"arguments":{"limit":3},"command":"user list"}"#]);
}

#[test]
fn a_password_is_asked_for_twice_on_the_terminal() {
    let mut script = Script { typed: ["secret", "secret"].into(), ..Script::default() };
    let request = r#"{"arguments":{"admin":true,"jid":"a@b.example","password":"secret"},"command":"user add"}"#;
    assert_eq!(sent(&["user", "add", "a@b.example", "--admin"], &mut script), request);
    assert_eq!(script.prompts, ["Password for a@b.example: ", "Again: "]);
}

#[test]
fn passwords_that_differ_or_are_empty_are_wrong_use() {
    for (typed, message) in
        [(["a", "b"], "error: the passwords differ\n"), (["", ""], "error: the password is empty\n")]
    {
        let mut script = Script { typed: typed.into(), ..Script::default() };
        let ran = ran(&["user", "add", "a@b.example"], &mut script);
        assert_eq!((ran.exit, ran.errors.as_str()), (2, message));
    }
}

#[test]
fn a_password_comes_from_standard_input_without_a_terminal_or_on_request() {
    let request = r#"{"arguments":{"jid":"a@b.example","password":"secret"},"command":"user passwd"}"#;
    let mut piped = Script { line: "secret", ..Script::default() };
    assert_eq!(sent(&["user", "passwd", "a@b.example"], &mut piped), request);
    let mut asked = Script { line: "secret", typed: ["other", "other"].into(), ..Script::default() };
    assert_eq!(sent(&["user", "passwd", "a@b.example", "--password-stdin"], &mut asked), request);
    assert_eq!(asked.prompts, [""; 0]);
}

#[test]
fn no_password_at_all_is_wrong_use_with_a_hint() {
    let ran = ran(&["user", "passwd", "a@b.example"], &mut Script::default());
    let errors = "error: standard input has no password\n  = run this on a terminal to be asked for it, or give it there: --password-stdin < file\n";
    assert_eq!((ran.exit, ran.errors.as_str()), (2, errors));
}

#[test]
fn a_wrong_address_is_named_before_the_password_is_asked_for() {
    let mut script = Script { typed: ["secret", "secret"].into(), ..Script::default() };
    let ran = ran(&["user", "add", "alice"], &mut script);
    let errors = "error: `jid` must be an address like alice@example.org, and `alice` is not\n";
    assert_eq!((ran.exit, ran.errors.as_str()), (2, errors));
    assert_eq!(script.prompts, [""; 0]);
}

#[test]
fn names_of_other_servers_work() {
    let with_password = || Script { line: "secret", ..Script::default() };
    let add = r#"{"arguments":{"jid":"a@b.example","password":"secret"},"command":"user add"}"#;
    assert_eq!(sent(&["adduser", "a@b.example"], &mut with_password()), add);
    assert_eq!(sent(&["register", "a", "b.example"], &mut with_password()), add);
    assert_eq!(sent(&["passwd", "a@b.example"], &mut with_password()), add.replace("add", "passwd"));
    let delete = r#"{"arguments":{"jid":"a@b.example"},"command":"user delete"}"#;
    assert_eq!(sent(&["deluser", "a@b.example"], &mut Script::default()), delete);
}

#[test]
fn a_failure_has_its_exit_code_its_message_and_its_hint() {
    let fail =
        || Fake::answering(|_| Some(Reply::from(Err(Failed::problem("no such account").with_hint("list them")))));
    let (plain, _) = fail().run(&["status"], &mut Script::default());
    assert_eq!(
        plain,
        Ran { exit: 1, out: String::new(), errors: "error: no such account\n  = list them\n".to_owned() }
    );
    let (json, _) = fail().run(&["status", "--json"], &mut Script::default());
    assert_eq!(json.out, "{\"exit\":1,\"hint\":\"list them\",\"message\":\"no such account\"}\n");
}

#[test]
fn json_prints_the_value_and_quiet_nothing() {
    let answer = || Fake::answering(|_| Some(Reply::from(Ok(Answer::Table { columns: &["jid"], rows: vec![] }))));
    assert_eq!(answer().run(&["status", "--json"], &mut Script::default()).0.out, "[]\n");
    assert_eq!(answer().run(&["status"], &mut Script::default()).0.out, "none\n");
    assert_eq!(answer().run(&["-q", "status"], &mut Script::default()).0.out, "");
}

#[test]
fn a_check_that_finds_problems_is_an_answer_with_exit_1() {
    let finding = || Finding::problem("dns", "a.example: no address", "a.example. 3600 IN A 192.0.2.1");
    let answer = || Fake::answering(move |_| Some(Reply::from(Ok(Answer::Findings(vec![finding()])))));
    let (plain, _) = answer().run(&["status"], &mut Script::default());
    assert_eq!((plain.exit, &*plain.errors), (1, ""));
    assert!(plain.out.ends_with("1 problem, 0 checks passed\n"), "{}", plain.out);
    let (json, _) = answer().run(&["status", "--json"], &mut Script::default());
    assert!(json.out.starts_with("[{") && json.exit == 1, "{json:?}");
}

#[test]
fn a_server_that_is_not_there_is_exit_3_with_a_hint() {
    let ran = ran(&["--socket", "/nonexistent/s", "status"], &mut Script::default());
    let errors = "error: the server does not answer on /nonexistent/s: there is no such socket\n  \
                  = is it running? --socket or METRONOME_SOCKET names another\n";
    assert_eq!((ran.exit, ran.errors.as_str()), (3, errors));
}

#[test]
fn a_socket_that_nobody_listens_on_is_exit_3() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    drop(UnixListener::bind(&path).unwrap());
    let ran = ran(&["--socket", path.to_str().unwrap(), "status"], &mut Script::default());
    assert_eq!(ran.exit, 3);
    assert!(ran.errors.contains("nobody listens\n  = is it running?"), "{}", ran.errors);
}

#[test]
fn a_server_that_closes_before_it_answers_is_exit_3() {
    let (ran, _) = Fake::answering(|_| None).run(&["status"], &mut Script::default());
    assert_eq!(ran.exit, 3);
    assert!(ran.errors.contains("closed the connection before it answered"), "{}", ran.errors);
}

fn batch(input: &str, jobs: u64, fake: Fake) -> (Ran, Vec<String>) {
    let socket = Socket(fake.folder.path().join("s"));
    let options = Options { socket, json: false, quiet: false, password: cli::PasswordFrom::Anywhere };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let mut outside = Outside { out: &mut out, errors: &mut errors, passwords: &mut Script::default() };
    let exit = batch::run(COMMANDS, &options, jobs, input.as_bytes(), &mut outside);
    let requests = fake.task.join().unwrap().iter().map(|request| request.to_line().trim_end().to_owned()).collect();
    (Ran { exit, out: String::from_utf8(out).unwrap(), errors: String::from_utf8(errors).unwrap() }, requests)
}

#[test]
fn a_batch_is_a_verb_on_each_line_over_one_connection() {
    let input = "\
# accounts
user add a@b.example password=secret --admin

user role a@b.example user
{\"command\":\"user add\",\"arguments\":{\"jid\":\"c@b.example\",\"password\":\"two words\"}}
status";
    let (ran, requests) = batch(input, 1, Fake::start());
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert_eq!(ran.out, "user add done\nuser role done\nuser add done\nstatus done\n");
    assert_eq!(
        requests,
        [
            r#"{"arguments":{"admin":true,"jid":"a@b.example","password":"secret"},"command":"user add"}"#,
            r#"{"arguments":{"jid":"a@b.example","role":"user"},"command":"user role"}"#,
            r#"{"arguments":{"jid":"c@b.example","password":"two words"},"command":"user add"}"#,
            r#"{"arguments":{},"command":"status"}"#,
        ]
    );
}

#[test]
fn a_wrong_line_of_a_batch_is_named_and_the_rest_is_run() {
    let input =
        "user ad a@b.example\nuser add a@b.example\nstatus now\nuser delete a@b.example jid=c@b.example\n{}\nstatus\n";
    let (ran, requests) = batch(input, 1, Fake::start());
    let errors = "\
error: line 1: there is no verb `user`
error: line 2: `password` is missing: its password
error: line 3: `status` takes fewer arguments
error: line 4: `jid` is given twice
error: line 5: the request names no command
  = write it like {\"command\":\"user add\",\"arguments\":{\"jid\":\"alice@example.org\",\"password\":\"secret\"}}
";
    assert_eq!(ran, Ran { exit: 2, out: "status done\n".to_owned(), errors: errors.to_owned() });
    assert_eq!(requests.len(), 1);
}

#[test]
fn a_batch_of_several_jobs_runs_every_line_once() {
    let input: String = (0..100).map(|n| format!("user delete u{n}@b.example\n")).collect();
    let fake = Fake::on_connections(4, |request| Some(Reply::from(Ok(Answer::text(request.command.clone())))));
    let (ran, mut requests) = batch(&input, 4, fake);
    assert_eq!((ran.exit, ran.out.lines().count(), requests.len()), (0, 100, 100));
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), 100);
}

#[test]
fn a_batch_without_a_server_says_so_once() {
    let socket = Socket("/nonexistent/s".into());
    let options = Options { socket, json: false, quiet: false, password: cli::PasswordFrom::Anywhere };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let mut outside = Outside { out: &mut out, errors: &mut errors, passwords: &mut Script::default() };
    assert_eq!(batch::run(COMMANDS, &options, 8, &b"status\n"[..], &mut outside), 3);
    assert_eq!(String::from_utf8(errors).unwrap().matches("there is no such socket").count(), 1);
}

#[test]
fn a_batch_ends_when_the_server_does_not_answer() {
    let (ran, requests) = batch("status\nstatus\n", 1, Fake::answering(|_| None));
    assert_eq!((ran.exit, requests.len()), (3, 1));
    assert!(ran.errors.starts_with("error: line 1: the server closed"), "{}", ran.errors);
}

fn config(text: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metronome.toml");
    std::fs::write(&path, text).unwrap();
    let mut ran =
        ran(&[&["config"], arguments, &["--config", path.to_str().unwrap()]].concat(), &mut Script::default());
    let folder = Path::new(folder.path()).display().to_string();
    ran.out = ran.out.replace(&folder, "");
    ran.errors = ran.errors.replace(&folder, "");
    ran
}

#[test]
fn config_check_says_what_was_read() {
    let text = "domain = \"example.org\"\n[tls]\nminimum = \"1.3\"\n";
    let good = Ran { exit: 0, out: "/metronome.toml: no problems, 2 keys set\n".to_owned(), errors: String::new() };
    assert_eq!(config(text, &["check"]), good);
}

#[test]
fn config_check_tells_of_sections_for_other_domains() {
    let text = "domain = \"example.org\"\n[host.\"example.net\"]\n";
    let out = "\
/metronome.toml: no problems, 1 key set
note: /metronome.toml:2: `example.net` is not a domain of the configuration; did you mean \"example.org\"?
";
    assert_eq!(config(text, &["check"]), Ran { exit: 0, out: out.to_owned(), errors: String::new() });
}

#[test]
fn config_check_exits_with_1_and_shows_the_line() {
    let text = "domain = \"example.org\"\n[tls]\nminimun = \"1.3\"\n";
    let errors = "\
error[E0012]: unknown key `minimun` in [tls]
  ┌ /metronome.toml:3:1
 3│ minimun = \"1.3\"
  │ ^^^^^^^ did you mean `minimum`?
";
    assert_eq!(config(text, &["check"]), Ran { exit: 1, out: String::new(), errors: errors.to_owned() });
    let json: serde_json::Value = serde_json::from_str(&config(text, &["check", "--json"]).out).unwrap();
    assert_eq!((&json["ok"], &json["problems"][0]["line"]), (&false.into(), &3.into()));
}

#[test]
fn config_show_prints_toml_that_can_be_read_again() {
    let shown = config("domain = \"example.org\"\n", &["show", "--effective"]);
    assert_eq!(shown.out, "domain = \"example.org\"\nextra = []\ncomponents = []\n\n[tls]\nminimum = \"1.2\"\n");
    let shown = config("domain = \"example.org\"\n", &["show", "--origin"]);
    assert_eq!(shown.out, "domain = \"example.org\"  # /metronome.toml:1\n");
}

#[test]
fn config_example_needs_no_file() {
    let ran = ran(&["config", "example"], &mut Script::default());
    assert_eq!(ran.exit, 0);
    assert!(
        ran.out.contains("\ndomain = \"example.org\"\n") && ran.out.contains("\n# minimum = \"1.2\"\n"),
        "{}",
        ran.out
    );
}
