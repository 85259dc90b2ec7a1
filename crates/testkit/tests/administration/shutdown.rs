//! The end of the server: asked for over the socket it is answered, and nobody who is not logged in is waited for.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use metronome_testkit::{Backend, Client, Setup, WAIT};

#[test]
fn connections_that_are_not_logged_in_are_closed_at_once() {
    let mut server = Setup::default().store(Backend::Memory).start();
    // A client that does not let go keeps the server waiting for a while.
    let holder = Client::login(&server, "alice", "phone");
    let mut silent = server.dial().try_direct_without_handshake().unwrap();
    let mut quiet = Client::connect(&server);
    let mut opened = Client::connect(&server);
    opened.open();
    let mut encrypted = Client::direct_tls(&server);
    encrypted.open();
    server.signal(rustix::process::Signal::TERM);
    for client in [&mut silent, &mut quiet, &mut opened, &mut encrypted] {
        client.expect_closed();
        assert!(server.exit_status().is_none(), "it was closed by the end of the process");
    }
    drop(holder);
    assert!(server.wait_for_exit(WAIT).success());
}

#[test]
fn an_idle_server_answers_the_command_that_stops_it() {
    // Many times, because what must not happen is a race.
    for _ in 0..10 {
        let mut server = Setup::default().store(Backend::Memory).no_accounts().start();
        let mut stream = UnixStream::connect(&server.control().socket).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.write_all(b"{\"command\":\"stop\"}\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        assert!(line.contains("the server is stopping"), "{line:?}");
        assert!(server.wait_for_exit(WAIT).success());
        assert!(!server.control().socket.exists());
    }
}
