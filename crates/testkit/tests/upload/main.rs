//! HTTP File Upload (XEP-0363) from the slot to the file's end, as clients and browsers see it, and what hostile ones come to; and the
//! services beside XMPP that clients are told of (XEP-0215).
#![allow(clippy::unwrap_used)]

mod commands;
mod files;
mod gone;
mod hostile;
mod services;
mod slots;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use metronome_testkit::{Answer, Backend, Browser, Client, Seen, Server, Setup, WAIT, ask};

/// The service of these scenarios.
const SERVICE: &str = "upload.localhost";

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

fn setup(options: &str) -> Setup {
    Setup::default().store(Backend::Memory).web().options(options)
}

fn server() -> Server {
    setup("").start()
}

/// What a client got for a file.
struct Slot {
    /// The whole address.
    url: String,
    /// What is asked of the web server.
    path: String,
    /// The header field that goes with it.
    proof: String,
}

impl Slot {
    #[track_caller]
    fn read(answer: &Seen) -> Slot {
        let url = answer.attribute_of("put", "url").unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(answer.attribute_of("get", "url").as_deref(), Some(&*url));
        assert_eq!(answer.attribute_of("header", "name").as_deref(), Some("Authorization"));
        let path = url.strip_prefix("https://localhost:").and_then(|rest| rest.split_once('/')).unwrap();
        let path = format!("/{}", path.1);
        Slot { path, proof: answer.text_of("header").unwrap(), url }
    }

    /// The id of the file.
    fn id(&self) -> &str {
        self.path.split('/').nth(2).unwrap()
    }
}

/// Asks for a slot with these attributes and what is in the request.
#[track_caller]
fn request(client: &mut Client, attributes: &str, inside: &str) -> Seen {
    ask(client, "get", SERVICE, &format!("<request xmlns='urn:xmpp:http:upload:0' {attributes}>{inside}</request>"))
}

/// A slot for a file.
#[track_caller]
fn slot(client: &mut Client, name: &str, size: usize, media_type: &str) -> Slot {
    Slot::read(&request(client, &format!("filename='{name}' size='{size}' content-type='{media_type}'"), ""))
}

fn browser(server: &Server) -> Browser {
    server.dial_as_browser().browse()
}

/// The head of an upload.
fn head(slot: &Slot, media_type: &str, length: usize) -> String {
    let Slot { path, proof, .. } = slot;
    format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {proof}\r\nContent-Type: {media_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

/// Uploads something.
#[track_caller]
fn put(server: &Server, slot: &Slot, media_type: &str, body: &[u8]) -> Answer {
    let mut browser = browser(server);
    browser.send(head(slot, media_type, body.len()).as_bytes());
    browser.send(body);
    browser.answer("PUT")
}

/// Asks for a slot and uses it.
#[track_caller]
fn upload(server: &Server, client: &mut Client, name: &str, media_type: &str, body: &[u8]) -> Slot {
    let slot = slot(client, name, body.len(), media_type);
    let answer = put(server, &slot, media_type, body);
    assert_eq!(answer.status, 201, "{answer:?}");
    slot
}

#[track_caller]
fn get(server: &Server, path: &str) -> Answer {
    browser(server).ask("GET", path, "")
}

/// The folder where a server keeps its files.
fn folder(server: &Server) -> PathBuf {
    server.folder().join("data/uploads")
}

/// The names of all that is in a part of it, folders aside.
fn names(server: &Server, part: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder(server).join(part)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => names.push(entry.file_name().into_string().unwrap()),
            }
        }
    }
    names
}

/// Looks again until it is so.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
