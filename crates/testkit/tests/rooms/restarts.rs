//! Rooms over the ends of the server: what was heard is in the archive, who is resumed has never left, and rooms are as they were.

use std::collections::HashSet;
use std::time::Duration;

use metronome_testkit::{Client, Seen, Server, Setup};

use crate::{
    ROOM, admin, answer, bodies, configuration, does, enter, join_stanza, owner, person, say, short, shorts, shut_out,
};

/// Ends the server in both ways.
fn each_end(run: impl Fn(&mut Server, fn(&mut Server))) {
    for end in [Server::restart, Server::crash] {
        let mut server = Setup::default().account("dave@localhost").start();
        run(&mut server, end);
    }
}

/// The next stanza that is none of stream management.
#[track_caller]
fn next(client: &mut Client) -> Seen {
    loop {
        let seen = client.next_piece();
        if !seen.contains("xmlns='urn:xmpp:sm:3'") {
            return seen;
        }
    }
}

/// Skips to the first that fits; what was skipped is answered too.
#[track_caller]
fn until(client: &mut Client, pattern: &str) -> (Vec<Seen>, Seen) {
    crate::until(client, pattern)
}

/// Somebody with stream management who is in the room, and the name of the stream.
#[track_caller]
fn managed(server: &Server, name: &str, nick: &str) -> (Client, String) {
    let mut client = Client::login(server, name, "phone");
    let previd = client.enable();
    client.send("<presence/>");
    client.send(&join_stanza(ROOM, nick, ""));
    until(&mut client, "<message type='groupchat'><subject");
    (client, previd)
}

/// How many stanzas have come since the stream is managed, or was resumed.
fn had(client: &Client) -> u32 {
    let begins = |line: &String| ["S: <enabled", "S: <resumed"].iter().any(|start| line.starts_with(start));
    let since = client.transcript().iter().skip_while(|line| !begins(line));
    let is_stanza =
        |line: &&String| ["S: <message", "S: <presence", "S: <iq"].iter().any(|start| line.starts_with(start));
    since.filter(is_stanza).count() as u32
}

/// What has changed of sessions and of who is in rooms is noted every now and then.
fn noted() {
    std::thread::sleep(Duration::from_millis(4500));
}

#[test]
fn a_room_is_what_it_was() {
    each_end(|server, end| {
        let mut alice = person(server, "alice");
        enter(&mut alice, "first");
        does(
            &mut alice,
            "set",
            &configuration(&[
                ("persistentroom", "1"),
                ("roomname", "A Dark Cave"),
                ("moderatedroom", "1"),
                ("roomadmins", "carol@localhost"),
            ]),
        );
        does(
            &mut alice,
            "set",
            &admin("<item affiliation='outcast' jid='bob@localhost'><reason>Treason</reason></item>"),
        );
        does(&mut alice, "set", &admin("<item affiliation='member' jid='dave@localhost' nick='kept'/>"));
        alice.send(&format!("<message to='{ROOM}' type='groupchat'><subject>Spells</subject></message>"));
        until(&mut alice, "<message><subject>Spells");
        let form = answer(&mut alice, "get", &owner(""));
        let id = crate::say_heard(&mut alice, "remember").attribute_of("stanza-id", "id");
        end(server);
        assert_eq!(shut_out(&mut person(server, "bob"), "second", ""), "auth forbidden");
        let mut carol = person(server, "carol");
        let came = enter(&mut carol, "third");
        assert_eq!(shorts(&came), ["third admin/moderator carol@localhost/phone 110"]);
        let past = came.iter().find(|seen| seen.contains("<body>remember")).unwrap();
        assert_eq!(past.attribute_of("stanza-id", "id"), id, "{past}");
        assert!(came.last().unwrap().contains("<subject>Spells</subject>"), "{came:?}");
        assert_eq!(shut_out(&mut Client::login(server, "carol", "two"), "kept", ""), "cancel conflict");
        let mut alice = person(server, "alice");
        assert_eq!(answer(&mut alice, "get", &owner("")).to_string(), form.to_string());
        assert!(answer(&mut alice, "get", &admin("<item affiliation='outcast'/>")).contains("Treason"));
    });
}

/// Ids of occupants are those of the room, however often it is loaded.
#[test]
fn ids_of_occupants_stay() {
    each_end(|server, end| {
        let mut alice = person(server, "alice");
        enter(&mut alice, "first");
        does(&mut alice, "set", &configuration(&[("persistentroom", "1")]));
        let id = crate::say_heard(&mut alice, "before").attribute_of("occupant-id", "id");
        assert!(id.is_some());
        end(server);
        let mut alice = person(server, "alice");
        enter(&mut alice, "other");
        let heard = crate::say_heard(&mut alice, "after");
        assert_eq!(heard.attribute_of("occupant-id", "id"), id);
    });
}

/// Occupants with stream management come back into the room without having left it: nobody sees anything of it.
#[test]
fn who_is_resumed_never_left() {
    each_end(|server, end| {
        let (mut alice, alices) = managed(server, "alice", "first");
        alice.send(&format!("<iq type='set' id='open' to='{ROOM}'>{}</iq>", configuration(&[("persistentroom", "1")])));
        until(&mut alice, "<iq id='open'");
        let (mut bob, bobs) = managed(server, "bob", "second");
        until(&mut alice, &format!("<presence from='{ROOM}/second'"));
        say(&mut bob, "before");
        for client in [&mut alice, &mut bob] {
            until(client, "<message><body>before");
        }
        noted();
        let (alices_had, bobs_had) = (had(&alice), had(&bob));
        end(server);
        let (mut alice, _) = Client::resume(server, "alice", &alices, alices_had);
        let (mut bob, _) = Client::resume(server, "bob", &bobs, bobs_had);
        say(&mut bob, "after");
        for client in [&mut alice, &mut bob] {
            let (before, _) = until(client, &format!("<message from='{ROOM}/second'><body>after"));
            let presence = shorts(&before);
            assert!(!presence.iter().any(|seen| seen.starts_with('-')), "nobody has left: {presence:?}");
        }
        say(&mut alice, "me too");
        until(&mut bob, &format!("<message from='{ROOM}/first'><body>me too"));
        let came = enter(&mut person(server, "carol"), "third");
        assert!(shorts(&came).iter().any(|seen| seen.starts_with("second none/participant")), "{came:?}");
        alice.send(&format!("<iq type='get' id='owner' to='{ROOM}'>{}</iq>", owner("")));
        assert!(until(&mut alice, "<iq id='owner'").1.fits("<iq type='result'"));
    });
}

/// Those who cannot be resumed are gone after the restart, and nobody sees ghosts.
#[test]
fn who_does_not_come_back_is_gone() {
    each_end(|server, end| {
        let (mut alice, alices) = managed(server, "alice", "first");
        alice.send(&format!("<iq type='set' id='open' to='{ROOM}'>{}</iq>", configuration(&[("persistentroom", "1")])));
        until(&mut alice, "<iq id='open'");
        let mut bob = person(server, "bob");
        enter(&mut bob, "second");
        until(&mut alice, &format!("<presence from='{ROOM}/second'"));
        noted();
        let alices_had = had(&alice);
        end(server);
        let (mut alice, _) = Client::resume(server, "alice", &alices, alices_had);
        let came = enter(&mut person(server, "carol"), "third");
        assert!(!shorts(&came).iter().any(|seen| seen.starts_with("second")), "{came:?}");
        until(&mut alice, &format!("<presence type='unavailable' from='{ROOM}/second'"));
        alice.send(&format!("<presence to='{ROOM}/first'/>"));
        let own = until(&mut alice, &format!("<presence from='{ROOM}/first'")).1;
        assert!(short(&own).starts_with("first owner/moderator"), "{own}");
    });
}

/// A connection that breaks and is resumed leaves nothing out and nobody.
#[test]
fn a_connection_that_is_resumed_has_missed_nothing() {
    let server = Setup::default().start();
    let mut alice = person(&server, "alice");
    enter(&mut alice, "first");
    does(&mut alice, "set", &configuration(&[]));
    let (bob, previd) = managed(&server, "bob", "second");
    until(&mut alice, &format!("<presence from='{ROOM}/second'"));
    bob.drop_connection();
    for n in 0..20 {
        crate::say_heard(&mut alice, &format!("missed {n}"));
    }
    let (mut bob, _) = Client::resume(&server, "bob", &previd, 0);
    let mut heard = Vec::new();
    while heard.len() < 20 {
        let seen = next(&mut bob);
        heard.extend(seen.text_of("body"));
    }
    let expected: Vec<_> = (0..20).map(|n| format!("missed {n}")).collect();
    assert_eq!(heard, expected);
    say(&mut bob, "back");
    let (before, _) = until(&mut alice, "<message><body>back");
    assert!(shorts(&before).is_empty(), "{before:?}");
}

/// So often is the server killed while people talk: `make test-full` says more by `METRONOME_ROOM_KILLS`.
fn kills() -> usize {
    let given = std::env::var("METRONOME_ROOM_KILLS").ok();
    given.map_or(6, |text| text.parse().expect("METRONOME_ROOM_KILLS is a number"))
}

/// Somebody who resumes its stream after every crash.
struct Steady {
    name: &'static str,
    client: Client,
    previd: String,
    /// Stanzas that it had over earlier connections.
    had_before: u32,
}

impl Steady {
    /// Everything that came until the connection ended.
    fn ends(&mut self) -> u32 {
        while self.client.next_within(Duration::from_millis(200)).is_some() {}
        self.had_before + had(&self.client)
    }

    #[track_caller]
    fn resumes(&mut self, server: &Server, had: u32) {
        (self.client, self.had_before) = (Client::resume(server, self.name, &self.previd, had).0, had);
    }

    /// Those whom it has seen leave, by nickname.
    fn saw_leave(&self) -> Vec<String> {
        let left = |line: &&String| line.starts_with("S: <presence") && line.contains(" type='unavailable'");
        let lines = self.client.transcript().iter().filter(left);
        lines.filter_map(|line| Some(line.split_once(&format!("{ROOM}/"))?.1.split_once('\'')?.0.to_owned())).collect()
    }
}

/// The promise of durability: whatever anybody heard before the server was killed is in the archive after it, and whoever resumes its
/// stream has never left the room.
#[test]
fn what_anybody_heard_before_a_crash_is_in_the_archive() {
    let mut server = Setup::default().start();
    let mut steady = [("alice", "first"), ("bob", "second")].map(|(name, nick)| {
        let (mut client, previd) = managed(&server, name, nick);
        if nick == "first" {
            let open = configuration(&[("persistentroom", "1")]);
            client.send(&format!("<iq type='set' id='open' to='{ROOM}'>{open}</iq>"));
            until(&mut client, "<iq id='open'");
        }
        Steady { name, client, previd, had_before: 0 }
    });
    noted();
    let mut heard: HashSet<(String, String)> = HashSet::new();
    for round in 0..kills() {
        let mut carol = person(&server, "carol");
        carol.send(&join_stanza(ROOM, "third", "<history maxchars='0'/>"));
        until(&mut carol, "<message type='groupchat'><subject");
        for number in 0..40 {
            steady.iter_mut().for_each(|one| say(&mut one.client, &format!("{round}-{}-{number}", one.name)));
            say(&mut carol, &format!("{round}-carol-{number}"));
        }
        // It is killed at some moment while all that is on its way.
        for _ in 0..fastrand::usize(1..100) {
            while !next(&mut carol).contains("<body>") {}
        }
        server.kill();
        while carol.next_within(Duration::from_millis(200)).is_some() {}
        let had = steady.each_mut().map(Steady::ends);
        let clients = steady.iter().map(|one| &one.client).chain([&carol]);
        clients.flat_map(Client::transcript).for_each(|line| note_line(line, &mut heard));
        server.start_again();
        steady.iter_mut().zip(had).for_each(|(one, had)| one.resumes(&server, had));
        // Both are in the room, and nobody has seen either of them leave.
        let mark = format!("mark {round}");
        say(&mut steady[1].client, &mark);
        for one in &mut steady {
            until(&mut one.client, &format!("<message from='{ROOM}/second'><body>{mark}"));
            let left = one.saw_leave();
            assert!(left.iter().all(|nick| nick == "third"), "{} in round {round}: {left:?}", one.name);
        }
    }
    let stored = archived(&server);
    let missing: Vec<_> = heard.difference(&stored).collect();
    assert!(
        !heard.is_empty() && missing.is_empty(),
        "of {} that were heard {} are not stored: {missing:?}",
        heard.len(),
        missing.len()
    );
}

/// A groupchat message with its id in the archive.
fn note_line(line: &str, heard: &mut HashSet<(String, String)>) {
    let Some(message) = line.strip_prefix("S: ").filter(|line| line.starts_with("<message")) else { return };
    let value = |from: &str, to: &str| Some(message.split_once(from)?.1.split_once(to)?.0.to_owned());
    let id = message
        .split_once("<stanza-id")
        .and_then(|(_, tag)| Some(tag.split_once(" id='")?.1.split_once('\'')?.0.to_owned()));
    if let (Some(id), Some(body)) = (id, value("<body>", "</body>")) {
        heard.insert((id, body));
    }
}

/// All that the archive has, by pages.
fn archived(server: &Server) -> HashSet<(String, String)> {
    let mut alice = person(server, "alice");
    let (mut all, mut after) = (HashSet::new(), String::new());
    loop {
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'><max>100</max>{after}</set>");
        alice.send(&format!("<iq type='set' id='mam' to='{ROOM}'><query xmlns='urn:xmpp:mam:2'>{set}</query></iq>"));
        let (rows, fin) = until(&mut alice, "<iq id='mam'");
        assert!(fin.fits("<iq type='result'"), "{fin}");
        for row in &rows {
            if let (Some(id), Some(body)) = (row.attribute_of("result", "id"), row.text_of("body")) {
                all.insert((id, body));
            }
        }
        if fin.attribute_of("fin", "complete").as_deref() == Some("true") {
            drop(bodies(&rows));
            return all;
        }
        after = format!("<after>{}</after>", fin.text_of("last").unwrap());
    }
}
