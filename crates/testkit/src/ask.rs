//! The steps that most scenarios are made of: a session that is there, a request and what answers it, and passing over what has come.

use crate::client::Client;
use crate::seen::Seen;
use crate::server::Server;

/// A session that is available, with everything that comes meanwhile passed over.
#[track_caller]
pub fn online(server: &Server, name: &str, resource: &str) -> Client {
    let mut client = Client::login(server, name, resource);
    client.send("<presence/>");
    client.so_far();
    client
}

/// Sends a request of this type (to its own account, if `to` is empty) and answers whatever answers it; presence and pushes before
/// it are passed over.
#[track_caller]
pub fn ask(client: &mut Client, kind: &str, to: &str, payload: &str) -> Seen {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    client.send(&format!("<iq type='{kind}' id='ask'{to}>{payload}</iq>"));
    client.wait_for("<iq id='ask'")
}

/// The defined condition of an error; panics if it is none.
#[track_caller]
pub fn condition(answer: &Seen) -> String {
    assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{answer}");
    answer.conditions().into_iter().next().unwrap_or_else(|| panic!("{answer}"))
}

/// Passes over all that has come for these clients.
#[track_caller]
pub fn pass(clients: &mut [&mut Client]) {
    for client in clients {
        client.so_far();
    }
}

/// Demands that nothing has come for any of these clients.
#[track_caller]
pub fn quiet(clients: &mut [&mut Client]) {
    for client in clients {
        client.expect_nothing_before_ping();
    }
}
