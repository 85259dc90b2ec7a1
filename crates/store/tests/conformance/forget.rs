//! Removing accounts.

use metronome_model::{AccountId, Drawer, DrawerSize, Op, Outcome, Record, RosterVersion};
use metronome_store::Counts;

use crate::world::{
    World, add, card, contact, document, done, id, last_seen, places_of, read, received, sent, set_contact,
    set_document, table_sizes, without_unseen,
};

over_each_backend!(
    a_forgotten_account_is_gone_at_once,
    a_name_given_again_has_another_id_and_an_empty_archive,
    a_forgotten_id_is_not_taken_again,
    nothing_remains_of_a_forgotten_account,
    roster_and_documents_are_gone_at_once_and_removed_later,
    a_long_roster_is_removed_in_pieces,
    what_comes_before_the_removal_in_one_record_is_removed_with_it,
    a_removal_cut_short_goes_on_after_a_restart,
    bulk_removals_all_happen,
    a_record_cannot_write_to_the_account_it_forgets,
);

fn a_forgotten_account_is_gone_at_once(world: &mut World) {
    let bob = world.add("bob", 2);
    world.one(received(bob, "hello"));
    world.forget(bob);
    assert_eq!(world.account("bob"), None);
    assert_eq!(world.archive(bob), [""; 0]);
    assert_eq!(world.unseen(bob), [0; 0]);
    assert_eq!(read(world.store.counts(bob)), Counts::default());
    assert_eq!(read(world.store.credentials(crate::world::HOST, "bob")), None);
    assert_eq!(world.one(received(bob, "hello")), Outcome::Gone);
    assert_eq!(world.one(Op::ForgetAccount { id: bob }), Outcome::Gone);
}

fn a_name_given_again_has_another_id_and_an_empty_archive(world: &mut World) {
    let old = world.add("bob", 2);
    world.one(received(old, "for the old one"));
    world.forget(old);
    let new = world.add("bob", 3);
    assert_eq!(world.account("bob").unwrap().id, new);
    assert_eq!(world.archive(new), [""; 0]);
    assert_eq!(world.one(received(new, "for the new one")), done(&[1]));
    world.finish_purge();
    assert_eq!(world.archive(new).len(), 1);
}

fn a_forgotten_id_is_not_taken_again(world: &mut World) {
    world.add("bob", 2);
    world.one(received(id(2), "hello"));
    let again = vec![Record::of(Op::ForgetAccount { id: id(2) }), Record::of(add("bob", 2))];
    assert_eq!(world.batch(again), [done(&[]), Outcome::Conflict]);
}

fn nothing_remains_of_a_forgotten_account(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let filled: Vec<_> = (0..19).map(|n| sent(alice, bob, &n.to_string())).collect();
    world.batch(filled);
    let silent: Vec<_> = (0..2000).map(|n| sent(bob, alice, &n.to_string())).map(without_unseen).collect();
    assert!(world.batch(silent).iter().all(Outcome::is_done));
    world.one(crate::world::seen(bob, &[(1, 2)]));
    world.forget(bob);
    world.finish_purge();
    assert_eq!(world.archive(alice).len(), 2019);
    let Some(file) = world.file() else { return };
    assert_eq!(places_of(&file, bob.as_bytes()), [""; 0]);
    assert_ne!(places_of(&file, alice.as_bytes()), [""; 0], "the search itself must work");
    let sizes = table_sizes(&file);
    assert_eq!((sizes["archive"], sizes["stanzas"], sizes["account_keys"]), (2019, 2019, 1));
    world.forget(alice);
    world.finish_purge();
    let sizes = table_sizes(&file);
    let left = |name| sizes[name];
    let tables = [
        "accounts",
        "account_keys",
        "archive",
        "stanzas",
        "archive_heads",
        "archive_times",
        "archive_peers",
        "tombstones",
    ];
    assert_eq!(tables.map(left), [0; 8]);
}

/// Gives an account a contact with a request, two documents, and a last seen.
fn fill(world: &mut World, owner: AccountId) {
    let mut asking = contact("dave@example.com", 1);
    asking.subscription.pending_in = true;
    asking.request = Some(crate::world::message("let me in"));
    let mut record = Record::of(set_contact(owner, asking));
    record.push(set_document(owner, card("<vCard xmlns='vcard-temp'/>")));
    record.push(set_document(owner, document(Drawer::Private, "urn:notes", "notes", "<notes xmlns='urn:notes'/>")));
    record.push(last_seen(owner, 7, "away"));
    assert_eq!(world.commit(record), done(&[]));
}

fn roster_and_documents_are_gone_at_once_and_removed_later(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    fill(world, alice);
    fill(world, bob);
    world.forget(bob);
    assert_eq!(world.roster(bob), (RosterVersion::default(), vec![]));
    assert_eq!(read(world.store.roster_version(bob)), RosterVersion::default());
    assert_eq!(read(world.store.contact(bob, "dave@example.com")), None);
    assert_eq!(world.document(bob, Drawer::Card, "vcard-temp", "vCard"), None);
    assert_eq!(read(world.store.drawer_size(bob, Drawer::Private)), DrawerSize::default());
    assert_eq!(read(world.store.last_seen(bob)), None);
    for late in [
        set_contact(bob, contact("dave@example.com", 2)),
        set_document(bob, card("<vCard xmlns='vcard-temp'/>")),
        last_seen(bob, 8, ""),
    ] {
        assert_eq!(world.one(late), Outcome::Gone);
    }
    world.finish_purge();
    assert_eq!(world.roster(alice).1.len(), 1);
    assert!(world.document(alice, Drawer::Card, "vcard-temp", "vCard").is_some());
    assert!(read(world.store.last_seen(alice)).is_some());
    let tables = ["rosters", "contacts", "documents", "last_seen"];
    let Some(file) = world.file() else { return };
    let left = || tables.map(|table| table_sizes(&file)[table]);
    assert_eq!(left(), [1, 1, 2, 1]);
    world.forget(alice);
    world.finish_purge();
    assert_eq!(left(), [0; 4]);
}

fn a_long_roster_is_removed_in_pieces(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for owner in [alice, bob] {
        let contacts = (1..=2000).map(|n| set_contact(owner, contact(&format!("{n}@example.com"), n)));
        let documents = (0..70).map(|n| {
            let (name, xml) = (format!("n{n}"), format!("<n{n} xmlns='urn:x'>{}</n{n}>", "x".repeat(5000)));
            set_document(owner, document(Drawer::Private, "urn:x", &name, &xml))
        });
        assert_eq!(world.commit(Record { ops: contacts.chain(documents).collect(), handled: None }), done(&[]));
    }
    world.forget(bob);
    world.reopen();
    world.finish_purge();
    assert_eq!(world.roster(alice).1.len(), 2000);
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Private)).count, 70);
    if let Some(file) = world.file() {
        let sizes = table_sizes(&file);
        assert_eq!((sizes["contacts"], sizes["documents"], sizes["rosters"]), (2000, 70, 1));
    }
}

fn what_comes_before_the_removal_in_one_record_is_removed_with_it(world: &mut World) {
    let bob = world.add("bob", 2);
    let mut record = Record::of(set_contact(bob, contact("dave@example.com", 1)));
    record.push(set_document(bob, card("<vCard xmlns='vcard-temp'/>")));
    record.push(Op::ForgetAccount { id: bob });
    assert_eq!(world.commit(record), done(&[]));
    world.finish_purge();
    if let Some(file) = world.file() {
        let sizes = table_sizes(&file);
        assert_eq!((sizes["contacts"], sizes["documents"], sizes["rosters"]), (0, 0, 0));
    }
}

fn a_removal_cut_short_goes_on_after_a_restart(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let rows: Vec<_> = (0..900).map(|n| without_unseen(sent(alice, bob, &n.to_string()))).collect();
    world.batch(rows);
    world.forget(bob);
    world.reopen();
    world.finish_purge();
    assert_eq!(world.archive(alice).len(), 900);
    if let Some(file) = world.file() {
        assert_eq!(table_sizes(&file)["archive"], 900);
    }
}

fn bulk_removals_all_happen(world: &mut World) {
    for n in 1..=60 {
        world.add(&format!("user{n}"), n);
    }
    let writer = world.writer.as_ref().unwrap();
    for n in 1..=60 {
        writer.submit_bulk(writer.try_permit(1).unwrap(), Record::of(Op::ForgetAccount { id: id(n) }), n as usize);
    }
    for n in 1..=60 {
        assert_eq!(world.decided(), (n, done(&[])));
    }
    assert_eq!(read(world.store.list(crate::world::HOST, None, 9)), []);
}

fn a_record_cannot_write_to_the_account_it_forgets(world: &mut World) {
    let bob = world.add("bob", 2);
    let mut record = Record::of(Op::ForgetAccount { id: bob });
    record.push(received(bob, "too late"));
    assert_eq!(world.commit(record), Outcome::Gone);
    assert!(world.account("bob").is_some());
}
