use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll, Waker};

use metronome_proto::ns;
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::stream::error::Condition;
use metronome_proto::xml::{Item, Limits, Scanner};

use super::*;
use crate::outbox::Frame;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const MAX: usize = 1 << 20;

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn stanza(from: &str, xml: &str) -> Arc<Stanza> {
    match Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes()) {
        Ok(Some(Item::Element(element))) => Arc::new(Received::read(element, ns::CLIENT).unwrap().stamp(jid(from))),
        other => panic!("{other:?}"),
    }
}

fn message(from: &str, id: usize) -> Arc<Stanza> {
    stanza(from, &format!("<message xmlns='jabber:client' to='x@gw.example' id='{id}'/>"))
}

fn component() -> Arc<Component> {
    Components::default().of(&jid("gw.example"))
}

/// The ids of what waits for a stream, in their order.
fn drain(attached: &Attached) -> Vec<String> {
    let mut out = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Drained::Stanzas(_) | Drained::Asks(_)) = attached.poll_drain(&mut cx, &mut out, usize::MAX) {
    }
    let text = String::from_utf8(out).unwrap();
    text.split("id='").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

fn push(component: &Component, stanza: Arc<Stanza>) {
    assert_eq!(component.push(stanza, 0, 0, MAX), Given::Queued);
}

#[test]
fn what_comes_while_it_is_away_is_flushed_in_order() {
    let component = component();
    for id in 0..3 {
        push(&component, message("a@b.example", id));
    }
    let given = component.push_announced(&jid("a@b.example"), Frame::whole(b"<presence id='p'/>".to_vec()), 0, 0, MAX);
    assert_eq!(given, Given::Queued);
    assert_eq!(component.report().waiting, 4);
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    assert_eq!(drain(&attached), ["0", "1", "2", "p"]);
    push(&component, message("a@b.example", 3));
    assert_eq!(drain(&attached), ["3"]);
    assert_eq!(component.report().bytes, 0);
}

#[test]
fn so_much_waits_and_one_sender_leaves_half_of_it_to_others() {
    let component = component();
    let fill = |payer: u64| {
        let mut queued = 0;
        while component.push(message("a@b.example", queued), payer, 0, 10_000) == Given::Queued {
            queued += 1;
        }
        queued
    };
    let of_one = fill(1);
    assert!((5..15).contains(&of_one), "{of_one}");
    assert_eq!((fill(1), fill(2), fill(3)), (0, of_one, 0));
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    assert!(!component.has_room(3, 10_000), "it has not read any of it");
    assert_eq!(drain(&attached).len(), 2 * of_one);
    assert!(component.has_room(1, 10_000));
    push(&component, message("a@b.example", 0));
}

#[test]
fn what_waits_for_too_long_comes_back_and_requests_before_the_rest() {
    let component = component();
    push(&component, message("a@b.example", 1));
    push(
        &component,
        stanza("a@b.example", "<iq xmlns='jabber:client' to='gw.example' type='get' id='2'><x xmlns='y'/></iq>"),
    );
    let _ = component.push_announced(&jid("a@b.example"), Frame::whole(b"<presence id='p'/>".to_vec()), 0, 0, MAX);
    let ids = |overdue: Vec<Overdue>| {
        overdue.iter().map(|overdue| overdue.stanza.id.as_deref().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(component.take_overdue(9_999, 60_000)), [""; 0]);
    assert_eq!(ids(component.take_overdue(10_000, 60_000)), ["2"]);
    assert_eq!(ids(component.take_overdue(60_000, 60_000)), ["1"], "nobody hears of presence that is told to many");
    assert_eq!((component.report().waiting, component.report().bytes), (0, 0));
}

#[test]
fn a_request_waits_for_a_component_that_may_be_back_at_once_and_no_longer() {
    let component = component();
    component.attach(1, ADDRESS, 1, 0).unwrap().detach(100_000);
    let request = "<iq xmlns='jabber:client' to='gw.example' type='get' id='2'><x xmlns='y'/></iq>";
    assert_eq!(component.push(stanza("a@b.example", request), 0, 105_000, MAX), Given::Queued);
    assert_eq!(component.take_overdue(109_999, 600_000).len(), 0);
    assert_eq!(component.take_overdue(110_000, 600_000).len(), 1);
    assert_eq!(component.push(stanza("a@b.example", request), 0, 200_000, MAX), Given::Queued);
    assert_eq!(component.take_overdue(200_000, 600_000).len(), 1, "it has been away for long");
}

/// Stores a message under this number.
fn store(component: &Arc<Component>, row: u64) {
    let message = message("a@b.example", row as usize);
    component.place(&message, 7, 0).fill(row, &message);
}

/// What the store need not keep.
fn done_to(component: &Component) -> Vec<u64> {
    component.take_done(|_, _| true).into_iter().map(|done| done.to).collect()
}

/// Asks whether what was written has arrived.
fn ask(attached: &Attached) -> Option<u64> {
    match attached.poll_drain(&mut Context::from_waker(Waker::noop()), &mut Vec::new(), 0) {
        Poll::Ready(Drained::Asks(number)) => Some(number),
        _ => None,
    }
}

#[test]
fn what_is_stored_is_done_once_a_ping_behind_it_is_answered() {
    let component = component();
    store(&component, 1);
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut drain_once = || attached.poll_drain(&mut cx, &mut Vec::new(), usize::MAX);
    assert_eq!(drain_once(), Poll::Ready(Drained::Stanzas(1)));
    assert_eq!(drain_once(), Poll::Ready(Drained::Asks(1)));
    store(&component, 2);
    assert_eq!(drain_once(), Poll::Ready(Drained::Stanzas(1)));
    assert_eq!(drain_once(), Poll::Pending, "one question at a time");
    assert_eq!(done_to(&component), [0; 0]);
    attached.answered(9);
    attached.answered(1);
    attached.answered(1);
    assert_eq!(done_to(&component), [1], "the second was written behind the question");
    assert_eq!(drain_once(), Poll::Ready(Drained::Asks(2)));
    attached.answered(2);
    assert_eq!((done_to(&component), component.report().bytes), (vec![2], 0));
}

#[test]
fn what_is_not_proved_is_sent_again_by_the_next_stream() {
    let component = component();
    (1..=3).for_each(|row| store(&component, row));
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    assert_eq!(drain(&attached), ["1", "2", "3"]);
    store(&component, 4);
    attached.detach(5);
    assert_eq!(component.report().waiting, 4);
    assert_eq!(drain(&component.attach(2, ADDRESS, 1, 6).unwrap()), ["1", "2", "3", "4"]);
}

#[test]
fn who_is_there_and_answers_no_ping_is_not_asked_again() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    store(&component, 1);
    drain(&attached);
    attached.asked(1, 5);
    attached.hears(6);
    component.look_for_answers(30_004);
    assert_eq!(done_to(&component), [0; 0]);
    component.look_for_answers(30_005);
    assert_eq!(done_to(&component), [1]);
    store(&component, 2);
    drain(&attached);
    assert_eq!((ask(&attached), done_to(&component), component.report().bytes), (None, vec![2], 0));
}

#[test]
fn who_hangs_has_nothing_of_what_was_written_to_it() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    attached.hears(5);
    store(&component, 1);
    drain(&attached);
    component.look_for_answers(u64::MAX);
    assert_eq!(done_to(&component), [0; 0], "the ping is not written");
    attached.asked(1, 5);
    component.look_for_answers(u64::MAX);
    assert_eq!(done_to(&component), [0; 0], "nothing was heard since");
    attached.detach(6);
    assert_eq!(drain(&component.attach(2, ADDRESS, 1, 6).unwrap()), ["1"]);
}

#[test]
fn who_has_answered_before_is_slow_and_waited_for() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    store(&component, 1);
    drain(&attached);
    attached.answered(1);
    store(&component, 2);
    drain(&attached);
    attached.asked(2, 1_000);
    attached.hears(2_000);
    component.look_for_answers(600_999);
    assert_eq!(done_to(&component), [1]);
    component.look_for_answers(601_000);
    assert_eq!(done_to(&component), [2]);
}

#[test]
fn a_stream_of_a_server_that_stops_ends_once_what_was_written_is_proved() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    store(&component, 1);
    let mut cx = Context::from_waker(Waker::noop());
    let mut drain_once = || attached.poll_drain(&mut cx, &mut Vec::new(), usize::MAX);
    assert_eq!(drain_once(), Poll::Ready(Drained::Stanzas(1)));
    store(&component, 2);
    attached.part();
    assert_eq!(drain_once(), Poll::Ready(Drained::Asks(1)));
    assert_eq!(drain_once(), Poll::Pending, "the second is for the next process");
    attached.answered(1);
    assert_eq!(drain_once(), Poll::Ready(Drained::Ends(Condition::SystemShutdown)));
    assert_eq!((done_to(&component), component.report().waiting), (vec![1], 1));
}

#[test]
fn of_streams_that_end_at_once_the_last_tells_since_when_it_is_away() {
    let component = component();
    let (first, second) = (component.attach(1, ADDRESS, 2, 3).unwrap(), component.attach(2, ADDRESS, 2, 4).unwrap());
    first.detach(70);
    assert_eq!(component.report().away_since_ms, None);
    drop(second);
    assert_eq!(component.report().away_since_ms, Some(4), "nobody has said when");
}

#[test]
fn a_stanza_that_is_not_stored_after_all_takes_no_room() {
    let component = component();
    let place = component.place(&message("a@b.example", 1), 7, 0);
    assert!(component.report().bytes > 0);
    drop(place);
    assert!(component.is_unused());
}

#[test]
fn what_is_stored_comes_back_with_its_number_and_is_done_when_it_is_returned() {
    let component = component();
    store(&component, 1);
    push(&component, message("a@b.example", 2));
    assert_eq!(component.take_volatile().len(), 1, "what is stored stays at the end of the server");
    let overdue = component.take_overdue(60_000, 60_000);
    assert_eq!(overdue.iter().map(|overdue| overdue.row).collect::<Vec<_>>(), [Some(1)]);
    assert!(!component.is_unused() && done_to(&component).is_empty());
    component.returned(1, &overdue[0].stanza);
    assert_eq!(done_to(&component), [1]);
    assert!(component.is_unused());
}

#[test]
fn one_sender_keeps_to_one_stream_and_many_are_spread() {
    let component = component();
    let streams: Vec<Attached> = (1..=4).map(|id| component.attach(id, ADDRESS, 4, 0).unwrap()).collect();
    assert_eq!(component.attach(5, ADDRESS, 4, 0).err(), Some(TooMany));
    for id in 0..400 {
        push(&component, message(&format!("user{}@b.example/r{}", id % 40, id % 3), id));
    }
    let drained: Vec<Vec<usize>> =
        streams.iter().map(|stream| drain(stream).iter().map(|id| id.parse().unwrap()).collect()).collect();
    assert_eq!(drained.iter().map(Vec::len).sum::<usize>(), 400);
    for (at, ids) in drained.iter().enumerate() {
        assert!(ids.is_sorted() && ids.len() > 20, "stream {at} has {}", ids.len());
        let others = drained.iter().enumerate().filter(|(other, _)| *other != at).flat_map(|(_, ids)| ids);
        assert!(others.into_iter().all(|id| !ids.iter().any(|own| own % 40 == id % 40)), "a sender has two streams");
    }
}

#[test]
fn what_a_lost_stream_did_not_write_goes_by_the_others_or_waits() {
    let component = component();
    let first = component.attach(1, ADDRESS, 2, 0).unwrap();
    for id in 0..3 {
        push(&component, message("a@b.example", id));
    }
    first.detach(5);
    assert_eq!((component.report().waiting, component.report().away_since_ms), (3, Some(5)));
    let second = component.attach(2, ADDRESS, 2, 0).unwrap();
    let third = component.attach(3, ADDRESS, 2, 0).unwrap();
    second.detach(6);
    assert_eq!(component.report().away_since_ms, None);
    assert_eq!(drain(&third), ["0", "1", "2"]);
}

#[test]
fn an_answer_goes_to_the_stream_that_has_asked() {
    let component = component();
    let streams: Vec<Attached> = (1..=3).map(|id| component.attach(id, ADDRESS, 3, 0).unwrap()).collect();
    for (at, stream) in streams.iter().enumerate() {
        let asked = format!("<iq xmlns='jabber:client' to='b.example' type='get' id='q{at}'><x xmlns='y'/></iq>");
        stream.note_sent(&stanza("gw.example", &asked));
    }
    for at in [2, 0, 1] {
        let answer = format!("<iq xmlns='jabber:client' to='gw.example' type='result' id='q{at}'/>");
        push(&component, stanza("b.example", &answer));
        assert_eq!(drain(&streams[at]), [format!("q{at}")]);
    }
}

#[test]
fn a_closed_stream_hears_why() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    component.close(Condition::HostGone);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(attached.poll_drain(&mut cx, &mut Vec::new(), 1), Poll::Ready(Drained::Ends(Condition::HostGone)));
    drop(attached);
    assert!(!component.is_connected());
}

#[test]
fn answers_are_said_at_the_end_and_the_rest_waits_for_the_next_stream() {
    let component = component();
    let attached = component.attach(1, ADDRESS, 1, 0).unwrap();
    push(&component, message("a@b.example", 1));
    push(&component, stanza("b.example", "<iq xmlns='jabber:client' to='gw.example' type='result' id='2'/>"));
    let mut out = Vec::new();
    attached.take_answers(&mut out);
    assert!(String::from_utf8(out).unwrap().contains("id='2'"));
    attached.detach(1);
    assert_eq!(drain(&component.attach(2, ADDRESS, 1, 2).unwrap()), ["1"]);
    assert_eq!(component.report().bytes, 0);
}
