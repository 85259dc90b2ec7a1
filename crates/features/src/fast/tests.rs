//! When tokens end and when there are new ones, on a server in memory with a clock that is moved.

use std::sync::Arc;

use metronome_host::options::Values;
use metronome_host::server::{ForTest, only_answer};
use metronome_store::backend::memory;
use metronome_model::Role;

use super::*;

const EPOCH: u32 = 3;

fn account(state: AccountState) -> Account {
    let (host, name) = ("localhost".into(), "alice".into());
    Account { id: AccountId::from_bytes([1; 16]), host, name, role: Role::User, state, auth_epoch: EPOCH, created_ms: 0 }
}

fn issued(salt: u8, auth_epoch: u32, expires_ms: u64) -> Issued {
    let (mechanism, salt) = (MechanismName::HtSha256None, [salt; 16]);
    Issued { mechanism, salt, auth_epoch, issued_ms: 0, expires_ms, count: None }
}

#[test]
fn a_token_ends_with_its_time_and_with_the_password_that_it_was_given_for() {
    let (active, good) = (account(AccountState::Active), issued(1, EPOCH, 100));
    assert_eq!(judge(&good, &active, None, 99), Ok(()));
    assert_eq!(judge(&good, &active, None, 100), Err(Failure::CredentialsExpired));
    assert_eq!(judge(&issued(1, EPOCH - 1, 100), &active, None, 0), Err(Failure::CredentialsExpired));
    assert_eq!(judge(&good, &account(AccountState::Locked), None, 0), Err(Failure::CredentialsExpired));
}

#[test]
fn a_count_only_grows() {
    let (active, fresh) = (account(AccountState::Active), issued(1, EPOCH, 100));
    let used = Issued { count: Some(7), ..fresh.clone() };
    for (count, may) in [(None, true), (Some(8), true), (Some(7), false), (Some(0), false)] {
        let judged = judge(&used, &active, count, 0);
        assert_eq!(judged.is_ok(), may, "{count:?}");
    }
    assert_eq!(judge(&fresh, &active, Some(0), 0), Ok(()));
}

#[test]
fn room_is_made_by_what_nobody_can_use_and_then_by_what_ends_first() {
    let active = account(AccountState::Active);
    let client = |number: usize, issued: Issued| {
        let slots = Slots { new: None, current: Some(issued) };
        (slots.document(&format!("{number:08x}-0000-4000-8000-000000000000")), slots)
    };
    let many = (1..=CLIENTS_MAX).map(|number| client(number, issued(1, EPOCH, 1_000 + number as u64)));
    let dead = [client(100, issued(1, EPOCH - 1, 5_000)), client(101, issued(1, EPOCH, 10))];
    let removed = make_room(many.chain(dead).collect(), &active, 10);
    let names: Vec<_> = removed.iter().map(|document| &document.name[7..15]).collect();
    assert_eq!(names, ["00000001", "00000065", "00000064"]);
    assert!(removed.iter().all(|document| document.xml.is_empty()));
    assert!(make_room(vec![client(1, issued(1, EPOCH, 100))], &active, 10).is_empty());
}

const CLIENT: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const HOUR_MS: u64 = 3_600_000;
const USE: Use = Use { count: None, ends: Ends::Later };

async fn server() -> (Arc<Server>, Arc<Host>, Account) {
    let values = Values::defaults(&[metronome_host::hosts::SETTINGS, FEATURE.settings]);
    let parts = ForTest { opened: memory::open(), values, features: &[], domains: &["localhost"], seed: 1 };
    let server = Server::for_test(parts, only_answer);
    let (server, account) = (server.unwrap(), account(AccountState::Active));
    let add = Op::AddAccount { account: Box::new(account.clone()), keys: Vec::new() };
    assert!(server.commit(Record::of(add)).await.is_done());
    let host = server.hosts.load().get("localhost").unwrap().clone();
    let stored = server.store.account("localhost", "alice").await.unwrap().unwrap();
    (server, host, stored)
}

/// Logs in with a token; none if it is not one of the client's.
async fn log_in(server: &Server, host: &Host, account: &Account, token: &str, uses: Use) -> Option<Result<Option<Tree>, Failure>> {
    let candidates = candidates(server, Some(account), Some(CLIENT), MechanismName::HtSha256None).await.unwrap();
    let tokens = candidates.tokens(server, Some(account.id), Some(CLIENT));
    let proved = tokens.iter().position(|candidate| candidate.expose() == token)?;
    let what = Redeemed { account, client: CLIENT, candidates: &candidates, proved, uses, wants: None };
    Some(redeem(server, host, what).await)
}

async fn given(server: &Server, host: &Host, account: &Account) -> String {
    text(&give(server, host, account, CLIENT, MechanismName::HtSha256None).await.unwrap().unwrap())
}

fn text(token: &Tree) -> String {
    token.get_attr("token").unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_rotated_before_it_ends_and_the_old_one_is_good_until_then() {
    let (server, host, account) = server().await;
    let first = given(&server, &host, &account).await;
    server.clock.advance(7 * 24 * HOUR_MS);
    assert_eq!(log_in(&server, &host, &account, &first, USE).await, Some(Ok(None)), "too early");
    server.clock.advance(HOUR_MS * 24);
    let second = text(&log_in(&server, &host, &account, &first, USE).await.unwrap().unwrap().unwrap());
    // It never arrived: there is another, and this one ends.
    let third = text(&log_in(&server, &host, &account, &first, USE).await.unwrap().unwrap().unwrap());
    assert_eq!(log_in(&server, &host, &account, &second, USE).await, None);
    assert_eq!(log_in(&server, &host, &account, &third, USE).await, Some(Ok(None)));
    assert_eq!(log_in(&server, &host, &account, &first, USE).await, None, "the third was used");
    server.clock.advance(30 * 24 * HOUR_MS);
    assert_eq!(log_in(&server, &host, &account, &third, USE).await, Some(Err(Failure::CredentialsExpired)));
}

#[tokio::test]
async fn who_ends_a_token_gets_no_other_and_has_none_left() {
    let (server, host, account) = server().await;
    let token = given(&server, &host, &account).await;
    server.clock.advance(10 * 24 * HOUR_MS);
    let ends = Use { ends: Ends::Now, ..USE };
    assert_eq!(log_in(&server, &host, &account, &token, ends).await, Some(Ok(None)));
    assert_eq!(log_in(&server, &host, &account, &token, USE).await, None);
    assert_eq!(server.store.drawer_size(account.id, Drawer::Tokens).await.unwrap().count, 0);
}

#[tokio::test]
async fn of_two_uses_with_one_count_one_gets_in() {
    let (server, host, account) = server().await;
    let token = given(&server, &host, &account).await;
    let counted = Use { count: Some(1), ..USE };
    let both = tokio::join!(
        log_in(&server, &host, &account, &token, counted),
        log_in(&server, &host, &account, &token, counted)
    );
    let let_in = [both.0, both.1].into_iter().flatten().filter(Result::is_ok).count();
    assert_eq!(let_in, 1);
}

#[tokio::test]
async fn an_account_has_a_bounded_number_of_clients_with_tokens() {
    let (server, host, account) = server().await;
    for number in 0..CLIENTS_MAX + 5 {
        let client = format!("{number:08x}-4d72-4749-b3d3-740edbf87770");
        server.clock.advance(1);
        let given = give(&server, &host, &account, &client, MechanismName::HtSha256None).await;
        assert!(given.is_ok_and(|given| given.is_some()));
    }
    let size = server.store.drawer_size(account.id, Drawer::Tokens).await.unwrap();
    assert_eq!(size.count, CLIENTS_MAX as u64);
    assert!(size.bytes < 16 * 1024, "{}", size.bytes);
}
