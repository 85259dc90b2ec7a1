//! Who waits, who is turned away, and how two meet.

use std::time::Duration;

use futures_util::FutureExt;

use super::*;

const TERMS: Terms = Terms {
    bytes_max: None,
    bytes_of_day_max: None,
    transfers_max: 1,
    bytes_per_second: 1 << 20,
    idle: Duration::from_secs(60),
};

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn streams() -> Arc<Bytestreams<&'static str>> {
    Arc::default()
}

fn hash(byte: u8) -> StreamHash {
    StreamHash([byte; 20])
}

#[test]
fn a_hash_is_forty_small_digits() {
    let written = "416781edf1ae50bad01cb8509ba35b43952bc345";
    assert_eq!(StreamHash::parse(written.as_bytes()).unwrap().to_string(), written);
    let capital = written.to_uppercase();
    for wrong in ["", &written[1..], &format!("{written}0"), &capital, &written.replace('4', "g")] {
        assert_eq!(StreamHash::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn two_who_name_the_same_meet_once_they_are_called() {
    let streams = streams();
    let (mut one, mut two) = (streams.wait(hash(1), address(1)).unwrap(), streams.wait(hash(1), address(2)).unwrap());
    let other = streams.wait(hash(2), address(2)).unwrap();
    assert_eq!(streams.wait(hash(1), address(3)).unwrap_err(), Turned::Third);
    assert!(one.called().now_or_never().is_none());
    let ready = streams.activate(hash(1), "a@b", TERMS, 0).unwrap();
    assert_eq!((streams.waiting(), streams.under_way()), (1, 1));
    assert_eq!(streams.activate(hash(1), "a@b", TERMS, 0).unwrap_err(), NotReady::Nobody);
    ready.begin();
    let Some(Some(Call::Carry(comes, transfer))) = one.called().now_or_never() else { panic!("the first carries") };
    let Some(Some(Call::HandOver(hand))) = two.called().now_or_never() else { panic!("the second hands over") };
    hand.send("the second").unwrap();
    assert_eq!(comes.now_or_never(), Some(Ok("the second")));
    drop((one, two, transfer));
    assert_eq!((streams.waiting(), streams.under_way()), (1, 0));
    drop(other);
    assert_eq!(streams.waiting(), 0);
    assert!(streams.table.lock().seats.is_empty() && streams.table.lock().of_address.is_empty());
}

#[test]
fn nobody_is_called_while_one_is_missing() {
    let streams = streams();
    assert_eq!(streams.activate(hash(1), "a@b", TERMS, 0).unwrap_err(), NotReady::Nobody);
    let one = streams.wait(hash(1), address(1)).unwrap();
    assert_eq!(streams.activate(hash(1), "a@b", TERMS, 0).unwrap_err(), NotReady::OneMissing);
    let two = streams.wait(hash(1), address(1)).unwrap();
    drop(one);
    assert_eq!(streams.activate(hash(1), "a@b", TERMS, 0).unwrap_err(), NotReady::OneMissing);
    drop(two);
    assert_eq!(streams.activate(hash(1), "a@b", TERMS, 0).unwrap_err(), NotReady::Nobody);
    assert_eq!(streams.under_way(), 0);
}

#[test]
fn an_account_that_may_have_no_more_leaves_both_waiting() {
    let streams = streams();
    let pairs: Vec<_> = (1..=2)
        .map(|byte| [streams.wait(hash(byte), address(byte)).unwrap(), streams.wait(hash(byte), address(9)).unwrap()])
        .collect();
    let first = streams.activate(hash(1), "a@b", TERMS, 0).unwrap();
    assert_eq!(streams.activate(hash(2), "a@b", TERMS, 0).unwrap_err(), NotReady::ManyOfAccount);
    assert_eq!(streams.waiting(), 2);
    // What did not begin is over for both.
    drop(first);
    let mut pairs = pairs.into_iter();
    for mut waiting in pairs.next().unwrap() {
        assert!(matches!(waiting.called().now_or_never(), Some(None)));
    }
    assert!(streams.activate(hash(2), "a@b", TERMS, 0).is_ok());
}

#[test]
fn an_address_has_so_many_and_all_have_so_many() {
    let streams = streams();
    let own: Vec<_> =
        (0..WAITING_OF_ADDRESS_MAX as u8).map(|byte| streams.wait(hash(byte), address(1)).unwrap()).collect();
    assert_eq!(streams.wait(hash(99), address(1)).unwrap_err(), Turned::OfAddress);
    drop(own);
    let household: Vec<_> = (100..130_u8)
        .map(|last| streams.wait(hash(last), [0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()].into()))
        .collect();
    assert_eq!(household.iter().filter(|waits| waits.is_ok()).count(), WAITING_OF_ADDRESS_MAX);
    assert!(streams.wait(hash(99), address(1)).is_ok());
    let mut number = 0_u32;
    let mut one_more = || {
        number += 1;
        let mut bytes = [0xff; 20];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        streams.wait(StreamHash(bytes), IpAddr::from((0x0a00_0000 + number).to_be_bytes()))
    };
    let mut all = Vec::new();
    while streams.waiting() < WAITING_MAX {
        all.push(one_more().unwrap());
    }
    assert_eq!(one_more().unwrap_err(), Turned::Full);
    assert!(streams.memory_usage() > 0);
}
