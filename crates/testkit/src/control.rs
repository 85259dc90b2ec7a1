//! The administrator's end of the control socket: one request and one reply, each a line of JSON.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::WAIT;

/// Where commands are given to a server.
#[derive(Debug, Clone)]
pub struct Control {
    /// The socket.
    pub socket: PathBuf,
}

impl Control {
    /// Runs a command such as `user add`; answers the reply as the server wrote it, with the key `exit`.
    pub fn ask(&self, command: &str, arguments: Value) -> Value {
        let mut stream = UnixStream::connect(&self.socket).expect("the control socket answers");
        stream.set_read_timeout(Some(WAIT)).expect("a socket has a timeout");
        let request = json!({ "command": command, "arguments": arguments });
        stream.write_all(format!("{request}\n").as_bytes()).expect("a request can be written");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("a request is answered");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{command}: {line:?} is no reply"))
    }

    /// Runs a command that must succeed; answers the value of its reply.
    #[track_caller]
    pub fn run(&self, command: &str, arguments: Value) -> Value {
        let mut reply = self.ask(command, arguments);
        assert_eq!(reply["exit"], 0, "{command}: {reply}");
        reply["value"].take()
    }

    /// Adds an account; its password is its name and `-secret`.
    pub fn add_user(&self, jid: &str) {
        self.run("user add", json!({ "jid": jid, "password": password_of(jid) }));
    }

    /// Sets the password of an account to the one it had, which ends its sessions all the same.
    pub fn renew_password(&self, jid: &str) {
        self.run("user passwd", json!({ "jid": jid, "password": password_of(jid) }));
    }
}

/// The password of the accounts that this crate makes: `alice-secret` for `alice@localhost`.
pub(crate) fn password_of(jid: &str) -> String {
    let name = jid.split_once('@').map_or(jid, |(name, _)| name);
    format!("{name}-secret")
}
