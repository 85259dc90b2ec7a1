//! Logging in by XEP-0388: a whole exchange with whatever is asked for along with it, and tokens (XEP-0484).

use metronome_sasl::client::{ClientBinding, Scram, hashed_token, is_same_token};
use metronome_sasl::{ChannelBinding, token_text};

use crate::client::Client;
use crate::control::password_of;
use crate::login::{Binding, Sasl, base64, keys_for, unbase64};
use crate::seen::Seen;

/// A token that a client was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its text.
    pub token: String,
    /// The mechanism that it was asked for.
    pub mechanism: String,
}

impl Given {
    /// The token in a success; panics if there is none.
    #[track_caller]
    pub fn of(success: &Seen, mechanism: &str) -> Given {
        let token = success.attribute_of("token", "token").unwrap_or_else(|| panic!("no token in {success}"));
        Given { token, mechanism: mechanism.to_owned() }
    }
}

/// What a client says of itself with this id.
pub fn user_agent(id: &str) -> String {
    format!("<user-agent id='{id}'><software>testkit</software><device>a socket</device></user-agent>")
}

impl Client {
    /// Opens the stream with the address of this user in its header.
    #[track_caller]
    pub fn open_as(&mut self, username: &str) -> Seen {
        let domain = self.dial.domain.clone();
        let header = Client::header(&domain).replace(" to=", &format!(" from='{username}@{domain}' to="));
        self.send(&header);
        self.expect("<stream:stream xmlns='jabber:client' version='1.0'");
        self.expect("<stream:features")
    }

    /// Says `<authenticate/>` with this mechanism and data (in clear; encoded here), and `inside` behind them.
    #[track_caller]
    pub fn begin_second(&mut self, mechanism: &str, data: &[u8], inside: &str) {
        let data = format!("<initial-response>{}</initial-response>", base64(data));
        self.send(&format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'>{data}{inside}</authenticate>"
        ));
    }

    /// Demands the failure `condition`; the stream stays open for another attempt.
    #[track_caller]
    pub fn expect_second_failure(&mut self, condition: &str) -> Seen {
        self.expect(&format!("<failure xmlns='urn:xmpp:sasl:2'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"))
    }

    /// Runs an exchange of SCRAM on a stream that is open, with `inside` in its beginning; answers what ends it: `<success/>`,
    /// `<continue/>` or `<failure/>`. The server's own proof is checked.
    #[track_caller]
    pub fn second(&mut self, sasl: &Sasl<'_>, inside: &str) -> Seen {
        let hash = sasl.hash();
        let nonce = token_text();
        let bound = match sasl.binding {
            Binding::Bound(binding) => self.channel_binding(binding),
            _ => Vec::new(),
        };
        let binding = match sasl.binding {
            Binding::Bound(binding) => ClientBinding::Bind(binding, &bound),
            _ => ClientBinding::Unsupported,
        };
        let (authzid, username) = (sasl.authzid, sasl.username);
        let (first, waiting) = Scram { hash, authzid, username, nonce: &nonce, binding }.first();
        self.begin_second(sasl.mechanism, &first, inside);
        let challenge = self.next_piece();
        if !challenge.fits("<challenge xmlns='urn:xmpp:sasl:2'") {
            return challenge;
        }
        let challenge = unbase64(&challenge.text_of("challenge").unwrap_or_default());
        let challenged = waiting.challenge(&challenge).unwrap_or_else(|error| self.fail(&error.to_string()));
        let keys = keys_for(hash, sasl.password, &challenged);
        let (proof, answered) = challenged.answer(&keys);
        self.send(&format!("<response xmlns='urn:xmpp:sasl:2'>{}</response>", base64(proof)));
        let outcome = self.next_piece();
        if !outcome.fits("<failure") {
            let signature = unbase64(&outcome.text_of("additional-data").unwrap_or_default());
            if let Err(error) = answered.verify(&signature) {
                self.fail(&error.to_string());
            }
        }
        outcome
    }

    /// Logs in with SCRAM-SHA-256 and the password of [`crate::Setup`]; answers the success.
    #[track_caller]
    pub fn log_in_second(&mut self, username: &str, inside: &str) -> Seen {
        self.name = username.to_owned();
        self.open_as(username);
        let outcome = self.second(&Sasl::new("SCRAM-SHA-256", username, &password_of(username)), inside);
        self.welcomed(outcome)
    }

    /// Says `<authenticate/>` with a token, bound to this connection if its mechanism says so.
    #[track_caller]
    pub fn prove(&mut self, username: &str, given: &Given, inside: &str) {
        let channel = self.channel_of(&given.mechanism);
        self.begin_second(&given.mechanism, &hashed_token(username, &given.token, &channel), inside);
    }

    /// Opens the stream and logs in with a token; answers the success. The server must have the token too.
    #[track_caller]
    pub fn log_in_by_token(&mut self, username: &str, given: &Given, inside: &str) -> Seen {
        self.name = username.to_owned();
        self.open_as(username);
        self.prove(username, given, inside);
        let outcome = self.next_piece();
        let success = self.welcomed(outcome);
        let data = unbase64(&success.text_of("additional-data").unwrap_or_default());
        if !is_same_token(&given.token, &self.channel_of(&given.mechanism), &data) {
            self.fail("the server has not proved that it has the token");
        }
        success
    }

    fn channel_of(&self, mechanism: &str) -> Vec<u8> {
        match mechanism {
            "HT-SHA-256-EXPR" => self.channel_binding(ChannelBinding::TlsExporter),
            "HT-SHA-256-ENDP" => self.channel_binding(ChannelBinding::TlsServerEndPoint),
            _ => Vec::new(),
        }
    }

    /// Notes the address in a success, if it is one that is bound.
    #[track_caller]
    fn welcomed(&mut self, outcome: Seen) -> Seen {
        if !outcome.fits("<success xmlns='urn:xmpp:sasl:2'") {
            self.fail(&format!("expected a success\n   found {outcome}"));
        }
        self.jid = outcome.text_of("authorization-identifier").filter(|jid| jid.contains('/'));
        outcome
    }
}
