//! Two that show one session's presence to another at the same time. Whatever the schedule, what was shown last is what is.

use std::task::{Context, Waker};

use metronome_proto::jid::Jid;
use metronome_proto::stanza::presence::PresenceType;
use metronome_proto::stanza::{Kind, Stanza};
use shuttle::thread;

use crate::announcement::Announcement;
use crate::binding::bound;
use crate::check;
use crate::session::Presence;
use crate::sessions::{BindRules, Conflict, Sessions};

/// The presence number `number` of a session, told apart by its id.
fn presence(of: &Jid, number: u32) -> Presence {
    let stanza = Stanza::new(Kind::Presence(PresenceType::Available), of.clone()).with_id(&format!("p{number}"));
    Presence { priority: -1, announcement: Announcement::new(&stanza) }
}

#[test]
fn what_was_shown_last_is_what_is() {
    check(|| {
        const CHANGES: u32 = 3;
        let sessions = Sessions::default();
        let rules = BindRules { sessions_max: 2, conflict: Conflict::KickOld };
        let session = sessions.bind(bound("x"), rules, String::new).unwrap().session;
        let viewer = sessions.bind(bound("y"), rules, String::new).unwrap().session;
        viewer.set_presence(Some(presence(&viewer.jid, 0)));
        session.set_presence(Some(presence(&session.jid, 0)));

        // Its own task: each change is made, then shown.
        let own = {
            let (session, viewer) = (session.clone(), viewer.clone());
            thread::spawn(move || {
                for number in 1..=CHANGES {
                    let next = presence(&session.jid, number);
                    let announcement = next.announcement.clone();
                    session.set_presence(Some(next));
                    let _ = viewer.show(&announcement, || announcement.to("z@localhost"));
                }
            })
        };
        // A worker: a subscription has begun.
        let worker = {
            let (session, viewer) = (session.clone(), viewer.clone());
            thread::spawn(move || {
                let _ = session.show_to(&viewer);
            })
        };
        own.join().unwrap();
        worker.join().unwrap();
        let mut written = Vec::new();
        let _ = viewer.poll_drain(&mut Context::from_waker(Waker::noop()), &mut written, usize::MAX);
        let written = String::from_utf8(written).unwrap();
        let last = written.rsplit("<presence").next().unwrap();
        assert!(last.contains(&format!("id='p{CHANGES}'")), "{written}");
    });
}
