//! Documents, how much there is of them, and when accounts were last there.

use metronome_model::{Drawer, DrawerSize, LastSeen};

use crate::world::{World, card, document, done, id, last_seen, read, set_document};

over_each_backend!(
    a_document_comes_back_as_it_was_set,
    a_document_is_replaced_by_another_of_its_name,
    an_empty_document_removes_what_is_there,
    drawers_names_and_owners_do_not_mix,
    all_of_some_drawers_come_in_their_order,
    a_drawer_counts_documents_and_bytes,
    a_large_document_is_kept,
    last_seen_is_replaced,
);

const NOTES: &str = "<notes xmlns='urn:notes'>\u{e9} &lt; &amp;</notes>";

fn notes(xml: &str) -> metronome_model::Document {
    document(Drawer::Private, "urn:notes", "notes", xml)
}

fn a_document_comes_back_as_it_was_set(world: &mut World) {
    let alice = world.add("alice", 1);
    assert_eq!(world.document(alice, Drawer::Private, "urn:notes", "notes"), None);
    assert_eq!(world.one(set_document(alice, notes(NOTES))), done(&[]));
    world.reopen();
    assert_eq!(world.document(alice, Drawer::Private, "urn:notes", "notes").as_deref(), Some(NOTES));
    assert_eq!(world.document(id(9), Drawer::Private, "urn:notes", "notes"), None);
}

fn a_document_is_replaced_by_another_of_its_name(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(set_document(alice, notes(NOTES)));
    world.one(set_document(alice, notes("<notes xmlns='urn:notes'/>")));
    world.reopen();
    let found = world.document(alice, Drawer::Private, "urn:notes", "notes");
    assert_eq!(found.as_deref(), Some("<notes xmlns='urn:notes'/>"));
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Private)).count, 1);
}

fn an_empty_document_removes_what_is_there(world: &mut World) {
    let alice = world.add("alice", 1);
    world.one(set_document(alice, notes(NOTES)));
    world.one(set_document(alice, card("<vCard xmlns='vcard-temp'/>")));
    world.one(set_document(alice, notes("")));
    world.reopen();
    assert_eq!(world.document(alice, Drawer::Private, "urn:notes", "notes"), None);
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Private)), DrawerSize::default());
    assert!(world.document(alice, Drawer::Card, "vcard-temp", "vCard").is_some());
    let commits = world.faults.commits();
    assert_eq!(world.one(set_document(alice, notes(""))), done(&[]));
    assert_eq!(world.faults.commits(), commits, "nothing was there to remove");
}

fn drawers_names_and_owners_do_not_mix(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    let keys = [("urn:a", "x"), ("urn:a", "y"), ("urn:b", "x"), ("urn:ax", ""), ("", "urn:ax"), ("urn:a", "X")];
    for owner in [alice, bob] {
        for drawer in [Drawer::Private, Drawer::Card] {
            for (ns, name) in keys {
                world.one(set_document(owner, document(drawer, ns, name, &format!("{owner} {drawer:?} {ns} {name}"))));
            }
        }
    }
    world.one(set_document(bob, document(Drawer::Card, "urn:b", "x", "")));
    for owner in [alice, bob] {
        for drawer in [Drawer::Private, Drawer::Card] {
            for (ns, name) in keys {
                let gone = (owner, drawer, ns) == (bob, Drawer::Card, "urn:b");
                let expected = Some(format!("{owner} {drawer:?} {ns} {name}")).filter(|_| !gone);
                assert_eq!(world.document(owner, drawer, ns, name), expected);
            }
        }
    }
}

fn all_of_some_drawers_come_in_their_order(world: &mut World) {
    let (alice, bob) = (world.add("alice", 1), world.add("bob", 2));
    for owner in [alice, bob] {
        for drawer in Drawer::ALL.into_iter().rev() {
            for (ns, name) in [("urn:b", "x"), ("urn:a", "y"), ("urn:a", "x")] {
                world.one(set_document(owner, document(drawer, ns, name, &format!("{owner} {drawer:?} {ns} {name}"))));
            }
        }
    }
    let wanted: &[Drawer] = &[Drawer::Push, Drawer::Blocking];
    let found = read(world.store.documents(alice, wanted));
    let expected: Vec<_> = [Drawer::Blocking, Drawer::Push]
        .into_iter()
        .flat_map(|drawer| [("urn:a", "x"), ("urn:a", "y"), ("urn:b", "x")].map(|(ns, name)| (drawer, ns, name)))
        .map(|(drawer, ns, name)| document(drawer, ns, name, &format!("{alice} {drawer:?} {ns} {name}")))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(read(world.store.documents(alice, &[])), []);
    assert_eq!(read(world.store.documents(id(9), &Drawer::ALL)), []);
}

fn a_drawer_counts_documents_and_bytes(world: &mut World) {
    let alice = world.add("alice", 1);
    let all = [notes(NOTES), document(Drawer::Private, "urn:\u{e9}", "\u{e9}", "<\u{e9} xmlns='urn:\u{e9}'/>")];
    let bytes = all.iter().map(|document| document.len_bytes() as u64).sum();
    all.into_iter().for_each(|document| drop(world.one(set_document(alice, document))));
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Private)), DrawerSize { count: 2, bytes });
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Card)), DrawerSize::default());
    assert_eq!(read(world.store.drawer_size(id(9), Drawer::Private)), DrawerSize::default());
    world.one(set_document(alice, notes(&NOTES.replace('<', "< "))));
    assert_eq!(read(world.store.drawer_size(alice, Drawer::Private)), DrawerSize { count: 2, bytes: bytes + 2 });
}

fn a_large_document_is_kept(world: &mut World) {
    let alice = world.add("alice", 1);
    let photo = format!("<vCard xmlns='vcard-temp'><PHOTO><BINVAL>{}</BINVAL></PHOTO></vCard>", "QUJD".repeat(200_000));
    world.one(set_document(alice, card(&photo)));
    world.reopen();
    assert_eq!(world.document(alice, Drawer::Card, "vcard-temp", "vCard"), Some(photo));
}

fn last_seen_is_replaced(world: &mut World) {
    let alice = world.add("alice", 1);
    assert_eq!(read(world.store.last_seen(alice)), None);
    assert_eq!(world.one(last_seen(alice, 1_700_000_000_000, "")), done(&[]));
    assert_eq!(world.one(last_seen(alice, 1_700_000_000_001, "gone fishing \u{1F3A3}")), done(&[]));
    world.reopen();
    let expected = LastSeen { at_ms: 1_700_000_000_001, status: "gone fishing \u{1F3A3}".into() };
    assert_eq!(read(world.store.last_seen(alice)), Some(expected));
    assert_eq!(read(world.store.last_seen(id(9))), None);
}
