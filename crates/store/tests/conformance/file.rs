//! What can happen to a file: a crash, a full disk, damage, another program, another version, another server.

use metronome_model::{AccountState, KeyHash, Op, Outcome, Record, Role, Unavailable};
use metronome_proto::jid::Jid;
use metronome_store::StoreError;
use metronome_store::archive::Filter;
use metronome_store::backend::sqlite;

use crate::world::{
    World, account, contact, done, id, ids, keys, read, received, seen, sent, set_contact, table_sizes, try_read,
    without_unseen,
};

#[test]
fn what_was_confirmed_survives_a_crash() {
    let mut world = World::sqlite();
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.batch((0..10).map(|_| sent(alice, bob, "hello")).collect());
    world.one(seen(bob, &[(1, 4)]));
    world.faults.stall();
    world.submit(sent(alice, bob, "not confirmed"));
    world.faults.wait_until_stalled();
    let mut after = World::sqlite_in(world.files_as_after_a_crash());
    world.faults.release();
    assert_eq!(after.unseen(bob), [5, 6, 7, 8, 9, 10]);
    assert_eq!(after.commit(sent(alice, bob, "again")), done(&[11, 11]));
}

#[test]
fn a_crash_at_any_moment_leaves_whole_records_and_all_that_were_confirmed() {
    let mut world = World::sqlite();
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let mut confirmed = 0;
    for _ in 0..15 {
        for _ in 0..40 {
            world.submit(without_unseen(sent(alice, bob, "hello")));
        }
        // Ten are confirmed when the files are copied, others just being written.
        (0..10).for_each(|_| assert!(world.decided().1.is_done()));
        confirmed += 10;
        let after = World::sqlite_in(world.files_as_after_a_crash());
        let (at_alice, at_bob) = (after.archive(alice).len(), after.archive(bob).len());
        assert_eq!(at_alice, at_bob);
        assert_eq!(read(after.store.last_id(bob)), at_bob as u64);
        assert!(at_bob >= confirmed, "{at_bob} of {confirmed}");
        (0..30).for_each(|_| assert!(world.decided().1.is_done()));
        confirmed += 30;
    }
}

#[test]
fn a_database_that_may_not_grow_refuses_and_goes_on_when_there_is_room() {
    let options = sqlite::Options { pages_max: Some(120), ..sqlite::Options::default() };
    let mut world = World::sqlite_with(options);
    let bob = world.add("bob", 2);
    let long = "x".repeat(20_000);
    let full = Outcome::Unavailable(Unavailable::DiskFull);
    let mut stored = 0;
    let refused = loop {
        match world.one(crate::world::kept_until_seen(bob, &long)) {
            Outcome::Done { .. } => stored += 1,
            outcome => break outcome,
        }
    };
    assert_eq!(refused, full);
    assert_eq!(world.unseen(bob).len(), stored);
    // A batch with records that fit and records that do not.
    let mixed = vec![Record::of(Op::SetMeta { key: "small", value: [1].into() }), Record::of(received(bob, &long))];
    assert_eq!(world.batch(mixed), [done(&[]), full]);
    world.one(seen(bob, &[(1, 3)]));
    assert_eq!(world.one(received(bob, &long)), done(&[stored as u64 + 1]));
    world.reopen();
    assert_eq!(world.unseen(bob).len(), stored - 2);
}

#[test]
fn a_damaged_file_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    for content in [&b"this is no database, but it is long enough to be one; ".repeat(100)[..], &[0xFF; 8192]] {
        std::fs::write(&file, content).unwrap();
        let error = sqlite::open(&file, sqlite::Options::default()).err().unwrap();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("store.sqlite") && text.contains("restore a backup"), "{text}");
    }
}

#[test]
fn damage_inside_a_small_file_is_found_when_it_is_opened() {
    let mut world = World::sqlite();
    let bob = world.add("bob", 2);
    world.batch((0..15).map(|_| Record::of(received(bob, &"x".repeat(1000)))).collect());
    world.reopen();
    let file = world.file().unwrap();
    world.writer = None;
    world.store = metronome_store::backend::memory::open().store;
    let mut bytes = std::fs::read(&file).unwrap();
    let pages = bytes.len() / 2048;
    assert!(pages > 4);
    bytes[2048..].fill(0x5A);
    std::fs::write(&file, bytes).unwrap();
    let error = sqlite::open(&file, sqlite::Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_database_of_another_program_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let error = sqlite::open(&file, sqlite::Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[test]
fn a_newer_schema_is_refused() {
    let world = World::sqlite();
    let file = world.file().unwrap();
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let copy = world.files_as_after_a_crash();
    let error = sqlite::open(&copy.path().join("store.sqlite"), sqlite::Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");
}

/// A database as the first version of the schema left it: two accounts, keys, one message, a value.
fn version_1() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("store.sqlite")).unwrap();
    db.pragma_update(None, "page_size", 2048).unwrap();
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    db.execute_batch(include_str!("../../src/backend/sqlite/schema/001.sql")).unwrap();
    db.pragma_update(None, "application_id", 0x4d65_7472).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    for (slot, name, role, state) in [(1, "alice", 1, 0), (2, "bob", 0, 1)] {
        let sql = "INSERT INTO accounts VALUES (?1, ?2, 'example.org', ?3, ?4, ?5, 3, 1700000000000 + ?1)";
        db.execute(sql, (slot, id(slot as u32).as_bytes(), name, role, state)).unwrap();
    }
    let sql = "INSERT INTO account_keys VALUES (1, 2, ?1, 4096, ?2, ?2)";
    db.execute(sql, ([7_u8; 16], [7_u8; 32])).unwrap();
    let xml = "<message from='alice@example.org/a' to='bob@example.org' id='m'><body>hello</body></message>";
    db.execute("INSERT INTO stanzas VALUES (1, 2, ?1)", [xml.as_bytes()]).unwrap();
    db.execute("INSERT INTO archive VALUES (1 << 35 | 1, 1700000000000, 0, 1), (2 << 35 | 1, 1700000000000, 3, 1)", ())
        .unwrap();
    db.execute("INSERT INTO meta VALUES ('salt', x'0102')", ()).unwrap();
    db.execute("UPDATE commits SET number = 5", ()).unwrap();
    folder
}

#[test]
fn a_database_of_the_first_version_is_brought_forward_with_its_data() {
    let mut world = World::sqlite_in(version_1());
    for _ in 0..2 {
        let mut alice = account("alice", 1);
        (alice.role, alice.auth_epoch) = (Role::Admin, 3);
        let mut bob = account("bob", 2);
        (bob.state, bob.auth_epoch) = (AccountState::Disabled, 3);
        assert_eq!([world.account("alice"), world.account("bob")], [Some(alice), Some(bob)]);
        assert_eq!(read(world.store.keys(id(1), KeyHash::Sha256)), Some(keys(KeyHash::Sha256, 7)));
        assert_eq!(world.archive(id(1)).len(), 1);
        assert_eq!(world.unseen(id(2)), [1]);
        for (owner, with) in [(1, "bob@example.org"), (2, "alice@example.org")] {
            let filter = Filter { with: Some(Jid::parse(with).unwrap()), ..Filter::default() };
            assert_eq!(read(world.store.places(id(owner), filter, 9)).len(), 1, "the address was noted");
        }
        assert_eq!(read(world.store.meta("salt")).as_deref(), Some(&[1, 2][..]));
        assert_eq!(world.roster(id(1)), Default::default());
        world.reopen();
    }
    assert_eq!(world.commit(sent(id(1), id(2), "after")), done(&[2, 2]));
    assert_eq!(world.one(set_contact(id(1), contact("bob@example.org", 1))), done(&[]));
    world.reopen();
    assert_eq!(world.roster(id(1)).1, ["bob@example.org"]);
    assert_eq!(world.unseen(id(2)), [1, 2]);
}

#[test]
fn a_database_brought_forward_has_the_same_tables_as_a_new_one() {
    let (old, new) = (World::sqlite_in(version_1()), World::sqlite());
    let schema = |world: &World| {
        let raw = rusqlite::Connection::open(world.file().unwrap()).unwrap();
        let mut statement = raw.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)));
        rows.unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(schema(&old), schema(&new));
    assert!(table_sizes(&new.file().unwrap()).contains_key("contacts"));
}

#[test]
fn states_and_hosts_that_are_not_known_let_nobody_in() {
    let mut world = World::sqlite();
    world.add("alice", 1);
    let raw = rusqlite::Connection::open(world.file().unwrap()).unwrap();
    raw.execute("UPDATE accounts SET state = 99", ()).unwrap();
    raw.execute("INSERT INTO hosts VALUES ('a.example', 77, 77)", ()).unwrap();
    assert_eq!(world.account("alice").unwrap().state, AccountState::Disabled);
    assert_eq!(read(world.store.hosts())[0].state, metronome_model::HostState::Disabled);
}

#[test]
fn a_damaged_contact_harms_no_other() {
    let mut world = World::sqlite();
    let alice = world.add("alice", 1);
    for (n, jid) in ["a@example.com", "b@example.com", "c@example.com"].into_iter().enumerate() {
        let mut contact = contact(jid, n as u64 + 1);
        contact.request = Some(crate::world::message("let me in"));
        world.one(set_contact(alice, contact));
    }
    let raw = rusqlite::Connection::open(world.file().unwrap()).unwrap();
    raw.execute("UPDATE contacts SET jid = '@' WHERE jid = 'a@example.com'", ()).unwrap();
    raw.execute("UPDATE contacts SET request = x'3c', subscription = 999 WHERE jid = 'b@example.com'", ()).unwrap();
    let (_, contacts) = read(world.store.roster(alice));
    let found: Vec<_> = contacts.iter().map(|contact| (contact.jid.as_str(), contact.request.is_some())).collect();
    assert_eq!(found, [("b@example.com", false), ("c@example.com", true)]);
}

#[test]
fn a_second_server_is_kept_off_the_file() {
    let world = World::sqlite();
    let error = sqlite::open(&world.file().unwrap(), sqlite::Options::default()).err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn a_file_that_cannot_be_made_is_named() {
    let error = sqlite::open("/nowhere/store.sqlite".as_ref(), sqlite::Options::default()).err().unwrap();
    assert!(error.to_string().contains("/nowhere/store.sqlite"), "{error}");
}

#[test]
fn only_the_owner_of_the_file_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::sqlite();
    world.add("bob", 2);
    let file = world.file().unwrap();
    for path in [file.clone(), file.with_extension("sqlite-wal"), file.with_extension("sqlite-shm")] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn a_message_is_stored_once_for_both_sides() {
    let mut world = World::sqlite();
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    world.commit(sent(alice, bob, "hello"));
    let sizes = crate::world::table_sizes(&world.file().unwrap());
    assert_eq!((sizes["archive"], sizes["stanzas"]), (2, 1));
}

#[test]
fn a_dropped_read_harms_nobody_and_a_closed_store_says_so() {
    let mut world = World::sqlite();
    let bob = world.add("bob", 2);
    world.one(received(bob, "hello"));
    drop(world.store.unseen(bob, 0, 9));
    let reading = world.store.unseen(bob, 0, 9);
    world.writer = None;
    world.store = metronome_store::backend::memory::open().store;
    match try_read(reading) {
        Ok(rows) => assert_eq!(ids(&rows), [1]),
        Err(error) => assert!(matches!(error, StoreError::Refused { .. }), "{error}"),
    }
}
