//! What protects sessions from those who guess, and the server from those who do not listen.

use std::collections::HashSet;

use futures_util::FutureExt;
use metronome_host::rng::Rng;
use metronome_proto::xml::Limits;
use tokio::io::AsyncWriteExt;

use super::state::OUTPUT_BYTES_MAX;
use super::*;

const IDS: usize = 1_000_000;

#[test]
fn a_million_names_are_different_and_each_of_their_bits_is_a_coin() {
    let rng = Rng::System;
    let mut seen = HashSet::with_capacity(IDS);
    let mut ones = [0u32; 128];
    for _ in 0..IDS {
        let name = rng.token();
        let bits = u128::from_str_radix(&name, 16).unwrap();
        assert!(name.len() == 32 && seen.insert(bits));
        for (at, ones) in ones.iter_mut().enumerate() {
            *ones += ((bits >> at) & 1) as u32;
        }
    }
    // Seven standard deviations: a generator that is right fails once in three thousand million runs.
    let (half, most) = (IDS as f64 / 2.0, 7.0 * (IDS as f64 / 4.0).sqrt());
    for (at, ones) in ones.into_iter().enumerate() {
        assert!((f64::from(ones) - half).abs() < most, "bit {at} is set in {ones} of {IDS}");
    }
}

fn read(inside: &str) -> Request {
    let xml = format!("<body xmlns='http://jabber.org/protocol/httpbind' {inside}/>");
    Request::read(xml.as_bytes(), Limits::CLIENT).unwrap()
}

#[tokio::test]
async fn what_nobody_asks_for_waits_within_a_bound() {
    let sessions = Arc::<Sessions>::default();
    let first = read("rid='1' to='a' wait='60' hold='1'");
    let terms = Terms::of(&first, "a");
    let (mut carrier, session) = sessions.begin("name".to_owned(), Privacy::Private, terms, 1);
    let stanza = format!("<message xmlns='jabber:client'><body>{}</body></message>", "x".repeat(1000));
    let header = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
    carrier.write_all(header.as_bytes()).await.unwrap();
    let mut written = 0;
    while carrier.write_all(stanza.as_bytes()).now_or_never().is_some() {
        written += stanza.len();
        assert!(written < 2 * OUTPUT_BYTES_MAX, "{written}");
    }
    assert!(written >= OUTPUT_BYTES_MAX);
    carrier.flush().await.unwrap();
    let answer = session.answer(first, 100).await;
    assert!(answer.body.len() >= OUTPUT_BYTES_MAX);
    assert!(carrier.write_all(stanza.as_bytes()).now_or_never().is_some(), "there is room again");
}

#[tokio::test]
async fn sessions_that_are_over_are_kept_while_there_are_not_too_many() {
    let sessions = Arc::<Sessions>::default();
    let first = read("rid='1' to='a' wait='60' hold='1'");
    let terms = Terms::of(&first, "a");
    let begun = OVER_BYTES_MAX / OVER_BYTES + 100;
    for number in 0..begun {
        drop(sessions.begin(number.to_string(), Privacy::Private, terms.clone(), 1));
    }
    assert!(sessions.find("0", Privacy::Private).is_some(), "its last answer can be had");
    assert!(sessions.find(&(begun - 1).to_string(), Privacy::Private).is_none());
    let table = sessions.0.lock();
    assert_eq!(table.by_name.len(), OVER_BYTES_MAX / OVER_BYTES);
    assert_eq!(table.over_bytes, OVER_BYTES_MAX);
}
