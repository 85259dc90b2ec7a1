//! The control socket with raw lines, over a real socket.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::sync::{Notify, oneshot};

use super::*;

/// A served socket in a folder of its own, with commands `echo`, `wait` and `panic`.
struct Served {
    folder: TempDir,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<SocketFile>,
    waiting: Arc<Notify>,
    release: Arc<Notify>,
    runs: Arc<AtomicUsize>,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = ControlSocket::open(&at(&folder.path().join("run/control.sock"))).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (waiting, release, runs) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (w, r, n) = (waiting.clone(), release.clone(), runs.clone());
        let run = move |request: Request| {
            let (waiting, release) = (w.clone(), r.clone());
            n.fetch_add(1, Ordering::Relaxed);
            async move {
                match request.command.as_str() {
                    "panic" => panic!("a command that panics"),
                    "wait" => {
                        waiting.notify_one();
                        release.notified().await;
                    }
                    _ => {}
                }
                Reply { exit: 0, text: request.command, value: Value::Object(request.arguments), hint: String::new() }
            }
        };
        let task = tokio::spawn(socket.serve_with(run, async { drop(stopped.await) }));
        Self { folder, stop, task, waiting, release, runs }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("run/control.sock")
    }

    async fn connect(&self) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(self.path()).await.unwrap())
    }
}

fn at(path: &Path) -> Values {
    Values::defaults(&[SETTINGS]).with("control.socket", &format!("{:?}", path.display().to_string()))
}

async fn send(stream: &mut BufReader<UnixStream>, line: &str) {
    stream.get_mut().write_all(line.as_bytes()).await.unwrap();
}

/// The next line, without its break; empty at the end.
async fn receive(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

async fn ask(stream: &mut BufReader<UnixStream>, line: &str) -> String {
    send(stream, line).await;
    receive(stream).await
}

#[tokio::test]
async fn each_line_is_answered_by_a_line() {
    let served = Served::start();
    let mut stream = served.connect().await;
    for n in 0..3 {
        let reply = ask(&mut stream, &format!("{{\"command\":\"user add\",\"arguments\":{{\"n\":{n}}}}}\n")).await;
        assert_eq!(reply, format!(r#"{{"exit":0,"text":"user add","value":{{"n":{n}}}}}"#));
    }
    assert_eq!(served.runs.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_line_that_is_no_request_is_wrong_use_and_the_next_is_answered() {
    let served = Served::start();
    let mut stream = served.connect().await;
    for (line, message) in [
        ("nonsense", "the request is not a JSON object"),
        ("{}", "the request names no command"),
        (r#"{"command":7}"#, "the request names no command"),
        (r#"{"command":"x","arguments":[]}"#, "the arguments are not an object"),
        (r#"{"command":"x","more":1}"#, "the request has keys other than command and arguments"),
        ("\u{fffd}", "the request is not a JSON object"),
    ] {
        let reply = ask(&mut stream, &format!("{line}\n")).await;
        assert_eq!(reply, format!(r#"{{"exit":2,"hint":"","message":"{message}"}}"#));
    }
    assert!(ask(&mut stream, "{\"command\":\"x\"}\n").await.contains(r#""exit":0"#));
    assert_eq!(served.runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_line_of_64_kib_is_read_and_a_longer_one_ends_the_connection() {
    let served = Served::start();
    let mut stream = served.connect().await;
    let head = r#"{"command":"echo","arguments":{"x":""#;
    let tail = r#""}}"#;
    let fits = format!("{head}{}{tail}", "a".repeat(LINE_BYTES_MAX - head.len() - tail.len()));
    assert!(ask(&mut stream, &format!("{fits}\n")).await.contains(r#""exit":0"#));
    let reply = ask(&mut stream, &format!("{fits}a")).await;
    assert_eq!(reply, r#"{"exit":2,"hint":"","message":"the request is longer than 64 KiB"}"#);
    assert_eq!(receive(&mut stream).await, "");
}

#[tokio::test]
async fn a_line_without_its_end_is_not_run() {
    let served = Served::start();
    let mut stream = served.connect().await;
    send(&mut stream, r#"{"command":"echo"}"#).await;
    stream.get_mut().shutdown().await.unwrap();
    assert_eq!(receive(&mut stream).await, "");
    assert_eq!(served.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_command_that_panics_is_told_and_harms_no_other() {
    let served = Served::start();
    let (mut one, mut other) = (served.connect().await, served.connect().await);
    assert!(ask(&mut one, "{\"command\":\"panic\"}\n").await.contains("the command has failed"));
    assert!(ask(&mut other, "{\"command\":\"echo\"}\n").await.contains(r#""exit":0"#));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_so() {
    let served = Served::start();
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = served.connect().await;
        assert!(ask(&mut stream, "{\"command\":\"echo\"}\n").await.contains(r#""exit":0"#));
        streams.push(stream);
    }
    let mut next = served.connect().await;
    assert_eq!(receive(&mut next).await, r#"{"exit":1,"hint":"","message":"too many control connections"}"#);
    assert_eq!(receive(&mut next).await, "");
}

#[tokio::test]
async fn a_stop_lets_the_running_command_answer_and_removes_the_socket() {
    let served = Served::start();
    let path = served.path();
    let (mut busy, mut idle) = (served.connect().await, served.connect().await);
    send(&mut busy, "{\"command\":\"wait\"}\n").await;
    served.waiting.notified().await;
    served.stop.send(()).unwrap();
    assert_eq!(receive(&mut idle).await, "", "an idle connection is closed at once");
    served.release.notify_one();
    assert_eq!(receive(&mut busy).await, r#"{"exit":0,"text":"wait","value":{}}"#);
    served.task.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_and_its_folder_belong_to_the_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    // A group that this process may give files to: its own.
    let own = rustix::process::getgid().as_raw();
    let _socket = ControlSocket::open(&at(&path).with("control.group", &format!("\"{own}\""))).unwrap();
    for (path, mode) in [(path.parent().unwrap(), 0o750), (&*path, 0o660)] {
        let found = fs::metadata(path).unwrap();
        assert_eq!((found.gid(), found.mode() & 0o777), (own, mode), "{}", path.display());
    }
}

#[tokio::test]
async fn a_group_that_does_not_exist_is_an_error_and_makes_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    let wrong = ControlSocket::open(&at(&path).with("control.group", "\"no such group\"")).err().unwrap();
    assert_eq!(wrong.to_string(), "control.group: there is no such group");
    assert!(!folder.path().join("run").exists());
}

#[tokio::test]
async fn the_socket_and_its_folder_are_not_open_to_everybody() {
    let served = Served::start();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&served.path()), 0o660);
    assert_eq!(mode(served.path().parent().unwrap()), 0o750);
}

#[tokio::test]
async fn a_socket_that_nobody_answers_on_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the system leaves the file");
    ControlSocket::open(&at(&path)).unwrap();
}

#[tokio::test]
async fn a_socket_that_somebody_answers_on_is_left() {
    let served = Served::start();
    assert!(matches!(ControlSocket::open(&at(&served.path())), Err(ControlError::InUse(_))));
    let mut stream = served.connect().await;
    assert!(ask(&mut stream, "{\"command\":\"echo\"}\n").await.contains(r#""exit":0"#));
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(ControlSocket::open(&at(&path)), Err(ControlError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_server_that_ends_leaves_the_socket_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let first = ControlSocket::open(&at(&path)).unwrap();
    fs::remove_file(&path).unwrap();
    let second = ControlSocket::open(&at(&path)).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn root_and_our_own_user_are_heard_and_nobody_else() {
    assert!(may_ask(0, 1000));
    assert!(may_ask(1000, 1000));
    assert!(!may_ask(1001, 1000));
    assert!(!may_ask(1000, 0));
}

#[tokio::test]
async fn a_refusal_is_one_line_and_the_end() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    connection::refuse(ours, "not you").await;
    let mut text = String::new();
    theirs.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "{\"exit\":1,\"hint\":\"\",\"message\":\"not you\"}\n");
}

#[test]
fn replies_are_read_as_they_are_written() {
    let failed = Reply { exit: 1, text: "no".to_owned(), value: Value::Null, hint: "do".to_owned() };
    let done = Reply { exit: 0, text: "yes".to_owned(), value: serde_json::json!([1]), hint: String::new() };
    for reply in [failed, done] {
        assert_eq!(Reply::from_line(reply.to_line().as_bytes()), Some(reply));
    }
    assert_eq!(Reply::from_line(b"nonsense"), None);
}
