//! Rooms: what they are, who is around them, how they are found, and how they go.

use metronome_model::{
    Account, AccountId, AccountState, Op, Outcome, Record, RoomAffiliation, RoomChange, RoomMember, RoomRedirect,
    RoomRole, RoomRow, RoomSecret, RoomSubject, SavedOccupant, Visibility,
};
use metronome_proto::jid::Jid;
use metronome_store::rooms::{ListedRoom, RoomsListed, StoredRoom};

use crate::world::{World, done, id, read, received, table_sizes};

over_each_backend!(
    a_room_is_read_as_it_was_created,
    a_room_is_an_account_and_an_account_is_one_room,
    what_is_changed_must_be_a_room,
    all_changes_of_a_record_happen_or_none,
    configuration_subject_and_use_replace_what_was_there,
    members_are_set_replaced_and_removed,
    occupants_are_saved_in_their_order,
    rooms_are_listed_in_the_order_of_their_names,
    lists_of_rooms_are_bounded_in_bytes,
    somebody_finds_their_rooms,
    a_room_leaves_nothing_to_one_with_its_name,
    many_members_go_in_pieces,
    a_room_has_an_archive,
    destroyed_rooms_are_remembered_by_their_address,
);

const ROOMS: &str = "rooms.example.org";

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn row() -> RoomRow {
    RoomRow {
        config: b"config".as_slice().into(),
        visibility: Visibility::Listed,
        subject: None,
        secret: RoomSecret([7; 32]),
        creator: jid("alice@example.org"),
        created_ms: 5,
        used_ms: 6,
        version: 0,
    }
}

fn change(owner: AccountId, change: RoomChange) -> Op {
    Op::Room { owner, change: Box::new(change) }
}

fn account_at(host: &str, name: &str, id: AccountId) -> Op {
    Op::AddAccount { account: Box::new(Account::of_room(id, host, name, 5)), keys: vec![] }
}

/// Makes a room with its account.
fn create_with(host: &str, name: &str, id: AccountId, row: RoomRow) -> Record {
    let mut record = Record::of(account_at(host, name, id));
    record.push(change(id, RoomChange::Create(row)));
    record
}

fn create(world: &mut World, name: &str, n: u32) -> AccountId {
    assert_eq!(world.commit(create_with(ROOMS, name, id(n), row())), done(&[]));
    id(n)
}

fn room(world: &World, name: &str) -> Option<StoredRoom> {
    read(world.store.room(ROOMS, name))
}

fn list(world: &World, listed: RoomsListed, after: Option<&str>, limit: usize) -> Vec<String> {
    let rooms = read(world.store.rooms(ROOMS, listed, after, limit));
    rooms.into_iter().map(|room| room.name.into_string()).collect()
}

fn member(who: &str, affiliation: RoomAffiliation, version: u64) -> RoomMember {
    let (account, nick, reason, more) = (None, None, None, Box::default());
    RoomMember { jid: jid(who), account, affiliation, nick, reason, more, version }
}

fn set_member(owner: AccountId, member: RoomMember) -> Op {
    change(owner, RoomChange::SetMember(member))
}

fn occupant(nick: &str, who: &str) -> SavedOccupant {
    let (account, role, presence) = (Some(id(40)), RoomRole::Participant, b"<show>away</show>".as_slice().into());
    SavedOccupant { nick: nick.into(), jid: jid(who), account, role, since_ms: 9, presence }
}

fn a_room_is_read_as_it_was_created(world: &mut World) {
    let subject =
        RoomSubject { content: b"<subject>Fire</subject>".as_slice().into(), nick: "w\u{1F9D9}".into(), at_ms: 8 };
    let row = RoomRow { subject: Some(subject), visibility: Visibility::Hidden, version: 3, ..row() };
    assert_eq!(room(world, "coven"), None);
    assert_eq!(world.commit(create_with(ROOMS, "coven", id(1), row.clone())), done(&[]));
    let stored = StoredRoom { id: id(1), row, members: vec![], occupants: vec![] };
    assert_eq!(room(world, "coven"), Some(stored.clone()));
    world.reopen();
    assert_eq!(room(world, "coven"), Some(stored));
    assert_eq!(read(world.store.room("other.example.org", "coven")), None);
}

fn a_room_is_an_account_and_an_account_is_one_room(world: &mut World) {
    assert_eq!(world.one(change(id(1), RoomChange::Create(row()))), Outcome::Gone);
    let coven = create(world, "coven", 1);
    assert_eq!(world.one(change(coven, RoomChange::Create(row()))), Outcome::Conflict);
    assert_eq!(world.commit(create_with(ROOMS, "coven", id(2), row())), Outcome::Conflict);
    let mut twice = create_with(ROOMS, "heath", id(3), row());
    twice.push(change(id(3), RoomChange::Create(row())));
    assert_eq!(world.commit(twice), Outcome::Conflict);
    assert_eq!(room(world, "heath"), None);
    let credentials = read(world.store.credentials(ROOMS, "coven")).unwrap();
    assert_eq!((credentials.keys.len(), credentials.account.state), (0, AccountState::Disabled));
    // What has the name of a room and is none is not found as one.
    world.one(account_at(ROOMS, "nobody", id(4)));
    assert_eq!(room(world, "nobody"), None);
    assert_eq!(
        (list(world, RoomsListed::All, None, 9), read(world.store.rooms_count(ROOMS))),
        (vec!["coven".into()], 1)
    );
}

fn what_is_changed_must_be_a_room(world: &mut World) {
    let alice = world.add("alice", 1);
    for wanted in [
        RoomChange::Configure { config: Box::default(), visibility: Visibility::Hidden },
        RoomChange::SetSubject(None),
        RoomChange::SetMember(member("a@example.org", RoomAffiliation::Owner, 1)),
        RoomChange::RemoveMember { jid: jid("a@example.org"), version: 1 },
        RoomChange::Use { at_ms: 1 },
        RoomChange::SaveOccupants(vec![]),
    ] {
        assert_eq!(world.one(change(alice, wanted.clone())), Outcome::Gone, "{wanted:?}");
        assert_eq!(world.one(change(id(9), wanted.clone())), Outcome::Gone, "{wanted:?}");
        let mut late = Record::of(Op::ForgetAccount { id: alice });
        late.push(change(alice, wanted));
        assert_eq!(world.commit(late), Outcome::Gone);
    }
    let coven = create(world, "coven", 2);
    let nobody = jid("nobody@example.org");
    assert_eq!(world.one(change(coven, RoomChange::RemoveMember { jid: nobody, version: 4 })), done(&[]));
    assert_eq!(room(world, "coven").unwrap().row.version, 4);
}

fn all_changes_of_a_record_happen_or_none(world: &mut World) {
    let mut record = create_with(ROOMS, "coven", id(1), row());
    record.push(set_member(id(1), member("alice@example.org", RoomAffiliation::Owner, 1)));
    let mut refused = record.clone();
    refused.push(change(id(2), RoomChange::Use { at_ms: 1 }));
    assert_eq!(world.commit(refused), Outcome::Gone);
    assert_eq!(room(world, "coven"), None);
    assert_eq!(world.commit(record), done(&[]));
    assert_eq!(room(world, "coven").unwrap().members.len(), 1);
}

fn configuration_subject_and_use_replace_what_was_there(world: &mut World) {
    let coven = create(world, "coven", 1);
    let mut expected = row();
    let subject = RoomSubject { content: b"<subject/>".as_slice().into(), nick: "a".into(), at_ms: 9 };
    let mut record = Record::of(change(coven, RoomChange::SetSubject(Some(subject.clone()))));
    let (config, visibility): (Box<[u8]>, _) = (b"new".as_slice().into(), Visibility::Hidden);
    record.push(change(coven, RoomChange::Configure { config: config.clone(), visibility }));
    record.push(change(coven, RoomChange::Use { at_ms: 1_700_000_000_000 }));
    assert_eq!(world.commit(record), done(&[]));
    (expected.config, expected.visibility, expected.subject) = (config, visibility, Some(subject));
    expected.used_ms = 1_700_000_000_000;
    assert_eq!(room(world, "coven").unwrap().row, expected);
    world.one(change(coven, RoomChange::SetSubject(None)));
    assert_eq!(room(world, "coven").unwrap().row, RoomRow { subject: None, ..expected });
}

fn members_are_set_replaced_and_removed(world: &mut World) {
    let coven = create(world, "coven", 1);
    for (n, affiliation) in RoomAffiliation::ALL.into_iter().enumerate() {
        world.one(set_member(coven, member(&format!("user{n}@example.com"), affiliation, n as u64 + 1)));
    }
    let all = room(world, "coven").unwrap();
    let affiliations: Vec<_> = all.members.iter().map(|member| member.affiliation).collect();
    assert_eq!((affiliations, all.row.version), (RoomAffiliation::ALL.to_vec(), 5));
    let full = RoomMember {
        account: Some(id(7)),
        nick: Some("thirdwitch".into()),
        reason: Some("A worthy witch indeed!".into()),
        more: b"hats".as_slice().into(),
        ..member("user1@example.com", RoomAffiliation::Admin, 6)
    };
    world.one(set_member(coven, full.clone()));
    world.one(set_member(coven, member("example.com", RoomAffiliation::Outcast, 7)));
    world.one(change(coven, RoomChange::RemoveMember { jid: jid("user4@example.com"), version: 8 }));
    world.reopen();
    let all = room(world, "coven").unwrap();
    let jids: Vec<_> = all.members.iter().map(|member| member.jid.as_str()).collect();
    assert_eq!(
        jids,
        ["example.com", "user0@example.com", "user1@example.com", "user2@example.com", "user3@example.com"]
    );
    assert_eq!((&all.members[2], all.row.version), (&full, 8));
}

fn occupants_are_saved_in_their_order(world: &mut World) {
    let (coven, heath) = (create(world, "coven", 1), create(world, "heath", 2));
    let some = vec![
        occupant("z", "z@example.org/1"),
        occupant("a", "a@example.org/1"),
        occupant("z", "z@example.org/2"),
        SavedOccupant { account: None, role: RoomRole::Visitor, ..occupant("remote", "r@example.com/x") },
    ];
    world.one(change(heath, RoomChange::SaveOccupants(some.clone())));
    world.reopen();
    assert_eq!(room(world, "heath").unwrap().occupants, some);
    let occupied = |world: &World, after, limit| {
        let names = read(world.store.rooms_with_occupants(ROOMS, after, limit));
        names.into_iter().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(occupied(world, None, 9), ["heath"]);
    world.one(change(coven, RoomChange::SaveOccupants(some[..1].to_vec())));
    assert_eq!(occupied(world, None, 1), ["coven"]);
    assert_eq!(occupied(world, Some("coven"), 9), ["heath"]);
    world.one(change(heath, RoomChange::SaveOccupants(some[1..2].to_vec())));
    assert_eq!(room(world, "heath").unwrap().occupants, some[1..2]);
    world.one(change(heath, RoomChange::SaveOccupants(vec![])));
    assert_eq!(room(world, "heath").unwrap().occupants, []);
    assert_eq!(occupied(world, None, 9), ["coven"]);
}

fn rooms_are_listed_in_the_order_of_their_names(world: &mut World) {
    for (n, name) in ["c", "a", "ä", "b"].into_iter().enumerate() {
        let visibility = if name == "b" { Visibility::Hidden } else { Visibility::Listed };
        let record = create_with(ROOMS, name, id(n as u32 + 1), RoomRow { visibility, ..row() });
        assert_eq!(world.commit(record), done(&[]));
    }
    world.commit(create_with("other.example.org", "a2", id(9), row()));
    assert_eq!(list(world, RoomsListed::All, None, 9), ["a", "b", "c", "ä"]);
    assert_eq!(list(world, RoomsListed::All, Some("a"), 2), ["b", "c"]);
    assert_eq!(list(world, RoomsListed::All, Some("ä"), 9), [""; 0]);
    assert_eq!(list(world, RoomsListed::Public, None, 2), ["a", "c"]);
    assert_eq!(list(world, RoomsListed::Public, Some("c"), 2), ["ä"]);
    assert_eq!(read(world.store.rooms_count(ROOMS)), 4);
    let (config, visibility) = (b"config".as_slice().into(), Visibility::Listed);
    world.one(change(id(4), RoomChange::Configure { config, visibility }));
    assert_eq!(list(world, RoomsListed::Public, Some("a"), 1), ["b"]);
    let first = ListedRoom { id: id(2), name: "a".into(), row: row() };
    assert_eq!(read(world.store.rooms(ROOMS, RoomsListed::All, None, 1)), [first]);
}

fn lists_of_rooms_are_bounded_in_bytes(world: &mut World) {
    let config: Box<[u8]> = vec![b'x'; 300_000].into();
    for n in 1..=8 {
        let record = create_with(ROOMS, &format!("room{n}"), id(n), RoomRow { config: config.clone(), ..row() });
        assert_eq!(world.commit(record), done(&[]));
    }
    let mut all = Vec::new();
    loop {
        let page = list(world, RoomsListed::All, all.last().map(String::as_str), 100);
        if page.is_empty() {
            break;
        }
        assert!(page.len() < 8, "{} rows", page.len());
        all.extend(page);
    }
    assert_eq!(all.len(), 8);
}

fn somebody_finds_their_rooms(world: &mut World) {
    for (n, name) in ["c", "a", "b"].into_iter().enumerate() {
        let owner = create(world, name, n as u32 + 1);
        world.one(set_member(owner, member("alice@example.org", RoomAffiliation::ALL[n + 2], 1)));
        world.one(set_member(owner, member("bob@example.org", RoomAffiliation::Member, 2)));
    }
    world.one(change(id(3), RoomChange::RemoveMember { jid: jid("bob@example.org"), version: 3 }));
    let of = |world: &World, who: &str, after, limit| {
        let rooms = read(world.store.rooms_of(ROOMS, &jid(who), after, limit));
        rooms.into_iter().map(|(name, affiliation)| format!("{name} {}", affiliation.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(of(world, "alice@example.org", None, 9), ["a admin", "b owner", "c member"]);
    assert_eq!(of(world, "alice@example.org", Some("a"), 1), ["b owner"]);
    assert_eq!(of(world, "bob@example.org", None, 9), ["a member", "c member"]);
    assert_eq!(read(world.store.rooms_of("other.example.org", &jid("bob@example.org"), None, 9)), []);
    world.forget(id(2));
    assert_eq!(of(world, "bob@example.org", None, 9), ["c member"]);
}

fn a_room_leaves_nothing_to_one_with_its_name(world: &mut World) {
    let old = create(world, "coven", 1);
    world.one(set_member(old, member("alice@example.org", RoomAffiliation::Owner, 1)));
    world.one(change(old, RoomChange::SaveOccupants(vec![occupant("z", "z@example.org/1")])));
    world.forget(old);
    assert_eq!((room(world, "coven"), read(world.store.rooms_count(ROOMS))), (None, 0));
    assert_eq!(list(world, RoomsListed::Public, None, 9), [""; 0]);
    assert_eq!(read(world.store.rooms_with_occupants(ROOMS, None, 9)), []);
    assert_eq!(world.one(change(old, RoomChange::Use { at_ms: 1 })), Outcome::Gone);
    create(world, "coven", 2);
    assert_eq!(room(world, "coven"), Some(StoredRoom { id: id(2), row: row(), members: vec![], occupants: vec![] }));
    assert_eq!(list(world, RoomsListed::All, None, 9), ["coven"]);
    world.finish_purge();
    assert_eq!(list(world, RoomsListed::All, None, 9), ["coven"]);
    let Some(file) = world.file() else { return };
    let sizes = table_sizes(&file);
    assert_eq!((sizes["rooms"], sizes["room_members"], sizes["room_occupants"]), (1, 0, 0));
}

fn many_members_go_in_pieces(world: &mut World) {
    let (old, other) = (create(world, "old", 1), create(world, "other", 2));
    for owner in [old, other] {
        let members =
            (1..=1500).map(|n| set_member(owner, member(&format!("user{n}@example.com"), RoomAffiliation::Member, n)));
        assert_eq!(world.commit(Record { ops: members.collect(), handled: None }), done(&[]));
        let occupants = (0..400).map(|n| occupant(&n.to_string(), &format!("u@example.org/{n}"))).collect();
        world.one(change(owner, RoomChange::SaveOccupants(occupants)));
    }
    world.forget(old);
    world.reopen();
    world.finish_purge();
    let other = room(world, "other").unwrap();
    assert_eq!((other.members.len(), other.occupants.len(), other.row.version), (1500, 400, 1500));
    let Some(file) = world.file() else { return };
    let sizes = table_sizes(&file);
    assert_eq!((sizes["rooms"], sizes["room_members"], sizes["room_occupants"]), (1, 1500, 400));
}

fn a_room_has_an_archive(world: &mut World) {
    let coven = create(world, "coven", 1);
    let mut record = Record::of(received(coven, "Harpier cries"));
    record.push(change(coven, RoomChange::Use { at_ms: 9 }));
    assert_eq!(world.commit(record), done(&[1]));
    assert_eq!(world.archive(coven).len(), 1);
}

fn destroyed_rooms_are_remembered_by_their_address(world: &mut World) {
    let redirect = |name: &str, to: Option<&str>| RoomRedirect {
        host: ROOMS.into(),
        name: name.into(),
        to: to.map(jid),
        reason: to.map(|_| "Macbeth doth come".into()),
        at_ms: 7,
    };
    let set = |world: &mut World, redirect: &RoomRedirect| {
        assert_eq!(world.one(Op::SetRedirect { redirect: Box::new(redirect.clone()) }), done(&[]));
    };
    let heath = redirect("heath", Some("coven@rooms.example.org"));
    for one in [&heath, &redirect("castle", None), &redirect("wood", None)] {
        set(world, one);
    }
    world.reopen();
    assert_eq!(read(world.store.redirect(ROOMS, "heath")), Some(heath.clone()));
    assert_eq!(read(world.store.redirect(ROOMS, "castle")), Some(redirect("castle", None)));
    assert_eq!(read(world.store.redirect("example.org", "heath")), None);
    assert_eq!(read(world.store.redirects(ROOMS, Some("castle"), 1)), [heath]);
    let later = RoomRedirect { at_ms: 8, ..redirect("heath", None) };
    set(world, &later);
    assert_eq!(read(world.store.redirects(ROOMS, None, 9)), [redirect("castle", None), later, redirect("wood", None)]);
    let forget = |name: Option<&str>| Op::ForgetRedirect { host: ROOMS.into(), name: name.map(Box::from) };
    world.one(forget(Some("heath")));
    assert_eq!(read(world.store.redirect(ROOMS, "heath")), None);
    assert_eq!(read(world.store.redirects(ROOMS, None, 9)).len(), 2);
    set(world, &RoomRedirect { host: "other.example.org".into(), ..redirect("moor", None) });
    world.one(forget(None));
    assert_eq!(read(world.store.redirects(ROOMS, None, 9)), []);
    assert_eq!(read(world.store.redirects("other.example.org", None, 9)).len(), 1);
}

/// Rooms whose accounts are guests' beside those that last: one list for both, page by page, and the former are gone with a restart.
#[test]
fn rooms_of_guests_are_listed_among_the_others() {
    let mut world = World::split();
    let mut random = fastrand::Rng::with_seed(7);
    let mut expected = Vec::new();
    for n in 0..60u128 {
        let name = format!("room{:02}", (n * 37) % 60);
        let bytes = (n + 1).to_be_bytes();
        let id = if random.bool() { AccountId::guest(bytes) } else { AccountId::ordinary(bytes) };
        let config: Box<[u8]> = vec![b'x'; if random.u8(..4) == 0 { 400_000 } else { 10 }].into();
        let record = create_with(ROOMS, &name, id, RoomRow { config, ..row() });
        assert_eq!(world.commit(record), done(&[]));
        assert_eq!(world.one(set_member(id, member("a@example.org", RoomAffiliation::Owner, 1))), done(&[]));
        expected.push((name, id.is_guest()));
    }
    expected.sort();
    let names: Vec<_> = expected.iter().map(|(name, _)| name.clone()).collect();
    for limit in [1, 7, 100] {
        let (mut all, mut own) = (Vec::new(), Vec::new());
        loop {
            let page = list(&world, RoomsListed::All, all.last().map(String::as_str), limit);
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= limit);
            all.extend(page);
        }
        loop {
            let after = own.last().map(String::as_str);
            let page = read(world.store.rooms_of(ROOMS, &jid("a@example.org"), after, limit));
            if page.is_empty() {
                break;
            }
            own.extend(page.into_iter().map(|(name, _)| name.into_string()));
        }
        assert_eq!((&all, &own), (&names, &names), "{limit}");
    }
    assert_eq!(read(world.store.rooms_count(ROOMS)), 60);
    world.reopen();
    let durable: Vec<_> = expected.iter().filter(|(_, is_guest)| !is_guest).map(|(name, _)| name.clone()).collect();
    assert_eq!(read(world.store.rooms_count(ROOMS)), durable.len() as u64);
    assert_eq!(room(&world, &durable[0]).unwrap().members.len(), 1);
}
