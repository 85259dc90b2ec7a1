//! The states of a subscription and how each of the four stanzas changes them (RFC 6121 section 3 and Appendix A), as pure functions.
//! Called for both sides of a subscription by `route::presence`; keeps nothing.

use crate::stanza::presence::PresenceType;

/// One of the four stanzas that manage subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Asks to see the other's presence.
    Subscribe,
    /// Lets the other see one's presence.
    Subscribed,
    /// Ends one's own subscription, or takes back the request for one.
    Unsubscribe,
    /// Ends the other's subscription, or denies one.
    Unsubscribed,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 4] = [Verb::Subscribe, Verb::Subscribed, Verb::Unsubscribe, Verb::Unsubscribed];

    /// The verb of a presence; none for one that manages no subscription.
    pub fn of(kind: PresenceType) -> Option<Verb> {
        match kind {
            PresenceType::Subscribe => Some(Verb::Subscribe),
            PresenceType::Subscribed => Some(Verb::Subscribed),
            PresenceType::Unsubscribe => Some(Verb::Unsubscribe),
            PresenceType::Unsubscribed => Some(Verb::Unsubscribed),
            PresenceType::Available | PresenceType::Unavailable | PresenceType::Probe | PresenceType::Error => None,
        }
    }

    /// The presence that says it.
    pub fn presence(self) -> PresenceType {
        match self {
            Verb::Subscribe => PresenceType::Subscribe,
            Verb::Subscribed => PresenceType::Subscribed,
            Verb::Unsubscribe => PresenceType::Unsubscribe,
            Verb::Unsubscribed => PresenceType::Unsubscribed,
        }
    }
}

/// How an account and one of its contacts stand to each other, as the account's side keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The account sees the contact's presence.
    pub to: bool,
    /// The contact sees the account's presence.
    pub from: bool,
    /// The account has asked to see the contact's presence and has no answer yet. Never together with `to`.
    pub pending_out: bool,
    /// The contact has asked to see the account's presence and has no answer yet. Never together with `from`.
    pub pending_in: bool,
    /// The account has allowed a request that has not come yet (section 3.4). Never together with `from` or `pending_in`.
    pub approved: bool,
}

/// What a stanza that the account sends does to its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The state afterwards.
    pub after: Subscription,
    /// Whether the stanza goes on to the contact.
    pub routed: bool,
}

/// What a stanza that the account receives does to its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The state afterwards.
    pub after: Subscription,
    /// Whether the account's clients get the stanza.
    pub delivered: bool,
    /// What the server answers in the account's name.
    pub answer: Option<Verb>,
}

impl Subscription {
    /// Neither side sees the other, and nobody has asked.
    pub const NONE: Subscription =
        Subscription { to: false, from: false, pending_out: false, pending_in: false, approved: false };

    /// The account sends `verb` to the contact: Appendix A.2, and section 3.4 for approvals that come before the request.
    pub fn send(self, verb: Verb) -> Sent {
        let (after, routed) = match verb {
            Verb::Subscribe => (Subscription { pending_out: !self.to, ..self }, true),
            Verb::Unsubscribe => (Subscription { to: false, pending_out: false, ..self }, true),
            Verb::Subscribed if self.pending_in => (Subscription { from: true, pending_in: false, ..self }, true),
            Verb::Subscribed if self.from => (self, false),
            Verb::Subscribed => (Subscription { approved: true, ..self }, false),
            Verb::Unsubscribed => {
                let after = Subscription { from: false, pending_in: false, approved: false, ..self };
                (after, self.from || self.pending_in)
            }
        };
        Sent { after, routed }
    }

    /// The account receives `verb` from the contact: Appendix A.3, and section 3.4 where it was approved before.
    pub fn receive(self, verb: Verb) -> Received {
        let unchanged = Received { after: self, delivered: false, answer: None };
        match verb {
            Verb::Subscribe if self.from => Received { answer: Some(Verb::Subscribed), ..unchanged },
            Verb::Subscribe if self.approved => Received {
                after: Subscription { from: true, approved: false, ..self },
                answer: Some(Verb::Subscribed),
                ..unchanged
            },
            Verb::Subscribe if self.pending_in => unchanged,
            Verb::Subscribe => {
                Received { after: Subscription { pending_in: true, ..self }, delivered: true, answer: None }
            }
            Verb::Unsubscribe if self.from || self.pending_in => Received {
                after: Subscription { from: false, pending_in: false, ..self },
                delivered: true,
                answer: None,
            },
            Verb::Subscribed if self.pending_out => {
                Received { after: Subscription { to: true, pending_out: false, ..self }, delivered: true, answer: None }
            }
            Verb::Unsubscribed if self.to || self.pending_out => Received {
                after: Subscription { to: false, pending_out: false, ..self },
                delivered: true,
                answer: None,
            },
            Verb::Unsubscribe | Verb::Subscribed | Verb::Unsubscribed => unchanged,
        }
    }

    /// The value of `subscription` in a roster item (section 2.1.2.5).
    pub fn as_attr(self) -> &'static str {
        match (self.to, self.from) {
            (false, false) => "none",
            (true, false) => "to",
            (false, true) => "from",
            (true, true) => "both",
        }
    }

    /// As one byte, for storage.
    pub fn to_bits(self) -> u8 {
        [self.to, self.from, self.pending_out, self.pending_in, self.approved]
            .into_iter()
            .enumerate()
            .fold(0, |bits, (at, set)| bits | (u8::from(set) << at))
    }

    /// From the byte that [`Subscription::to_bits`] made; what is not known is not set.
    pub fn from_bits(bits: u8) -> Subscription {
        let bit = |at: u8| bits & (1 << at) != 0;
        let (to, from) = (bit(0), bit(1));
        let pending_in = bit(3) && !from;
        Subscription { to, from, pending_out: bit(2) && !to, pending_in, approved: bit(4) && !from && !pending_in }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state as Appendix A.1 names it.
    fn state(name: &str) -> Subscription {
        Subscription {
            to: name.starts_with("To") || name == "Both",
            from: name.starts_with("From") || name == "Both",
            pending_out: name.contains("Out"),
            pending_in: name.contains("In"),
            approved: false,
        }
    }

    const NONE: &str = "None";
    const OUT: &str = "None + Pending Out";
    const IN: &str = "None + Pending In";
    const OUT_IN: &str = "None + Pending Out+In";
    const TO: &str = "To";
    const TO_IN: &str = "To + Pending In";
    const FROM: &str = "From";
    const FROM_OUT: &str = "From + Pending Out";
    const BOTH: &str = "Both";
    const STATES: [&str; 9] = [NONE, OUT, IN, OUT_IN, TO, TO_IN, FROM, FROM_OUT, BOTH];

    /// For each state in the order of `STATES`: whether the stanza goes on, and the state afterwards.
    type Rows = [(bool, &'static str); 9];

    /// Appendix A.2.
    fn sent(verb: Verb, rows: Rows) {
        for (before, (routed, after)) in STATES.into_iter().zip(rows) {
            assert_eq!(state(before).send(verb), Sent { after: state(after), routed }, "{verb:?} in {before}");
        }
    }

    /// Appendix A.3.
    fn received(verb: Verb, rows: Rows) {
        for (before, (delivered, after)) in STATES.into_iter().zip(rows) {
            let answer = (verb == Verb::Subscribe && state(before).from).then_some(Verb::Subscribed);
            let expected = Received { after: state(after), delivered, answer };
            assert_eq!(state(before).receive(verb), expected, "{verb:?} in {before}");
        }
    }

    #[test]
    fn appendix_a_2_1_outbound_subscribe() {
        let after = [OUT, OUT, OUT_IN, OUT_IN, TO, TO_IN, FROM_OUT, FROM_OUT, BOTH];
        sent(Verb::Subscribe, after.map(|after| (true, after)));
    }

    #[test]
    fn appendix_a_2_2_outbound_unsubscribe() {
        let after = [NONE, NONE, IN, IN, NONE, IN, FROM, FROM, FROM];
        sent(Verb::Unsubscribe, after.map(|after| (true, after)));
    }

    #[test]
    fn appendix_a_2_3_outbound_subscribed() {
        // Where no request is pending and none is approved the stanza is an approval in advance (section 3.4).
        for (before, after) in [(IN, FROM), (OUT_IN, FROM_OUT), (TO_IN, BOTH)] {
            assert_eq!(state(before).send(Verb::Subscribed), Sent { after: state(after), routed: true }, "{before}");
        }
        for before in [FROM, FROM_OUT, BOTH] {
            assert_eq!(state(before).send(Verb::Subscribed), Sent { after: state(before), routed: false }, "{before}");
        }
        for before in [NONE, OUT, TO] {
            let after = Subscription { approved: true, ..state(before) };
            assert_eq!(state(before).send(Verb::Subscribed), Sent { after, routed: false }, "{before}");
        }
    }

    #[test]
    fn appendix_a_2_4_outbound_unsubscribed() {
        let rows = [
            (false, NONE),
            (false, OUT),
            (true, NONE),
            (true, OUT),
            (false, TO),
            (true, TO),
            (true, NONE),
            (true, OUT),
            (true, TO),
        ];
        sent(Verb::Unsubscribed, rows);
    }

    #[test]
    fn appendix_a_3_1_inbound_subscribe() {
        let rows = [
            (true, IN),
            (true, OUT_IN),
            (false, IN),
            (false, OUT_IN),
            (true, TO_IN),
            (false, TO_IN),
            (false, FROM),
            (false, FROM_OUT),
            (false, BOTH),
        ];
        received(Verb::Subscribe, rows);
    }

    #[test]
    fn appendix_a_3_2_inbound_unsubscribe() {
        let rows = [
            (false, NONE),
            (false, OUT),
            (true, NONE),
            (true, OUT),
            (false, TO),
            (true, TO),
            (true, NONE),
            (true, OUT),
            (true, TO),
        ];
        received(Verb::Unsubscribe, rows);
    }

    #[test]
    fn appendix_a_3_3_inbound_subscribed() {
        let rows = [
            (false, NONE),
            (true, TO),
            (false, IN),
            (true, TO_IN),
            (false, TO),
            (false, TO_IN),
            (false, FROM),
            (true, BOTH),
            (false, BOTH),
        ];
        received(Verb::Subscribed, rows);
    }

    #[test]
    fn appendix_a_3_4_inbound_unsubscribed() {
        let rows = [
            (false, NONE),
            (true, NONE),
            (false, IN),
            (true, IN),
            (true, NONE),
            (true, IN),
            (false, FROM),
            (true, FROM),
            (true, FROM),
        ];
        received(Verb::Unsubscribed, rows);
    }

    #[test]
    fn an_approval_in_advance_answers_the_request_and_is_used_up() {
        for before in [NONE, OUT, TO] {
            let approved = Subscription { approved: true, ..state(before) };
            let after = Subscription { from: true, ..state(before) };
            let expected = Received { after, delivered: false, answer: Some(Verb::Subscribed) };
            assert_eq!(approved.receive(Verb::Subscribe), expected, "{before}");
            assert_eq!(approved.send(Verb::Unsubscribed), Sent { after: state(before), routed: false }, "{before}");
            assert_eq!(approved.send(Verb::Subscribed), Sent { after: approved, routed: false }, "{before}");
        }
    }

    #[test]
    fn every_state_that_can_be_reached_is_one_of_the_nine_with_or_without_an_approval() {
        let mut known = vec![Subscription::NONE];
        let mut at = 0;
        while let Some(&state) = known.get(at) {
            for verb in Verb::ALL {
                for after in [state.send(verb).after, state.receive(verb).after] {
                    if !known.contains(&after) {
                        known.push(after);
                    }
                }
            }
            assert_eq!(Subscription::from_bits(state.to_bits()), state);
            assert!(!(state.to && state.pending_out) && !(state.from && (state.pending_in || state.approved)));
            at += 1;
        }
        assert_eq!(known.len(), 9 + 3, "the nine of Appendix A.1, and an approval in those without a request");
    }

    #[test]
    fn two_sides_that_exchange_their_stanzas_agree() {
        // Whatever two accounts do, in any order of eight steps, each one's `to` is the other's `from`.
        let mut states = vec![(Subscription::NONE, Subscription::NONE)];
        for _ in 0..8 {
            let mut next = Vec::new();
            for &(a, b) in &states {
                for verb in Verb::ALL {
                    for pair in [exchange(a, b, verb), exchange(b, a, verb)] {
                        if !next.contains(&pair) {
                            next.push(pair);
                        }
                    }
                }
            }
            states = next;
            for (a, b) in &states {
                assert_eq!((a.to, a.from), (b.from, b.to), "{a:?} {b:?}");
                assert_eq!((a.pending_out, a.pending_in), (b.pending_in, b.pending_out), "{a:?} {b:?}");
            }
        }
    }

    fn exchange(sender: Subscription, receiver: Subscription, verb: Verb) -> (Subscription, Subscription) {
        let sent = sender.send(verb);
        if !sent.routed {
            return (sent.after, receiver);
        }
        let got = receiver.receive(verb);
        let back = got.answer.map_or(sent.after, |answer| sent.after.receive(answer).after);
        (back, got.after)
    }
}
