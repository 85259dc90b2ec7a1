//! Domains that were added or switched off while the server ran.

use metronome_model::{HostOrigin, HostState, Op, StoredHost};

use crate::world::{HOST, World, done, read};

over_each_backend!(
    hosts_come_back_in_the_order_of_their_names,
    a_host_is_replaced_and_forgotten,
    forgetting_a_host_leaves_its_accounts,
);

fn host(name: &str, origin: HostOrigin, state: HostState) -> StoredHost {
    StoredHost { name: name.into(), origin, state }
}

fn set(host: &StoredHost) -> Op {
    Op::SetHost { host: Box::new(host.clone()) }
}

fn hosts_come_back_in_the_order_of_their_names(world: &mut World) {
    assert_eq!(read(world.store.hosts()), []);
    let mut all = [
        host("b.example", HostOrigin::Command, HostState::Enabled),
        host("a.example", HostOrigin::Configuration, HostState::Disabled),
        host("b.b.example", HostOrigin::Command, HostState::Disabled),
    ];
    all.iter().for_each(|host| assert_eq!(world.one(set(host)), done(&[])));
    world.reopen();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(read(world.store.hosts()), all);
}

fn a_host_is_replaced_and_forgotten(world: &mut World) {
    world.one(set(&host("a.example", HostOrigin::Command, HostState::Enabled)));
    let disabled = host("a.example", HostOrigin::Command, HostState::Disabled);
    world.one(set(&disabled));
    world.reopen();
    assert_eq!(read(world.store.hosts()), [disabled]);
    assert_eq!(world.one(Op::ForgetHost { name: "a.example".into() }), done(&[]));
    world.reopen();
    assert_eq!(read(world.store.hosts()), []);
    let commits = world.faults.commits();
    assert_eq!(world.one(Op::ForgetHost { name: "a.example".into() }), done(&[]));
    assert_eq!(world.faults.commits(), commits, "nothing was there to forget");
}

fn forgetting_a_host_leaves_its_accounts(world: &mut World) {
    world.add("alice", 1);
    world.one(set(&host(HOST, HostOrigin::Command, HostState::Enabled)));
    world.one(Op::ForgetHost { name: HOST.into() });
    assert!(world.account("alice").is_some());
}
