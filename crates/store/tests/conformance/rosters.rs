//! Rosters: setting, changing and removing contacts, versions, requests that wait.

use metronome_model::{AccountId, Contact, Listed, Op, Outcome, Record, RosterSize, RosterVersion, Unavailable};
use metronome_proto::subscription::Subscription;

use crate::world::{HOST, World, add, contact, done, id, message, no_contact, read, set_contact, stanza};

over_each_backend!(
    a_roster_begins_empty_and_without_a_version,
    a_contact_comes_back_as_it_was_set,
    setting_a_contact_again_replaces_its_row,
    contacts_come_in_the_order_of_their_addresses,
    addresses_are_compared_byte_by_byte,
    a_contact_that_is_nothing_is_removed_and_noted,
    removing_what_nobody_saw_is_no_removal,
    a_request_is_kept_until_it_is_answered,
    every_state_of_a_subscription_is_kept,
    both_sides_of_a_subscription_are_one_record,
    one_record_may_change_many_contacts,
    a_new_account_may_come_with_a_roster,
    rosters_do_not_mix,
    a_large_roster_is_read_whole,
    rows_are_counted_by_whether_clients_see_them,
    rows_about_an_address_come_from_every_roster,
    rows_about_an_address_go_with_the_row_and_with_their_owner,
    what_is_undone_leaves_no_row_about_an_address,
);

fn version(current: u64, removed: u64) -> RosterVersion {
    RosterVersion { current, removed }
}

fn a_roster_begins_empty_and_without_a_version(world: &mut World) {
    let alice = world.add("alice", 1);
    for owner in [alice, id(9)] {
        assert_eq!(world.roster(owner), (version(0, 0), vec![]));
        assert_eq!(read(world.store.roster_version(owner)), version(0, 0));
        assert_eq!(read(world.store.contact(owner, "bob@example.org")), None);
    }
}

fn a_contact_comes_back_as_it_was_set(world: &mut World) {
    let alice = world.add("alice", 1);
    let bob = Contact {
        name: Some("Bob & \"the\" builder \u{1F477}".into()),
        groups: vec!["".into(), "Friends".into(), "Work <1>\n".into()],
        subscription: Subscription { to: true, pending_in: true, ..Subscription::NONE },
        ..contact("bob@example.com", 7)
    };
    let plain = contact("bücher.example", 8);
    let named = Contact { name: Some("".into()), ..contact("carol@example.com/phone", 9) };
    for contact in [&bob, &plain, &named] {
        assert_eq!(world.one(set_contact(alice, contact.clone())), done(&[]));
    }
    world.reopen();
    assert_eq!(read(world.store.contact(alice, "bob@example.com")), Some(bob.clone()));
    assert_eq!(read(world.store.contact(alice, "bücher.example")), Some(plain.clone()));
    assert_eq!(read(world.store.roster(alice)), (version(9, 0), vec![bob, plain, named]));
    assert_eq!(read(world.store.roster_version(alice)), version(9, 0));
}

fn setting_a_contact_again_replaces_its_row(world: &mut World) {
    let alice = world.add("alice", 1);
    let groups = vec!["Friends".into()];
    world.one(set_contact(alice, Contact { name: Some("Bob".into()), groups, ..contact("bob@example.com", 1) }));
    let bob =
        Contact { subscription: Subscription { from: true, ..Subscription::NONE }, ..contact("bob@example.com", 2) };
    world.one(set_contact(alice, bob.clone()));
    world.reopen();
    assert_eq!(read(world.store.roster(alice)), (version(2, 0), vec![bob]));
}

fn contacts_come_in_the_order_of_their_addresses(world: &mut World) {
    let alice = world.add("alice", 1);
    let jids =
        ["é@example.com", "bob@example.com", "zoe@a.example", "b@example.com", "bob@example.com/x", "example.com"];
    for (at, jid) in jids.into_iter().enumerate() {
        world.one(set_contact(alice, contact(jid, at as u64 + 1)));
    }
    let sorted =
        ["b@example.com", "bob@example.com", "bob@example.com/x", "example.com", "zoe@a.example", "é@example.com"];
    assert_eq!(world.roster(alice), (version(6, 0), sorted.map(str::to_owned).to_vec()));
}

fn addresses_are_compared_byte_by_byte(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(set_contact(alice, contact("bob@example.com/phone", 1)));
    world.one(set_contact(alice, contact("bob@example.com/Phone", 2)));
    assert_eq!(world.roster(alice).1.len(), 2);
    assert_eq!(read(world.store.contact(alice, "BOB@example.com/phone")), None);
}

fn a_contact_that_is_nothing_is_removed_and_noted(world: &mut World) {
    let alice = world.add("alice", 1);
    for (n, jid) in ["a@example.com", "b@example.com", "c@example.com"].into_iter().enumerate() {
        world.one(set_contact(alice, contact(jid, n as u64 + 1)));
    }
    assert_eq!(world.one(set_contact(alice, no_contact("b@example.com", 4))), done(&[]));
    world.reopen();
    assert_eq!(world.roster(alice), (version(4, 4), vec!["a@example.com".into(), "c@example.com".into()]));
    world.one(set_contact(alice, contact("b@example.com", 5)));
    assert_eq!(world.roster(alice).0, version(5, 4));
    // Not listed any more, but its request waits: the row stays, and is gone for those who had seen it.
    let mut waiting = no_contact("a@example.com", 6);
    waiting.subscription.pending_in = true;
    world.one(set_contact(alice, waiting.clone()));
    assert_eq!(read(world.store.contact(alice, "a@example.com")), Some(waiting));
    assert_eq!(world.roster(alice).0, version(6, 6));
}

fn removing_what_nobody_saw_is_no_removal(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(set_contact(alice, no_contact("b@example.com", 1)));
    let mut asked = no_contact("c@example.com", 2);
    asked.subscription.pending_in = true;
    world.one(set_contact(alice, asked));
    world.one(set_contact(alice, no_contact("c@example.com", 3)));
    world.reopen();
    assert_eq!(world.roster(alice), (version(3, 0), vec![]));
}

fn a_request_is_kept_until_it_is_answered(world: &mut World) {
    let alice = world.add("alice", 1);
    let xml = "<presence from='bob@example.com' to='alice@example.org' id='s1' type='subscribe'>\
               <status>it is me &amp; nobody else</status><nick xmlns='http://jabber.org/protocol/nick'>Bob</nick></presence>";
    let mut bob = no_contact("bob@example.com", 1);
    bob.subscription.pending_in = true;
    bob.request = Some(stanza(xml).into());
    world.one(set_contact(alice, bob.clone()));
    world.reopen();
    let found = read(world.store.contact(alice, "bob@example.com")).unwrap();
    assert_eq!(found, bob);
    assert_eq!(String::from_utf8(found.request.unwrap().to_vec()).unwrap(), xml);
    bob.subscription = Subscription { from: true, ..Subscription::NONE };
    (bob.request, bob.version) = (None, 2);
    world.one(set_contact(alice, bob.clone()));
    world.reopen();
    assert_eq!(read(world.store.contact(alice, "bob@example.com")), Some(bob));
}

fn every_state_of_a_subscription_is_kept(world: &mut World) {
    let alice = world.add("alice", 1);
    let states: Vec<_> = (0..32).filter(|bits| Subscription::from_bits(*bits).to_bits() == *bits).collect();
    assert_eq!(states.len(), 12);
    for (at, bits) in states.iter().enumerate() {
        for listed in [Listed::Yes, Listed::No] {
            let jid = format!("{bits}-{listed:?}@example.com");
            let subscription = Subscription::from_bits(*bits);
            let set = Contact { subscription, listed, ..contact(&jid, at as u64) };
            world.one(set_contact(alice, set.clone()));
            let expected = Some(set).filter(|contact| !contact.is_nothing());
            assert_eq!(read(world.store.contact(alice, &jid.to_lowercase())), expected);
        }
    }
}

fn both_sides_of_a_subscription_are_one_record(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let mut record = Record::of(set_contact(alice, contact("bob@example.org", 1)));
    record.push(set_contact(bob, contact("alice@example.org", 1)));
    assert_eq!(world.commit(record), done(&[]));
    let mut record = Record::of(set_contact(alice, contact("carol@example.org", 2)));
    record.push(set_contact(id(3), contact("alice@example.org", 1)));
    assert_eq!(world.commit(record), Outcome::Gone);
    assert_eq!(world.roster(alice), (version(1, 0), vec!["bob@example.org".into()]));
    assert_eq!(world.roster(bob), (version(1, 0), vec!["alice@example.org".into()]));
}

fn one_record_may_change_many_contacts(world: &mut World) {
    let alice = world.add("alice", 1);
    let mut record = Record::default();
    for n in 1..=300 {
        record.push(set_contact(alice, contact(&format!("user{n:03}@example.com"), n)));
    }
    record.push(set_contact(alice, no_contact("user002@example.com", 301)));
    record.push(set_contact(alice, contact("user001@example.com", 302)));
    assert_eq!(world.commit(record), done(&[]));
    let (versions, jids) = world.roster(alice);
    assert_eq!((versions, jids.len(), &*jids[1]), (version(302, 301), 299, "user003@example.com"));
}

fn a_new_account_may_come_with_a_roster(world: &mut World) {
    let mut record = Record::of(add("alice", 1));
    record.push(set_contact(id(1), contact("bob@example.com", 1)));
    assert_eq!(world.commit(record), done(&[]));
    assert_eq!(world.roster(id(1)), (version(1, 0), vec!["bob@example.com".into()]));
    // The account must come first.
    let mut record = Record::of(set_contact(id(2), contact("bob@example.com", 1)));
    record.push(add("bob", 2));
    assert_eq!(world.commit(record), Outcome::Gone);
}

fn rosters_do_not_mix(world: &mut World) {
    let owners: Vec<_> = (1..=20).map(|n| world.add(&format!("user{n}"), n)).collect();
    for (n, owner) in owners.iter().enumerate() {
        let ops = (0..n).map(|m| set_contact(*owner, contact(&format!("{m}@example.com"), m as u64 + 1)));
        ops.for_each(|op| drop(world.one(op)));
    }
    for (n, owner) in owners.iter().enumerate() {
        let (versions, jids) = world.roster(*owner);
        assert_eq!((versions, jids.len()), (version(n as u64, 0), n));
    }
}

fn a_large_roster_is_read_whole(world: &mut World) {
    let alice = world.add("alice", 1);
    let all: Vec<_> = (0..1000)
        .map(|n| Contact {
            name: Some(format!("Contact number {n}").into()),
            groups: vec!["Friends".into(), format!("Group {}", n % 7).into()],
            subscription: Subscription { to: true, from: true, ..Subscription::NONE },
            ..contact(&format!("contact{n:04}@example.com"), n + 1)
        })
        .collect();
    let ops: Vec<Op> = all.iter().map(|contact| set_contact(alice, contact.clone())).collect();
    assert_eq!(world.commit(Record { ops: ops.into(), handled: None }), done(&[]));
    world.reopen();
    assert_eq!(read(world.store.roster(alice)), (version(1000, 0), all));
}

/// A row that only keeps a request.
fn asking(jid: &str, version: u64) -> Contact {
    let subscription = Subscription { pending_in: true, ..Subscription::NONE };
    Contact { subscription, request: Some(message("let me in")), ..no_contact(jid, version) }
}

fn rows_are_counted_by_whether_clients_see_them(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let size = |world: &World, owner| {
        let RosterSize { listed, waiting } = read(world.store.roster_size(owner));
        (listed, waiting)
    };
    assert_eq!([alice, id(9)].map(|owner| size(world, owner)), [(0, 0); 2]);
    let mut record = Record::of(set_contact(bob, contact("dave@example.com", 1)));
    for n in 1..=30 {
        record.push(set_contact(alice, contact(&format!("seen{n}@example.com"), n)));
    }
    for n in 31..=37 {
        record.push(set_contact(alice, asking(&format!("asking{n}@example.com"), n)));
    }
    let approved = Subscription { approved: true, ..Subscription::NONE };
    record.push(set_contact(alice, Contact { subscription: approved, ..no_contact("friend@example.com", 38) }));
    assert_eq!(world.commit(record), done(&[]));
    assert_eq!([alice, bob].map(|owner| size(world, owner)), [(30, 8), (1, 0)], "every row counts");
    // A request that is answered by adding its sender counts as a contact from then on, one that is denied not at all.
    world.one(set_contact(alice, Contact { listed: Listed::Yes, ..asking("asking31@example.com", 39) }));
    world.one(set_contact(alice, no_contact("asking32@example.com", 40)));
    world.reopen();
    assert_eq!(size(world, alice), (31, 6));
    world.forget(alice);
    assert_eq!([alice, bob].map(|owner| size(world, owner)), [(0, 0), (1, 0)]);
}

fn about(world: &World, jid: &str) -> Vec<(AccountId, u64, u64)> {
    let rows = read(world.store.rows_about(jid));
    assert!(rows.iter().all(|row| row.contact.jid.as_str() == jid));
    rows.iter().map(|row| (row.owner, row.version.current, row.contact.version)).collect()
}

fn rows_about_an_address_come_from_every_roster(world: &mut World) {
    const DAVE: &str = "dave@example.com";
    let (alice, bob, carol) = (world.add("alice", 1), world.add("bob", 2), world.add("carol", 3));
    assert_eq!(about(world, DAVE), []);
    let named = Contact { name: Some("Dave".into()), groups: vec!["A".into()], ..contact(DAVE, 1) };
    world.one(set_contact(alice, named.clone()));
    world.one(set_contact(alice, contact("erin@example.com", 2)));
    world.one(set_contact(carol, asking(DAVE, 7)));
    for other in ["dave@example.com/phone", "xdave@example.com", "dave@example.org", "example.com"] {
        world.one(set_contact(bob, contact(other, 1)));
    }
    let mut expected = [(alice, 2, 1), (carol, 7, 7)];
    expected.sort_unstable();
    for _ in 0..2 {
        assert_eq!(about(world, DAVE), expected);
        let rows = read(world.store.rows_about(DAVE));
        let row = |owner| rows.iter().find(|row| row.owner == owner).unwrap();
        assert_eq!((&*row(alice).name, &*row(alice).host, &row(alice).contact), ("alice", HOST, &named));
        assert_eq!((&*row(carol).name, &row(carol).contact), ("carol", &asking(DAVE, 7)));
        world.reopen();
    }
    assert_eq!(about(world, "DAVE@example.com").len() + about(world, "").len() + about(world, "%").len(), 0);
}

fn rows_about_an_address_go_with_the_row_and_with_their_owner(world: &mut World) {
    const DAVE: &str = "dave@example.com";
    let owners: Vec<_> = (1..=5).map(|n| world.add(&format!("user{n}"), n)).collect();
    owners.iter().for_each(|owner| drop(world.one(set_contact(*owner, contact(DAVE, 1)))));
    assert_eq!(about(world, DAVE).len(), 5);
    world.one(set_contact(owners[0], no_contact(DAVE, 2)));
    world.one(set_contact(owners[1], asking(DAVE, 2)));
    world.forget(owners[2]);
    let left = |world: &World| about(world, DAVE).into_iter().map(|(owner, ..)| owner).collect::<Vec<_>>();
    let mut expected = vec![owners[1], owners[3], owners[4]];
    expected.sort_unstable();
    assert_eq!(left(world), expected, "at once, before the rest of the account is removed");
    world.finish_purge();
    world.reopen();
    assert_eq!(left(world), expected);
    // Its name is given again, its roster is not.
    world.add("user3", 6);
    assert_eq!(left(world), expected);
}

fn what_is_undone_leaves_no_row_about_an_address(world: &mut World) {
    const DAVE: &str = "dave@example.com";
    let alice = world.add("alice", 1);
    let mut record = Record::of(set_contact(alice, contact(DAVE, 1)));
    record.push(set_contact(id(9), contact(DAVE, 1)));
    assert_eq!(world.commit(record), Outcome::Gone);
    world.faults.fail_commits(1, Unavailable::Disk);
    assert!(!world.one(set_contact(alice, contact(DAVE, 1))).is_done());
    assert_eq!(about(world, DAVE), []);
    world.one(set_contact(alice, contact("erin@example.com", 1)));
    assert_eq!((about(world, DAVE), about(world, "erin@example.com")), (vec![], vec![(alice, 1, 1)]));
}
