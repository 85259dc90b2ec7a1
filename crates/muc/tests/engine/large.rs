//! Rooms with many people in them: who is shown to whom, and how much is made of what one of them says or does.

use metronome_muc::config::*;
use metronome_muc::{Audience, Decision, Effect, Entry, Facts, Input, Limits, Standing, To, decide};
use metronome_proto::payload::muc::{Join, Role};
use metronome_proto::stanza::{Kind, MessageType, Stanza};

use crate::world::{World, content, is_gone, jid};

const OWNER: &str = "owner@x.lit/a";

fn person(n: usize) -> String {
    format!("p{n}@x.lit/a")
}

/// The owner, and so many others who are participants.
fn room(count: usize, quiet_above: &str) -> World {
    let mut world = World::new();
    world.enter(OWNER, "owner").unwrap();
    world.configure(OWNER, &[(QUIET_ABOVE.var, quiet_above)]).unwrap();
    for n in 0..count {
        world.enter(&person(n), &format!("p{n}")).unwrap();
    }
    world.forget();
    world
}

fn decided(world: &World, from: &str, input: &Input<'_>) -> Decision {
    let from = jid(from);
    let (limits, table) = (Limits::default(), Table::default());
    let facts = Facts {
        from: &from,
        standing: Standing::Ordinary,
        account: None,
        now_ms: 1,
        random: [0; 16],
        limits: &limits,
        table: &table,
    };
    decide(world.room(), &facts, input).unwrap()
}

/// One body for everybody and one for the archive, however many are there.
#[test]
fn a_message_is_made_once_for_all() {
    for count in [3, 300] {
        let world = room(count, "");
        let stanza =
            Stanza::new(Kind::Message(MessageType::Groupchat), jid(OWNER)).with_content(content("<body>x</body>"));
        let decision = decided(&world, OWNER, &Input::Say(&stanza, None));
        let [Effect::Send(sent)] = &decision.effects[..] else { panic!("{:?}", decision.effects) };
        assert_eq!(sent.to, To::Everyone);
        assert_eq!(decision.archive.len(), 1);
    }
}

/// Who enters gets one stanza for each of the others, and all others together get at most two.
#[test]
fn who_enters_is_written_at_most_twice_for_all_others() {
    for count in [3, 300] {
        let world = room(count, "");
        let (presence, join) = (content("<show>away</show>"), Join::default());
        let entry = Entry { nick: "new", presence: &presence, id: None, join: &join, past: &[] };
        let decision = decided(&world, "new@x.lit/a", &Input::Enter(entry));
        assert!(decision.is_volatile(), "nothing is stored");
        let one = To::One(jid("new@x.lit/a"));
        let run: Vec<_> =
            decision.effects.iter().map(|effect| matches!(effect, Effect::Send(sent) if sent.to == one)).collect();
        let own = run.iter().take_while(|is_own| **is_own).count();
        // All others, itself and the subject.
        assert_eq!(own, count + 3);
        assert_eq!(run.len() - own, 2, "with addresses and without");
        for (n, occupant) in world.room().occupants().enumerate() {
            let Effect::Send(sent) = &decision.effects[n] else { panic!() };
            assert_eq!(sent.from.resource(), Some(&*occupant.nick));
        }
    }
}

#[test]
fn above_a_size_those_who_come_are_heard_and_not_shown() {
    let mut world = room(3, "4");
    world.enter("late@x.lit/a", "late").unwrap();
    assert_eq!(world.room().occupant("late").unwrap().audience, Audience::Nobody);
    assert!(world.take(OWNER).is_empty() && world.take(&person(0)).is_empty());
    assert_eq!(world.take("late@x.lit/a").len(), 6, "it sees those who were there before, itself, and the subject");
    world.enter("later@x.lit/a", "later").unwrap();
    assert!(world.take("later@x.lit/a").iter().all(|got| !got.contains("/late'")));
    world.forget();
    world.say("late@x.lit/a", "<body>x</body>").unwrap();
    assert_eq!(world.take(&person(0)).len(), 1, "everybody hears it");
    world.update("late@x.lit/a", "newname", "").unwrap();
    world.leave("late@x.lit/a").unwrap();
    assert!(world.take(&person(0)).is_empty());
    let voices = world.list(OWNER, "<item role='participant'/>").unwrap();
    assert!(voices.contains("nick='later'") && voices.contains("later@x.lit/a"), "moderators find them: {voices}");
}

#[test]
fn who_moderates_a_large_room_is_shown_and_stays_so() {
    let mut world = room(3, "4");
    world.enter("late@x.lit/a", "late").unwrap();
    world.enter("later@x.lit/a", "later").unwrap();
    world.forget();
    world.admin(OWNER, "<item nick='late' role='moderator'/>").unwrap();
    assert!(world.take(&person(0))[0].contains("/late'"));
    assert!(world.take("late@x.lit/a").iter().all(|got| !got.contains("/later'")));
    world.admin(OWNER, "<item nick='late' role='participant'/>").unwrap();
    assert_eq!(world.room().occupant("late").unwrap().audience, Audience::Everybody, "who was shown stays so");
    world.forget();
    world.leave("late@x.lit/a").unwrap();
    assert!(is_gone(&world.take(&person(0))[0]), "nobody is left behind in a list");
}

#[test]
fn who_is_hidden_is_shown_again_when_the_room_is_smaller() {
    let mut world = room(3, "4");
    world.enter("late@x.lit/a", "late").unwrap();
    world.leave(&person(0)).unwrap();
    world.forget();
    world.update("late@x.lit/a", "late", "").unwrap();
    assert!(world.take(&person(1))[0].contains("/late'"));
    assert_eq!(world.room().occupant("late").unwrap().role, Role::Participant);
}

#[test]
fn what_is_configured_of_presence_counts_from_the_next_presence_on() {
    let mut world = room(2, "");
    world.configure(OWNER, &[(PRESENCE_BROADCAST.var, "moderator")]).unwrap();
    world.forget();
    world.update(&person(0), "p0", "<show>away</show>").unwrap();
    let got = world.take(&person(1));
    assert!(got.len() == 1 && is_gone(&got[0]), "from now on it is not shown: {got:?}");
    world.leave(&person(1)).unwrap();
    let got = world.take(&person(0));
    assert!(got.iter().any(|got| is_gone(got) && got.contains("/p1'")), "who was shown is seen leaving");
}

#[test]
fn members_who_are_not_there_are_shown_where_the_room_wants_it() {
    let mut world = room(1, "");
    world.admin(OWNER, "<item affiliation='member' jid='away@x.lit' nick='faraway'/>").unwrap();
    world.forget();
    for (value, code) in [("1", "102"), ("0", "103"), ("1", "102")] {
        world.configure(OWNER, &[(SHOW_ABSENT.var, value)]).unwrap();
        let told = world.take(&person(0));
        assert!(told[0].contains(&format!("<status code='{code}'/>")) && !told[0].contains("'104'"), "{told:?}");
    }
    world.enter("new@x.lit/a", "new").unwrap();
    let got = world.take("new@x.lit/a");
    let at = got.iter().position(|got| is_gone(got) && got.contains("/faraway'")).unwrap();
    assert!(
        got[at].contains("<item affiliation='member' role='none'/>") && !got[at].contains("away@x.lit"),
        "{}",
        got[at]
    );
    assert!(at < got.iter().position(|got| got.contains("code='110'")).unwrap());
    world.enter("away@x.lit/a", "faraway").unwrap();
    world.forget();
    world.enter("other@x.lit/a", "other").unwrap();
    assert!(world.take("other@x.lit/a").iter().all(|got| !is_gone(got)), "who is there is not absent");
}
