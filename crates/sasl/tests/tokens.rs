//! Tokens (XEP-0484): who has one gets in, bound to the connection where the mechanism says so, and nobody else.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use metronome_sasl::{
    Failure, Input, MechanismName, Need, Offer, Opening, PlainRule, Rules, Step, StreamFacts, Success, Token, TokenUse,
    client,
};

fn token(mechanism: MechanismName, salt: u8) -> Token {
    let what = TokenUse { account: &[1; 16], client: "phone", mechanism, auth_epoch: 0, salt: &[salt; 16] };
    Token::new(SERVER_SECRET, what)
}

fn opening() -> Opening<'static> {
    Opening { host: HOST, nonce: [7; 32], names: names() }
}

fn log_in(mechanism: &str, message: &[u8], tokens: &[Token]) -> Result<Success, Failure> {
    let mut exchange = Offer::new(&everything(), tls()).begin_token(mechanism, opening())?;
    match exchange.step(Input::Client(message)) {
        Step::Need(Need::Tokens { username }) => assert_eq!(username, "juliet"),
        Step::Fail(failure) => return Err(failure),
        other => panic!("{other:?}"),
    }
    match exchange.step(Input::Tokens(tokens.to_vec())) {
        Step::Done(success) => Ok(success),
        Step::Fail(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

/// What each mechanism is bound to.
const BOUND: [(MechanismName, &[u8]); 3] = [
    (MechanismName::HtSha256Expr, EXPORTER),
    (MechanismName::HtSha256Endp, END_POINT),
    (MechanismName::HtSha256None, b""),
];

#[test]
fn whoever_has_a_token_gets_in_and_learns_that_the_server_has_it_too() {
    for (mechanism, channel) in BOUND {
        let tokens = [token(mechanism, 1), token(mechanism, 2)];
        for (at, token) in tokens.iter().enumerate() {
            let message = client::hashed_token("Juliet", token.expose(), channel);
            let success = log_in(mechanism.as_str(), &message, &tokens).unwrap();
            assert_eq!((success.token, success.identity.authcid()), (Some(at), "juliet"));
            assert_eq!(success.identity.channel_bound(), !channel.is_empty());
            assert!(!success.identity.is_named() && success.identity.mechanism() == mechanism);
            assert!(client::is_same_token(token.expose(), channel, &success.data.unwrap()));
        }
    }
}

#[test]
fn a_proof_is_good_for_its_connection_and_its_token_only() {
    for (mechanism, channel) in BOUND {
        let mine = token(mechanism, 1);
        let right = client::hashed_token("juliet", mine.expose(), channel);
        let name = mechanism.as_str();
        assert_eq!(log_in(name, &right, &[]).unwrap_err(), Failure::NotAuthorized);
        assert_eq!(log_in(name, &right, &[token(mechanism, 2)]).unwrap_err(), Failure::NotAuthorized);
        assert_eq!(log_in(name, &right, &[Token::of_nobody(SERVER_SECRET)]).unwrap_err(), Failure::NotAuthorized);
        let elsewhere = client::hashed_token("juliet", mine.expose(), b"another connection");
        assert_eq!(log_in(name, &elsewhere, &[mine]).unwrap_err(), Failure::NotAuthorized);
    }
}

#[test]
fn the_message_is_read_strictly() {
    for (mechanism, _) in BOUND {
        for bad in ["", "juliet", "juliet\0", "juliet\0short", &format!("\0{}", "x".repeat(32)), &"x".repeat(5000)] {
            let refused = log_in(mechanism.as_str(), bad.as_bytes(), &[]).unwrap_err();
            assert_eq!(refused, Failure::MalformedRequest, "{bad:?}");
        }
        let no_text = [b"\xff\xfe\0".as_slice(), &[7; 32]].concat();
        assert_eq!(log_in(mechanism.as_str(), &no_text, &[]).unwrap_err(), Failure::MalformedRequest);
    }
}

#[test]
fn tokens_are_for_streams_inside_of_tls_and_for_their_own_door() {
    let offer = Offer::new(&everything(), tls());
    assert_eq!(offer.token_names().collect::<Vec<_>>(), MechanismName::TOKENS);
    for name in MechanismName::TOKENS {
        assert_eq!(begin(&offer, name.as_str()).err(), Some(Failure::InvalidMechanism), "no token without its element");
    }
    for name in MechanismName::ALL {
        assert_eq!(offer.begin_token(name.as_str(), opening()).err(), Some(Failure::InvalidMechanism));
    }
    let unbound = Offer::new(&everything(), tls_without_bindings());
    assert_eq!(unbound.token_names().collect::<Vec<_>>(), [MechanismName::HtSha256None]);
    assert_eq!(Offer::new(&everything(), StreamFacts::default()).token_names().count(), 0);
    let none = Rules { scram: vec![], plain: PlainRule::Never, external: false, anonymous: false, tokens: true };
    assert_eq!(Offer::new(&none, tls()).token_names().count(), 0, "nobody could get one");
}
