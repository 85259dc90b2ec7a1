//! Accounts, keys, and values of the server.

use metronome_model::{AccountState, KeyHash, Op, Outcome, Record, Role};

use crate::world::{
    HOST, World, account, add, card, contact, done, id, keys, last_seen, read, received, set_contact, set_document,
};

over_each_backend!(
    an_account_is_found_by_name_and_id,
    a_name_is_unique_within_its_host,
    names_are_compared_byte_by_byte,
    an_id_is_used_once,
    new_keys_replace_all_old_ones_and_raise_the_epoch,
    further_keys_leave_those_that_are_there_and_the_epoch,
    only_disabling_raises_the_epoch,
    who_is_disabled_already_does_not_become_so_again,
    every_state_is_kept,
    accounts_are_listed_in_pages_by_name,
    a_change_of_a_missing_account_is_gone,
    credentials_are_read_in_one_step,
    a_record_may_add_an_account_and_write_to_it,
    a_value_of_the_server_is_replaced,
);

fn an_account_is_found_by_name_and_id(world: &mut World) {
    world.add("alice", 1);
    world.reopen();
    assert_eq!(world.account("alice"), Some(account("alice", 1)));
    assert_eq!(read(world.store.account_by_id(id(1))), Some(account("alice", 1)));
    assert_eq!(read(world.store.account_by_id(id(2))), None);
    assert_eq!(read(world.store.account("example.com", "alice")), None);
}

fn a_name_is_unique_within_its_host(world: &mut World) {
    world.add("alice", 1);
    assert_eq!(world.one(add("alice", 2)), Outcome::Conflict);
    let mut elsewhere = account("alice", 2);
    elsewhere.host = "example.com".into();
    assert_eq!(world.one(Op::AddAccount { account: Box::new(elsewhere), keys: vec![] }), done(&[]));
}

fn names_are_compared_byte_by_byte(world: &mut World) {
    world.add("alice", 1);
    world.add("Alice", 2);
    assert_eq!(world.account("ALICE"), None);
    assert_eq!(world.account("Alice").unwrap().id, id(2));
}

fn an_id_is_used_once(world: &mut World) {
    world.add("alice", 1);
    assert_eq!(world.one(add("bob", 1)), Outcome::Conflict);
    let mut both = Record::of(add("carol", 3));
    both.push(add("dave", 3));
    assert_eq!(world.commit(both), Outcome::Conflict);
    assert_eq!(world.account("carol"), None);
}

fn new_keys_replace_all_old_ones_and_raise_the_epoch(world: &mut World) {
    world.add("alice", 1);
    let new = vec![keys(KeyHash::Sha512, 7), keys(KeyHash::Sha1, 8)];
    assert_eq!(world.one(Op::SetKeys { id: id(1), keys: new }), done(&[]));
    world.reopen();
    assert_eq!(read(world.store.keys(id(1), KeyHash::Sha256)), None);
    assert_eq!(read(world.store.keys(id(1), KeyHash::Sha512)), Some(keys(KeyHash::Sha512, 7)));
    assert_eq!(world.account("alice").unwrap().auth_epoch, 1);
}

fn further_keys_leave_those_that_are_there_and_the_epoch(world: &mut World) {
    world.add("alice", 1);
    let before = read(world.store.keys(id(1), KeyHash::Sha256));
    assert!(before.is_some());
    let further = |hash, byte| Op::AddKeys { id: id(1), keys: Box::new(keys(hash, byte)) };
    assert_eq!(world.one(further(KeyHash::Sha384, 7)), done(&[]));
    assert_eq!(world.one(further(KeyHash::Sha256, 8)), done(&[]));
    world.reopen();
    assert_eq!(read(world.store.keys(id(1), KeyHash::Sha384)), Some(keys(KeyHash::Sha384, 7)));
    assert_eq!(read(world.store.keys(id(1), KeyHash::Sha256)), before);
    assert_eq!(world.account("alice").unwrap().auth_epoch, 0);
    let credentials = read(world.store.credentials(HOST, "alice")).unwrap();
    assert!(credentials.keys.is_sorted_by_key(|keys| keys.hash), "weakest first");
}

fn only_disabling_raises_the_epoch(world: &mut World) {
    world.add("alice", 1);
    world.one(Op::SetRole { id: id(1), role: Role::Admin });
    assert_eq!(world.account("alice").unwrap().auth_epoch, 0);
    world.one(Op::SetState { id: id(1), state: AccountState::Disabled });
    assert_eq!(world.account("alice").unwrap().auth_epoch, 1);
    world.one(Op::SetState { id: id(1), state: AccountState::Active });
    let alice = world.account("alice").unwrap();
    assert_eq!((alice.auth_epoch, alice.role, alice.state), (1, Role::Admin, AccountState::Active));
}

fn who_is_disabled_already_does_not_become_so_again(world: &mut World) {
    use AccountState::{Active, Disabled, Locked, LockedAndDisabled};
    world.add("alice", 1);
    for (state, epoch) in [
        (Locked, 0),
        (LockedAndDisabled, 1),
        (Disabled, 1),
        (LockedAndDisabled, 1),
        (LockedAndDisabled, 1),
        (Locked, 1),
        (Disabled, 2),
        (Disabled, 2),
        (Active, 2),
        (LockedAndDisabled, 3),
    ] {
        assert_eq!(world.one(Op::SetState { id: id(1), state }), done(&[]));
        let alice = world.account("alice").unwrap();
        assert_eq!((alice.state, alice.auth_epoch), (state, epoch));
    }
}

fn every_state_is_kept(world: &mut World) {
    use AccountState::{Active, Disabled, Locked, LockedAndDisabled};
    world.add("alice", 1);
    for state in [Locked, LockedAndDisabled, Disabled, Active] {
        assert_eq!(world.one(Op::SetState { id: id(1), state }), done(&[]));
        world.reopen();
        assert_eq!(world.account("alice").unwrap().state, state);
    }
    assert_eq!(world.account("alice").unwrap().auth_epoch, 1, "a locked account stays logged in");
    let mut locked = account("bob", 2);
    locked.state = AccountState::Locked;
    world.one(Op::AddAccount { account: Box::new(locked.clone()), keys: vec![] });
    assert_eq!(world.account("bob"), Some(locked));
}

fn accounts_are_listed_in_pages_by_name(world: &mut World) {
    for (name, n) in [("dave", 1), ("alice", 2), ("carol", 3), ("bob", 4)] {
        world.add(name, n);
    }
    let mut elsewhere = account("aaron", 9);
    elsewhere.host = "example.com".into();
    world.one(Op::AddAccount { account: Box::new(elsewhere), keys: vec![] });
    let names = |after| {
        let page = read(world.store.list(HOST, after, 3));
        page.into_iter().map(|account| account.name.into_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["alice", "bob", "carol"]);
    assert_eq!(names(Some("carol")), ["dave"]);
    assert_eq!(names(Some("b")), ["bob", "carol", "dave"]);
    assert_eq!(names(Some("dave")), [""; 0]);
}

fn a_change_of_a_missing_account_is_gone(world: &mut World) {
    let id = id(9);
    let changes = [
        Op::SetKeys { id, keys: vec![] },
        Op::AddKeys { id, keys: Box::new(keys(KeyHash::Sha1, 1)) },
        Op::SetRole { id, role: Role::Admin },
        Op::SetState { id, state: AccountState::Disabled },
        Op::ForgetAccount { id },
        received(id, "hello"),
        crate::world::seen(id, &[(1, 5)]),
        set_contact(id, contact("carol@example.com", 1)),
        set_document(id, card("<vCard xmlns='vcard-temp'/>")),
        last_seen(id, 1, "away"),
    ];
    for change in changes {
        assert_eq!(world.one(change), Outcome::Gone);
    }
}

fn credentials_are_read_in_one_step(world: &mut World) {
    let both = vec![keys(KeyHash::Sha512, 5), keys(KeyHash::Sha1, 6)];
    world.one(Op::AddAccount { account: Box::new(account("alice", 1)), keys: both });
    let credentials = read(world.store.credentials(HOST, "alice")).unwrap();
    assert_eq!(credentials.account, account("alice", 1));
    assert_eq!(credentials.keys, [keys(KeyHash::Sha1, 6), keys(KeyHash::Sha512, 5)]);
    assert_eq!(read(world.store.credentials(HOST, "bob")), None);
}

fn a_record_may_add_an_account_and_write_to_it(world: &mut World) {
    let mut record = Record::of(add("alice", 1));
    record.push(received(id(1), "welcome"));
    assert_eq!(world.commit(record), done(&[1]));
    assert_eq!(world.one(received(id(1), "again")), done(&[2]));
    assert_eq!(world.unseen(id(1)), [1, 2]);
}

fn a_value_of_the_server_is_replaced(world: &mut World) {
    assert_eq!(read(world.store.meta("salt")), None);
    world.one(Op::SetMeta { key: "salt", value: b"one".as_slice().into() });
    world.one(Op::SetMeta { key: "salt", value: b"two".as_slice().into() });
    world.reopen();
    assert_eq!(read(world.store.meta("salt")).as_deref(), Some(b"two".as_slice()));
}
