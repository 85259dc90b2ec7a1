//! Subscriptions that wait for an owner (XEP-0060 sections 8.6, 8.7 and 16.4.1): the form that asks, what an owner answers, and the form
//! in which an owner chooses a node.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::Malformed;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FieldOption, FormType};
use metronome_proto::payload::pubsub::NAME_BYTES_MAX;
use metronome_proto::payload::truth;

/// What an owner has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// To which node.
    pub node: Box<str>,
    /// Which of the subscriber's subscriptions.
    pub subid: Option<Box<str>>,
    /// Who waits.
    pub subscriber: Jid,
    /// What becomes of the subscription.
    pub verdict: Verdict,
}

/// What becomes of a subscription that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It counts from now on.
    Allow,
    /// It is over.
    Deny,
}

const NODE: &str = "pubsub#node";
const SUBID: &str = "pubsub#subid";
const SUBSCRIBER: &str = "pubsub#subscriber_jid";
const ALLOW: &str = "pubsub#allow";

impl Authorization {
    /// The form that asks an owner; it goes into a message with an id.
    pub fn ask(node: &str, subid: &str, subscriber: &Jid) -> DataForm {
        DataForm::new(FormType::Form)
            .titled("Subscription request")
            .instruct(
                "Somebody wants to subscribe to a node. To approve the subscription, choose so and send the form.",
            )
            .field(Field::hidden_form_type(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION))
            .field(Field::new(SUBID, FieldKind::Hidden).value(subid))
            .field(Field::text_single(NODE).label("Node").value(node))
            .field(Field::new(SUBSCRIBER, FieldKind::JidSingle).label("Subscriber").value(subscriber.as_str()))
            .field(Field::new(ALLOW, FieldKind::Boolean).label("Allow the subscription?").value("0"))
    }

    /// Reads what a message says with such a form; `None` if it is cancelled, so that everything stays as it is, or is about something
    /// else.
    pub fn read(form: &DataForm) -> Result<Option<Authorization>, Malformed> {
        let is_answer = form.kind == FormType::Submit && form.form_type() == Some(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION);
        if !is_answer {
            return Ok(None);
        }
        let named = |var: &str| form.value(var).filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX);
        let subscriber = form.value(SUBSCRIBER).and_then(|jid| Jid::parse(jid).ok());
        let verdict = match form.value(ALLOW).and_then(truth) {
            Some(true) => Verdict::Allow,
            Some(false) => Verdict::Deny,
            None => return Err(Malformed("an answer that is neither yes nor no")),
        };
        Ok(Some(Authorization {
            node: named(NODE).ok_or(Malformed("an answer about no node"))?.into(),
            subid: named(SUBID).map(Box::from),
            subscriber: subscriber.ok_or(Malformed("an answer about nobody"))?,
            verdict,
        }))
    }
}

/// The form of the command `get-pending`, section 8.7.2: the nodes of which pending subscriptions can be asked for.
pub fn choose_node<'a>(nodes: impl IntoIterator<Item = &'a str>) -> DataForm {
    let option = |node: &str| FieldOption { label: None, value: node.to_owned() };
    let mut field = Field::new(NODE, FieldKind::ListSingle).label("Node");
    field.options = nodes.into_iter().map(option).collect();
    DataForm::new(FormType::Form).field(Field::hidden_form_type(ns::PUBSUB_SUBSCRIBE_AUTHORIZATION)).field(field)
}

/// The node that was chosen, section 8.7.4.
pub fn chosen_node(form: &DataForm) -> Option<&str> {
    form.value(NODE).filter(|node| !node.is_empty() && node.len() <= NAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(&str, &str)]) -> DataForm {
        let fields = fields.iter().map(|(var, value)| Field::untyped(*var).value(*value)).collect();
        DataForm { fields, ..DataForm::new(FormType::Submit) }
    }

    const TYPE: (&str, &str) = ("FORM_TYPE", "http://jabber.org/protocol/pubsub#subscribe_authorization");

    #[test]
    fn an_owner_who_fills_in_the_form_is_understood() {
        let horatio = Jid::parse("horatio@denmark.lit").unwrap();
        let mut form = Authorization::ask("princely_musings", "123-abc", &horatio);
        form.kind = FormType::Submit;
        let said = |verdict| Authorization {
            node: "princely_musings".into(),
            subid: Some("123-abc".into()),
            subscriber: horatio.clone(),
            verdict,
        };
        assert_eq!(Authorization::read(&form), Ok(Some(said(Verdict::Deny))));
        for (word, verdict) in [("true", Verdict::Allow), ("1", Verdict::Allow), ("false", Verdict::Deny)] {
            form.fields.last_mut().unwrap().values = vec![word.to_owned()];
            assert_eq!(Authorization::read(&form), Ok(Some(said(verdict))));
        }
    }

    // XEP-0060 example 175
    #[test]
    fn a_form_that_is_cancelled_or_of_another_type_changes_nothing() {
        assert_eq!(Authorization::read(&DataForm { kind: FormType::Cancel, ..answer(&[TYPE]) }), Ok(None));
        assert_eq!(Authorization::read(&answer(&[("pubsub#allow", "1")])), Ok(None));
        assert_eq!(Authorization::read(&DataForm { kind: FormType::Form, ..answer(&[TYPE]) }), Ok(None));
    }

    #[test]
    fn an_answer_says_to_what_and_to_whom() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for fields in [
            vec![TYPE, ("pubsub#allow", "1")],
            vec![TYPE, ("pubsub#allow", "1"), ("pubsub#node", "n")],
            vec![TYPE, ("pubsub#allow", "1"), ("pubsub#node", "n"), ("pubsub#subscriber_jid", "@")],
            vec![TYPE, ("pubsub#allow", "maybe"), ("pubsub#node", "n"), ("pubsub#subscriber_jid", "a@b")],
            vec![TYPE, ("pubsub#node", "n"), ("pubsub#subscriber_jid", "a@b")],
            vec![TYPE, ("pubsub#allow", "1"), ("pubsub#node", &long), ("pubsub#subscriber_jid", "a@b")],
        ] {
            assert!(Authorization::read(&answer(&fields)).is_err(), "{fields:?}");
        }
    }

    #[test]
    fn a_node_is_chosen_among_those_with_pending_subscriptions() {
        let form = choose_node(["princely_musings", "news_from_elsinore"]);
        let options: Vec<_> = form.get("pubsub#node").unwrap().options.iter().map(|option| &*option.value).collect();
        assert_eq!(options, ["princely_musings", "news_from_elsinore"]);
        // The answer in the example of section 8.7.4 has no FORM_TYPE.
        assert_eq!(chosen_node(&answer(&[("pubsub#node", "princely_musings")])), Some("princely_musings"));
        assert_eq!(chosen_node(&answer(&[("pubsub#node", "")])), None);
    }
}
