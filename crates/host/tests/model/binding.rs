//! The table of sessions: racing binds of one resource leave exactly one session, whoever goes takes only itself.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use metronome_model::AccountId;
use metronome_proto::jid::Jid;
use shuttle::thread;

use crate::check;
use crate::session::Bound;
use crate::sessions::{BindRules, Conflict, Sessions};

pub(crate) const ALICE: AccountId = AccountId::from_bytes([7; 16]);

pub(crate) fn bound(resource: &str) -> Bound {
    Bound {
        jid: Jid::parse(&format!("alice@localhost/{resource}")).unwrap(),
        account: ALICE,
        since_ms: 0,
        heard_ms: 0,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 5,
        mechanism: "PLAIN",
    }
}

fn rules(conflict: Conflict) -> BindRules {
    BindRules { sessions_max: 4, conflict }
}

#[test]
fn of_racing_binds_of_one_resource_exactly_one_session_stays() {
    check(|| {
        let sessions = Arc::new(Sessions::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let sessions = sessions.clone();
                thread::spawn(move || {
                    let binding = sessions.bind(bound("x"), rules(Conflict::KickOld), String::new).unwrap();
                    // The old one's teardown races with everything else, as when its stream ends.
                    let replaced = binding.replaced.map(|old| {
                        assert!(!sessions.remove(&old), "it was taken out when it was replaced");
                        old.serial
                    });
                    (binding.session.serial, replaced)
                })
            })
            .collect();
        let ends: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let left = sessions.of(ALICE);
        assert_eq!((left.len(), sessions.count()), (1, 1));
        let replaced: HashSet<u64> = ends.iter().filter_map(|(_, replaced)| *replaced).collect();
        assert_eq!(replaced.len(), 2, "each of the others was replaced once: {ends:?}");
        assert!(!replaced.contains(&left[0].serial));
        let named: Vec<_> = sessions.named("alice@localhost").iter().map(|session| session.serial).collect();
        assert_eq!(named, [left[0].serial], "the index by address knows the same");
        assert!(sessions.remove(&left[0]) && sessions.online("alice@localhost").is_none());
    });
}

#[test]
fn binding_removing_and_looking_agree_on_who_is_there() {
    check(|| {
        let sessions = Arc::new(Sessions::default());
        let threads: Vec<_> = ["x", "y", "x"]
            .into_iter()
            .map(|resource| {
                let sessions = sessions.clone();
                thread::spawn(move || {
                    let binding = sessions.bind(bound(resource), rules(Conflict::KickOld), String::new).unwrap();
                    let names: Vec<_> = sessions.of(ALICE).iter().map(|session| session.jid.clone()).collect();
                    let distinct: HashSet<_> = names.iter().collect();
                    assert_eq!(names.len(), distinct.len(), "no resource is there twice");
                    sessions.remove(&binding.session);
                    assert!(sessions.of(ALICE).iter().all(|other| other.serial != binding.session.serial));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((sessions.count(), sessions.all().len()), (0, 0));
    });
}

#[test]
fn a_refused_newcomer_leaves_the_session_that_was_there() {
    check(|| {
        let sessions = Arc::new(Sessions::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let sessions = sessions.clone();
                thread::spawn(move || sessions.bind(bound("x"), rules(Conflict::KickNew), String::new).is_ok())
            })
            .collect();
        let won = threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count();
        assert_eq!((won, sessions.count()), (1, 1));
    });
}
