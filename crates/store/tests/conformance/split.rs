//! Guests beside ordinary accounts: what is true of both, and that the disk never hears of guests.

use std::path::Path;
use std::sync::Arc;

use metronome_model::{Account, AccountId, Direction, Drawer, Keep, Op, Outcome, Record, Unavailable};
use metronome_store::backend::faults::Faults;
use metronome_store::backend::split::{self, GUEST_BYTES_MAX, GUESTS_BYTES_MAX};
use metronome_store::backend::sqlite;

use crate::world::{
    HOST, World, account, card, contact, document, done, id, last_seen, message, read, received, seen, sent,
    set_contact, set_document,
};

fn guest_id(n: u32) -> AccountId {
    AccountId::guest(*id(n).as_bytes())
}

fn guest(name: &str, n: u32) -> Account {
    Account { id: guest_id(n), ..account(name, n) }
}

fn add_guest(world: &mut World, name: &str, n: u32) -> AccountId {
    assert_eq!(world.one(Op::AddAccount { account: Box::new(guest(name, n)), keys: vec![] }), done(&[]));
    guest_id(n)
}

/// A split store over a file whose disk fails on command.
struct Disk {
    folder: tempfile::TempDir,
    faults: Faults,
}

fn over_a_disk() -> (World, Disk) {
    let folder = tempfile::tempdir().unwrap();
    let opened = sqlite::open(&folder.path().join("store.sqlite"), sqlite::Options::default()).unwrap();
    let (opened, faults) = Faults::wrap(opened);
    (World::over(split::open(opened)), Disk { folder, faults })
}

/// Whether any file of a folder has these bytes.
fn on_disk(folder: &Path, needle: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

/// Everything that can be stored of an account, each with `text` in it.
fn fill(world: &mut World, owner: AccountId, text: &str) {
    let mut asking = contact(&format!("contact-{text}@example.com"), 1);
    asking.subscription.pending_in = true;
    asking.request = Some(message(&format!("request-{text}")));
    let mut record = Record::of(set_contact(owner, asking));
    record.push(set_document(owner, card(&format!("<vCard xmlns='vcard-temp'>card-{text}</vCard>"))));
    record
        .push(set_document(owner, document(Drawer::Private, &format!("urn:{text}"), "x", &format!("private-{text}"))));
    record.push(last_seen(owner, 7, &format!("status-{text}")));
    record.push(received(owner, &format!("message-{text}")));
    assert_eq!(world.commit(record), done(&[1]));
}

#[test]
fn nothing_of_a_guest_reaches_the_disk() {
    let (mut world, disk) = over_a_disk();
    let (alice, guest) = (world.add("name-ordinary", 1), add_guest(&mut world, "name-fleeting", 2));
    fill(&mut world, alice, "ordinary");
    fill(&mut world, guest, "fleeting");
    world.one(seen(guest, &[(1, 1)]));
    let found = |text: &str| {
        let parts = ["name", "contact", "request", "card", "private", "status", "message"];
        parts.map(|part| on_disk(disk.folder.path(), &format!("{part}-{text}")))
    };
    assert_eq!(found("ordinary"), [true; 7], "the search itself must work");
    assert_eq!(found("fleeting"), [false; 7]);
    world.forget(guest);
    world.finish_purge();
    world.writer = None;
    assert_eq!(found("fleeting"), [false; 7]);
    assert!(!on_disk(disk.folder.path(), "fleeting"));
}

#[test]
fn a_record_of_guests_alone_does_not_touch_the_disk() {
    let (mut world, disk) = over_a_disk();
    world.add("alice", 1);
    let log = disk.folder.path().join("store.sqlite-wal");
    let state = || {
        let file = std::fs::metadata(&log).unwrap();
        (disk.faults.commits(), file.len(), file.modified().unwrap())
    };
    let before = state();
    let (guest, other) = (add_guest(&mut world, "guest", 2), add_guest(&mut world, "other", 3));
    fill(&mut world, guest, "x");
    assert_eq!(world.commit(sent(guest, other, "hello")), done(&[2, 1]));
    world.one(seen(other, &[(1, 1)]));
    world.forget(guest);
    assert_eq!(state(), before);
    assert_eq!(world.archive(other).len(), 1);
}

#[test]
fn a_guest_is_found_by_address_and_id_and_listed_among_the_others() {
    let mut world = World::split();
    world.add("bob", 1);
    let a = add_guest(&mut world, "a", 2);
    add_guest(&mut world, "carol", 3);
    world.add("dave", 4);
    assert_eq!(world.account("a"), Some(guest("a", 2)));
    assert_eq!(read(world.store.account_by_id(a)), Some(guest("a", 2)));
    assert_eq!(read(world.store.credentials(HOST, "a")).unwrap().account, guest("a", 2));
    let names = |after, limit| {
        let page = read(world.store.list(HOST, after, limit));
        page.into_iter().map(|account| account.name.into_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 9), ["a", "bob", "carol", "dave"]);
    assert_eq!(names(None, 3), ["a", "bob", "carol"]);
    assert_eq!(names(Some("bob"), 1), ["carol"]);
}

#[test]
fn guests_and_ordinary_accounts_share_the_names() {
    let mut world = World::split();
    world.add("bob", 1);
    let taken = Op::AddAccount { account: Box::new(guest("bob", 2)), keys: vec![] };
    assert_eq!(world.one(taken), Outcome::Conflict);
    let carol = add_guest(&mut world, "carol", 3);
    assert_eq!(world.one(crate::world::add("carol", 4)), Outcome::Conflict);
    world.forget(carol);
    world.add("carol", 4);
}

#[test]
fn a_record_may_change_both() {
    let (mut world, _disk) = over_a_disk();
    let (alice, guest) = (world.add("alice", 1), add_guest(&mut world, "guest", 2));
    assert_eq!(world.commit(sent(alice, guest, "to the guest")), done(&[1, 1]));
    assert_eq!(world.commit(sent(guest, alice, "to alice")), done(&[2, 2]));
    let mut record = Record::of(set_contact(alice, contact("guest@example.org", 1)));
    record.push(set_contact(guest, contact("alice@example.org", 1)));
    record.push(received(guest, "third"));
    assert_eq!(world.commit(record), done(&[3]));
    assert_eq!((world.unseen(alice), world.unseen(guest)), (vec![2], vec![1, 3]));
    assert_eq!(world.roster(alice).1, ["guest@example.org"]);
    assert_eq!(world.roster(guest).1, ["alice@example.org"]);
    // A record that is refused for one changes nothing of the other.
    assert_eq!(world.commit(sent(guest, id(9), "to nobody")), Outcome::Gone);
    assert_eq!(world.commit(sent(alice, guest_id(9), "to nobody")), Outcome::Gone);
    assert_eq!((world.archive(alice).len(), world.archive(guest).len()), (2, 3));
}

#[test]
fn a_failed_commit_leaves_guests_untouched() {
    let (mut world, disk) = over_a_disk();
    let (alice, guest) = (world.add("alice", 1), add_guest(&mut world, "guest", 2));
    assert_eq!(world.commit(sent(alice, guest, "before")), done(&[1, 1]));
    for why in [Unavailable::Disk, Unavailable::DiskFull] {
        disk.faults.fail_commits(1, why);
        assert_eq!(world.commit(sent(alice, guest, "lost")), Outcome::Unavailable(why));
        assert_eq!((world.archive(alice).len(), world.archive(guest).len()), (1, 1));
    }
    disk.faults.fail_appends(2, Unavailable::Disk);
    let refused = Outcome::Unavailable(Unavailable::Disk);
    assert_eq!(world.batch(vec![sent(alice, guest, "lost"), sent(alice, guest, "next")]), [refused, done(&[2, 2])]);
    assert_eq!(world.commit(sent(guest, alice, "after")), done(&[3, 3]));
    assert_eq!((world.archive(alice).len(), world.archive(guest).len()), (3, 3));
}

#[test]
fn a_commit_whose_answer_was_lost_counts_for_guests_too() {
    let (mut world, disk) = over_a_disk();
    let (alice, guest) = (world.add("alice", 1), add_guest(&mut world, "guest", 2));
    disk.faults.fail_commits_after_storing(1, Unavailable::Disk);
    assert_eq!(world.commit(sent(alice, guest, "stored")), done(&[1, 1]));
    assert_eq!((world.archive(alice).len(), world.archive(guest).len()), (1, 1));
    // Even if nobody could tell at first.
    disk.faults.fail_commits_after_storing(1, Unavailable::Disk);
    disk.faults.fail_recoveries(1, Unavailable::Disk);
    assert_eq!(world.commit(sent(alice, guest, "stored")), Outcome::Unavailable(Unavailable::Disk));
    assert_eq!(world.archive(guest).len(), 1);
    assert_eq!(world.commit(sent(alice, guest, "after")), done(&[3, 3]));
    assert_eq!((world.archive(alice).len(), world.archive(guest).len()), (3, 3));
}

#[test]
fn guests_go_on_among_themselves_while_the_disk_is_broken() {
    let (mut world, disk) = over_a_disk();
    let (alice, guest) = (world.add("alice", 1), add_guest(&mut world, "guest", 2));
    disk.faults.fail_appends(2, Unavailable::DiskFull);
    let outcomes = world.batch(vec![Record::of(received(guest, "hello")), Record::of(received(alice, "lost"))]);
    assert_eq!(outcomes, [done(&[1]), Outcome::Unavailable(Unavailable::DiskFull)]);
    assert_eq!((world.unseen(guest), world.unseen(alice)), (vec![1], vec![]));
}

#[test]
fn a_restart_finds_no_guests() {
    let mut world = World::split();
    let (alice, guest) = (world.add("alice", 1), add_guest(&mut world, "guest", 2));
    world.commit(sent(guest, alice, "hello"));
    world.reopen();
    assert_eq!((world.account("guest"), world.archive(guest).len()), (None, 0));
    assert_eq!(world.unseen(alice), [1]);
    assert_eq!(world.one(received(guest, "late")), Outcome::Gone);
}

/// A row of about a megabyte; all of them share the bytes.
fn large(owner: AccountId, stanza: &Arc<metronome_proto::stanza::Stanza>) -> Record {
    let (direction, keep, stanza) = (Direction::Received, Keep::UntilSeen, Arc::clone(stanza));
    Record::of(Op::Append { owner, at_ms: 1, direction, keep, unseen: true, stanza })
}

#[test]
fn a_guest_is_full_at_its_bound_and_goes_on_when_there_is_room() {
    let mut world = World::split();
    let (alice, greedy) = (world.add("alice", 1), add_guest(&mut world, "greedy", 2));
    let other = add_guest(&mut world, "other", 3);
    let stanza = message(&"x".repeat(1 << 20));
    let rows = (GUEST_BYTES_MAX >> 20) as u64 - 1;
    for n in 1..=rows {
        assert_eq!(world.commit(large(greedy, &stanza)), done(&[n]));
    }
    assert_eq!(world.commit(large(greedy, &stanza)), Outcome::Full);
    let photo = card(&"x".repeat(1 << 20));
    assert_eq!(world.one(set_document(greedy, photo.clone())), Outcome::Full);
    let mut both = large(alice, &stanza);
    both.ops.extend(large(greedy, &stanza).ops);
    assert_eq!(world.commit(both), Outcome::Full);
    assert_eq!(world.archive(alice), [""; 0]);
    assert_eq!(world.commit(large(other, &stanza)), done(&[1]), "it is full for nobody else");
    assert_eq!(world.one(set_document(greedy, card(""))), done(&[]), "removing is always possible");
    world.one(seen(greedy, &[(1, 1)]));
    assert_eq!(world.one(set_document(greedy, photo.clone())), done(&[]));
    assert_eq!(world.commit(large(greedy, &stanza)), Outcome::Full);
    world.one(set_document(greedy, card("")));
    assert_eq!(world.commit(large(greedy, &stanza)), done(&[rows + 1]));
}

#[test]
fn all_guests_together_have_a_bound_and_what_is_forgotten_does_not_count() {
    let mut world = World::split();
    let stanza = message(&"x".repeat(1 << 20));
    let (mut stored, mut guests) = (0, Vec::new());
    'filling: for n in 1..=100 {
        let guest = add_guest(&mut world, &format!("guest{n}"), n);
        guests.push(guest);
        for _ in 0..(GUEST_BYTES_MAX >> 20) - 1 {
            match world.commit(large(guest, &stanza)) {
                Outcome::Done { .. } => stored += 1,
                outcome => {
                    assert_eq!(outcome, Outcome::Full);
                    break 'filling;
                }
            }
        }
    }
    assert_eq!(stored, (GUESTS_BYTES_MAX >> 20) - 1);
    let alice = world.add("alice", 1);
    assert_eq!(world.commit(large(alice, &stanza)), done(&[1]), "ordinary accounts are bounded by the disk");
    world.forget(guests[0]);
    world.finish_purge();
    assert_eq!(world.commit(large(guests[1], &stanza)), Outcome::Full, "its own bound");
    let late = add_guest(&mut world, "late", 99);
    assert_eq!(world.commit(large(late, &stanza)), done(&[1]));
}

#[test]
fn who_ends_does_so_even_where_a_guest_who_hears_of_it_is_full() {
    let mut world = World::split();
    let (alice, greedy) = (world.add("alice", 1), add_guest(&mut world, "greedy", 2));
    let stanza = message(&"x".repeat(1 << 20));
    while world.commit(large(greedy, &stanza)) != Outcome::Full {}
    let told = |version| set_contact(greedy, contact(&format!("alice{version}@localhost"), version));
    let full = (1..).find(|&version| world.one(told(version)) == Outcome::Full).unwrap();
    let mut record = Record::of(told(full));
    record.push(Op::ForgetAccount { id: alice });
    assert_eq!(world.commit(record), done(&[]));
}
