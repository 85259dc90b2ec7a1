//! The rules of XEP-0124, one after the other.

use super::*;

struct Client {
    state: State,
    now: Instant,
    rid: u64,
}

const FIRST: u64 = 100;

fn read(inside: &str, payload: &str) -> Request {
    let xml = format!("<body xmlns='http://jabber.org/protocol/httpbind' {inside}>{payload}</body>");
    Request::read(xml.as_bytes(), Limits::CLIENT).unwrap()
}

fn said(answer: &mut oneshot::Receiver<Bytes>) -> Option<String> {
    answer.try_recv().ok().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

impl Client {
    fn new(inside: &str) -> Client {
        let request = read(&format!("rid='{FIRST}' to='a' {inside}"), "");
        let state = State::new(&Terms::of(&request, "a"), "name", FIRST);
        let mut client = Client { state, now: Instant::now(), rid: FIRST };
        let mut first = client.ask(request);
        client.write("<stream:features/>");
        if let Some(answer) = said(&mut first) {
            assert!(answer.contains(" sid='name' ") && answer.contains(" requests='2' "), "{answer}");
            assert!(answer.contains(" ack='100'"), "{answer}");
        }
        let header = String::from_utf8(std::mem::take(&mut client.state.input)).unwrap();
        assert!(header.starts_with("<stream:stream ") && header.ends_with(" to='a' version='1.0'>"), "{header}");
        client
    }

    fn usual() -> Client {
        Client::new("wait='60' hold='1'")
    }

    fn ask(&mut self, request: Request) -> oneshot::Receiver<Bytes> {
        let (reply, answer) = oneshot::channel();
        self.state.request(request, 100, reply, self.now);
        answer
    }

    fn say(&mut self, inside: &str, payload: &str) -> oneshot::Receiver<Bytes> {
        self.rid += 1;
        let rid = self.rid;
        self.ask(read(&format!("sid='name' rid='{rid}' {inside}"), payload))
    }

    fn again(&mut self, rid: u64) -> oneshot::Receiver<Bytes> {
        self.ask(read(&format!("sid='name' rid='{rid}'"), ""))
    }

    fn write(&mut self, xml: &str) {
        self.state.output.extend_from_slice(xml.as_bytes());
        self.state.flush(self.now);
    }

    fn input(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.state.input)).unwrap()
    }
}

#[test]
fn an_answer_waits_for_something_to_say_or_for_the_next_request() {
    let mut client = Client::usual();
    let mut first = client.say("", "<a/>");
    assert_eq!((said(&mut first), client.input().as_str()), (None, "<a/>"));
    let mut second = client.say("", "<b/>");
    assert_eq!(said(&mut first).unwrap(), "<body xmlns='http://jabber.org/protocol/httpbind' ack='102'/>");
    client.write("<c/>");
    assert!(said(&mut second).unwrap().ends_with("><c/></body>"));
    client.write("<d/>");
    assert!(said(&mut client.say("", "")).unwrap().contains("<d/>"));
}

#[test]
fn requests_are_taken_in_the_order_of_their_numbers() {
    let mut client = Client::usual();
    let mut later = client.ask(read(&format!("sid='name' rid='{}'", FIRST + 2), "<b/>"));
    assert_eq!(client.input(), "");
    let mut sooner = client.ask(read(&format!("sid='name' rid='{}'", FIRST + 1), "<a/>"));
    assert_eq!(client.input(), "<a/><b/>");
    assert!(said(&mut sooner).is_some() && said(&mut later).is_none());
}

#[test]
fn a_number_outside_of_the_window_ends_the_session() {
    for rid in [1, FIRST - 1, FIRST + 3, u64::MAX >> 12] {
        let mut client = Client::usual();
        let answer = said(&mut client.again(rid)).unwrap();
        assert!(answer.contains("condition='item-not-found'"), "{rid}: {answer}");
        assert!(said(&mut client.say("", "<a/>")).unwrap().contains("type='terminate'"));
        assert_eq!(client.input(), "", "nothing of it counts");
    }
}

#[test]
fn a_request_that_is_repeated_gets_its_answer_once_more_and_does_nothing() {
    let mut client = Client::usual();
    drop(client.say("", "<a/>"));
    client.write("<answer/>");
    assert_eq!(client.input(), "<a/>");
    for _ in 0..3 {
        let rid = client.rid;
        assert!(said(&mut client.again(rid)).unwrap().contains("<answer/>"));
    }
    assert_eq!(client.input(), "");
    // One that still waits is asked for anew on another connection.
    let mut waits = client.say("", "");
    let rid = client.rid;
    let mut again = client.again(rid);
    assert!(said(&mut waits).unwrap().contains("type='error'"));
    client.write("<b/>");
    assert!(said(&mut again).unwrap().contains("<b/>"));
}

#[test]
fn who_has_gone_silent_is_let_go_unless_it_said_so() {
    let mut client = Client::usual();
    assert_eq!(client.state.idle_until(), Some(client.now + INACTIVITY));
    let held = client.say("", "");
    assert_eq!(client.state.idle_until(), None, "somebody waits");
    drop(held);
    client.state.left(client.now);
    assert_eq!(client.state.idle_until(), Some(client.now + INACTIVITY), "the connection is lost");
    client.now += Duration::from_secs(10);
    let mut pause = client.say("pause='100'", "");
    assert_eq!(said(&mut pause).unwrap(), "<body xmlns='http://jabber.org/protocol/httpbind'/>");
    assert_eq!(client.state.idle_until(), Some(client.now + Duration::from_secs(100)));
    drop(client.say("pause='9999'", ""));
    assert_eq!(client.state.idle_until(), Some(client.now + PAUSE_MAX));
}

#[test]
fn who_asks_for_nothing_too_often_is_sent_away() {
    let mut polls = Client::new("wait='0' hold='0'");
    assert!(said(&mut polls.say("", "")).unwrap().contains("features"));
    for _ in 0..3 {
        polls.now += POLLING;
        assert!(!said(&mut polls.say("", "")).unwrap().contains("terminate"));
    }
    polls.now += POLLING / 2;
    assert!(said(&mut polls.say("", "")).unwrap().contains("condition='policy-violation'"));
    let mut holds = Client::usual();
    let _held = holds.say("", "");
    assert!(said(&mut holds.say("", "")).unwrap().contains("condition='policy-violation'"));
    // Who was told something may ask for more at once.
    let mut told = Client::usual();
    for _ in 0..10 {
        let mut answer = told.say("", "");
        told.write("<a/>");
        assert!(said(&mut answer).unwrap().contains("<a/>"));
    }
}

#[test]
fn keys_must_follow_from_each_other() {
    let hash = |text: &str| Sha1::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (one, two) = (hash("seed"), hash(&hash("seed")));
    let last = hash(&two);
    let mut client = Client::new(&format!("wait='60' hold='1' newkey='{}'", last.to_uppercase()));
    drop(client.say(&format!("key='{two}'"), "<a/>"));
    let other = hash("other");
    drop(client.say(&format!("key='{one}' newkey='{}'", hash(&other)), "<b/>"));
    drop(client.say(&format!("key='{other}'"), "<c/>"));
    assert_eq!(client.input(), "<a/><b/><c/>");
    for key in [String::new(), format!("key='{one}'")] {
        let mut forger = Client::new(&format!("wait='60' hold='1' newkey='{last}'"));
        let answer = said(&mut forger.say(&key, "<a/>")).unwrap();
        assert!(answer.contains("condition='item-not-found'"), "{answer}");
        assert_eq!(forger.input(), "");
    }
}

#[test]
fn a_restart_waits_until_the_stream_is_over() {
    let mut client = Client::usual();
    drop(client.say("xmlns:x='urn:xmpp:xbosh' x:restart='true' to='a'", ""));
    drop(client.say("", "<iq/>"));
    assert_eq!(client.input(), "");
    client.state.restart();
    assert!(client.input().ends_with("version='1.0'><iq/>"));
    client.state.restart();
    assert_eq!(client.input(), "");
    drop(client.say("xmlns:x='urn:xmpp:xbosh' x:restart='true' to='b'", ""));
    assert!(client.input().contains(" to='b' "));
}

#[test]
fn the_end_is_told_to_who_waits_and_to_who_comes_later() {
    let mut client = Client::usual();
    let mut held = client.say("", "");
    let mut end = client.say("type='terminate'", "<presence/>");
    assert_eq!(client.input(), "<presence/></stream:stream>");
    assert!(said(&mut held).unwrap().contains("type='terminate'"));
    assert_eq!(said(&mut end).unwrap(), "<body xmlns='http://jabber.org/protocol/httpbind'/>");
    assert!(client.state.is_read());
    let mut client = Client::usual();
    client.state.output.extend_from_slice(b"<stream:error/>");
    client.state.end(Over::Stream(Some(Condition::RemoteStreamError)));
    let answer = said(&mut client.say("", "")).unwrap();
    assert!(answer.contains("condition='remote-stream-error'") && answer.contains("<stream:error/>"), "{answer}");
}

#[test]
fn what_was_said_just_before_the_end_was_perhaps_never_read() {
    let mut client = Client::usual();
    drop(client.say("", ""));
    client.write("<message/>");
    drop(client.say("type='terminate'", ""));
    assert!(!client.state.is_read());
    let mut client = Client::usual();
    drop(client.say("", ""));
    client.write("<message/>");
    drop(client.say("", ""));
    drop(client.say("type='terminate'", ""));
    assert!(client.state.is_read());
    client.state.output.extend_from_slice(b"<message/>");
    assert!(!client.state.is_read());
}

#[test]
fn a_client_that_has_not_logged_in_says_little_and_none_fills_the_memory() {
    let mut client = Client::usual();
    let (reply, mut answer) = oneshot::channel();
    client.state.request(read(&format!("sid='name' rid='{}'", FIRST + 1), "<a/>"), 100_000, reply, client.now);
    assert!(said(&mut answer).unwrap().contains("condition='policy-violation'"));
    let mut client = Client::usual();
    client.state.limits = Limits::CLIENT;
    let large = format!("<a>{}</a>", "x".repeat(INPUT_BYTES_MAX));
    drop(client.say("", &large));
    let mut waits = client.say("", "<b/>");
    assert!(said(&mut waits).is_none());
    assert!(client.input().len() < INPUT_BYTES_MAX + 100);
    client.state.take(client.now);
    assert_eq!(client.input(), "<b/>");
}

/// Found by reading: what was said behind a restart that never came was bounded by nothing.
#[test]
fn what_is_said_to_a_stream_that_does_not_begin_fills_no_memory() {
    let mut client = Client::new("wait='0' hold='0'");
    drop(client.say("xmlns:x='urn:xmpp:xbosh' x:restart='true' to='a'", ""));
    let piece = format!("<a>{}</a>", "x".repeat(15_000));
    let mut taken = 0;
    while client.say("", &piece).try_recv().is_ok() && taken < 100 {
        taken += 1;
    }
    assert!(taken * piece.len() < 2 * INPUT_BYTES_MAX, "{taken} of them");
    assert!(client.state.next.as_ref().unwrap().len() < 2 * INPUT_BYTES_MAX);
    // Once it begins, what waits is taken.
    client.state.restart();
    assert!(client.input().ends_with("</a>"));
    client.state.take(client.now);
    assert_eq!(client.input(), piece);
}

#[test]
fn a_session_that_is_over_keeps_its_last_answer_and_no_other() {
    let mut client = Client::usual();
    let mut held = client.say("", "<a/>");
    client.write(&format!("<b>{}</b>", "x".repeat(50_000)));
    assert!(said(&mut held).is_some());
    client.state.output.extend_from_slice(b"<stream:error/>");
    client.state.end(Over::Stream(Some(Condition::RemoteStreamError)));
    assert_eq!(client.state.keep_last_answer(), "<stream:error/>".len());
    assert!(client.state.sent.is_empty() && client.state.input.capacity() == 0);
    assert!(said(&mut client.say("", "")).unwrap().contains("<stream:error/>"));
}

#[test]
fn an_answer_says_up_to_which_number_requests_have_come_where_that_is_more_than_its_own() {
    let mut client = Client::usual();
    let mut first = client.say("", "<a/>");
    client.write("<b/>");
    assert!(!said(&mut first).unwrap().contains("ack="), "it is its own");
    // The one before it is missing: it is not among those that have come.
    let mut early = client.ask(read(&format!("sid='name' rid='{}'", FIRST + 3), "<c/>"));
    assert!(said(&mut early).is_none());
    let mut second = client.ask(read(&format!("sid='name' rid='{}'", FIRST + 2), ""));
    assert!(said(&mut second).unwrap().contains(&format!(" ack='{}'", FIRST + 3)));
}

#[test]
fn a_client_that_misses_an_answer_is_told_when_it_was_given() {
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    drop(client.say("", ""));
    client.write("<lost/>");
    client.now += REPORT_AFTER;
    let mut next = client.say(&format!("ack='{FIRST}'"), "");
    let answer = said(&mut next).unwrap();
    assert!(answer.contains(&format!(" report='{}' time='2000'", FIRST + 1)), "{answer}");
    // Once: whoever asks as before waits for something new.
    let mut waits = client.say(&format!("ack='{FIRST}'"), "");
    assert!(said(&mut waits).is_none());
    assert!(said(&mut client.again(FIRST + 1)).unwrap().contains("<lost/>"));
}

#[test]
fn an_answer_that_is_on_its_way_is_not_lost() {
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    drop(client.say("", ""));
    client.write("<a/>");
    let mut next = client.say(&format!("ack='{FIRST}'"), "");
    assert!(said(&mut next).is_none());
    // Who does not say what it has had is not told what it has not.
    let mut silent = Client::usual();
    drop(silent.say("", ""));
    silent.write("<a/>");
    silent.now += REPORT_AFTER;
    assert!(said(&mut silent.say(&format!("ack='{FIRST}'"), "")).is_none());
}

#[test]
fn answers_that_were_not_had_are_kept_for_a_while_longer() {
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    for count in 0..KEPT_MAX {
        drop(client.say(&format!("ack='{FIRST}'"), ""));
        client.write(&format!("<n{count}/>"));
    }
    assert!(said(&mut client.again(FIRST + 1)).unwrap().contains("<n0/>"));
    drop(client.say(&format!("ack='{FIRST}'"), ""));
    client.write("<one-more/>");
    assert!(said(&mut client.again(FIRST + 1)).unwrap().contains("condition='item-not-found'"));
}

#[test]
fn a_client_that_acknowledges_has_read_what_it_says() {
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    drop(client.say("", ""));
    client.write("<message/>");
    // Nothing is missing: it has had the answer.
    drop(client.say("type='terminate'", ""));
    assert!(client.state.is_read());
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    drop(client.say("", ""));
    client.write("<message/>");
    drop(client.say(&format!("type='terminate' ack='{FIRST}'"), ""));
    assert!(!client.state.is_read());
    // Nobody has had what was not said.
    let mut client = Client::new("wait='60' hold='1' ack='1'");
    drop(client.say("", ""));
    client.write("<message/>");
    client.write("<message/>");
    drop(client.say("type='terminate' ack='9007199254740991'", ""));
    assert!(!client.state.is_read());
}
