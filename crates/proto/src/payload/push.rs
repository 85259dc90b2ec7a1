//! XEP-0357: Push Notifications: what a client says about the services that are to be told, and what a service is told.

use super::Malformed;
use super::data_form::{DataForm, Field, FormType};
use crate::jid::Jid;
use crate::ns;
use crate::xml::{Child, Tree};

/// Most bytes of a node's name.
pub const NODE_BYTES_MAX: usize = 1023;

/// Most bytes of the options that go with each notification, as XML.
pub const OPTIONS_BYTES_MAX: usize = 4096;

/// A service that is to be told, section 5; with the options that it wants to be shown each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enable {
    /// The service.
    pub jid: Jid,
    /// Which of its nodes.
    pub node: Option<Box<str>>,
    /// A filled-in form of the type `publish-options`, such as a secret.
    pub options: Option<DataForm>,
}

impl Enable {
    /// Reads `<enable/>`. What is too long is malformed, and so is a form of another type.
    pub fn read(enable: &Child<'_>) -> Result<Enable, Malformed> {
        let (jid, node) = address(enable)?;
        let form = enable.child(ns::DATA_FORMS, "x").map(|form| options(&form)).transpose()?;
        Ok(Enable { jid, node, options: form })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::PUSH, "enable")
            .attr("jid", self.jid.as_str())
            .attr_opt("node", self.node.as_ref())
            .children(self.options.as_ref().map(DataForm::tree))
    }
}

/// A service that is not to be told any more, section 6: one of its nodes, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disable {
    /// The service.
    pub jid: Jid,
    /// The node; without one, all of them.
    pub node: Option<Box<str>>,
}

impl Disable {
    /// Reads `<disable/>`.
    pub fn read(disable: &Child<'_>) -> Result<Disable, Malformed> {
        let (jid, node) = address(disable)?;
        Ok(Disable { jid, node })
    }
}

fn address(child: &Child<'_>) -> Result<(Jid, Option<Box<str>>), Malformed> {
    let jid = child.attr("jid").ok_or(Malformed("no address of a service"))?;
    let jid = Jid::parse(&jid).map_err(|_| Malformed("the address of the service is none"))?;
    let node = child.attr("node").filter(|node| !node.is_empty());
    match node {
        Some(node) if node.len() > NODE_BYTES_MAX => Err(Malformed("the node's name is too long")),
        node => Ok((jid, node.map(Box::from))),
    }
}

fn options(form: &Child<'_>) -> Result<DataForm, Malformed> {
    if form.bytes().len() > OPTIONS_BYTES_MAX {
        return Err(Malformed("the options are too long"));
    }
    let read = DataForm::read(form)?;
    if read.kind != FormType::Submit || read.form_type() != Some(ns::PUBSUB_PUBLISH_OPTIONS) {
        return Err(Malformed("the form is not one of publish-options"));
    }
    // What is not said in a form that was filled in is not repeated either.
    let said = |field: Field| Field { kind: None, label: None, required: false, options: Vec::new(), ..field };
    let fields = read.fields.into_iter().map(said).collect();
    Ok(DataForm { fields, ..DataForm::new(FormType::Submit) })
}

/// What a service is told of an account, section 7.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that nobody has seen yet.
    pub messages: Option<u64>,
    /// Requests for subscriptions that wait for an answer.
    pub subscriptions: Option<u64>,
    /// Who sent the last message.
    pub sender: Option<Jid>,
    /// What the last message says.
    pub body: Option<Box<str>>,
}

impl Summary {
    /// The form.
    pub fn form(&self) -> DataForm {
        let mut form = DataForm::new(FormType::Submit).field(Field::hidden_form_type(ns::PUSH_SUMMARY));
        let count = |count: Option<u64>| count.map(|count| count.to_string());
        for (name, value) in [
            ("message-count", count(self.messages)),
            ("pending-subscription-count", count(self.subscriptions)),
            ("last-message-sender", self.sender.as_ref().map(Jid::to_string)),
            ("last-message-body", self.body.as_deref().map(str::to_owned)),
        ] {
            if let Some(value) = value {
                form = form.field(Field::untyped(name).value(value));
            }
        }
        form
    }
}

/// The request that tells a service: an item is published at its node, with the options that it asked for.
pub fn publish(service: &Enable, summary: &Summary) -> Tree {
    let element = |name| Tree::new(ns::PUBSUB, name);
    let notification = Tree::new(ns::PUSH, "notification").child(summary.form().tree());
    let item = element("item").child(notification);
    let options = service.options.as_ref().map(|options| element("publish-options").child(options.tree()));
    element("pubsub").child(element("publish").attr_opt("node", service.node.as_ref()).child(item)).children(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn enable(xml: &str) -> Result<Enable, Malformed> {
        Enable::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    const OPTIONS: &str = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>\
                           http://jabber.org/protocol/pubsub#publish-options</value></field>\
                           <field var='secret'><value>eruio234vzxc2kla-91</value></field></x>";

    #[test]
    fn a_service_is_read_as_it_was_written() {
        let xml = format!("<enable xmlns='urn:xmpp:push:0' jid='push.example' node='n&amp;1'>{OPTIONS}</enable>");
        let read = enable(&xml).unwrap();
        assert_eq!((read.jid.as_str(), read.node.as_deref()), ("push.example", Some("n&1")));
        assert_eq!(String::from_utf8(read.tree().to_vec(ns::CLIENT)).unwrap(), xml);
        let bare = enable("<enable xmlns='urn:xmpp:push:0' jid='push.example' node=''/>").unwrap();
        assert_eq!((bare.node, bare.options), (None, None));
    }

    #[test]
    fn what_is_no_service_is_malformed() {
        for bad in [
            "<enable xmlns='urn:xmpp:push:0' node='n'/>".to_owned(),
            "<enable xmlns='urn:xmpp:push:0' jid='' node='n'/>".to_owned(),
            "<enable xmlns='urn:xmpp:push:0' jid='a@b@c'/>".to_owned(),
            format!("<enable xmlns='urn:xmpp:push:0' jid='p' node='{}'/>", "n".repeat(NODE_BYTES_MAX + 1)),
            "<enable xmlns='urn:xmpp:push:0' jid='p'><x xmlns='jabber:x:data' type='submit'/></enable>".to_owned(),
            format!("<enable xmlns='urn:xmpp:push:0' jid='p'>{}</enable>", OPTIONS.replace("submit", "form")),
            format!("<enable xmlns='urn:xmpp:push:0' jid='p'>{}</enable>", OPTIONS.replace("eruio", &"x".repeat(5000))),
        ] {
            assert!(enable(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_service_is_told_what_may_be_told_with_its_own_options() {
        let service = enable(&format!("<enable xmlns='urn:xmpp:push:0' jid='p' node='n'>{OPTIONS}</enable>")).unwrap();
        let summary = Summary { messages: Some(1), ..Summary::default() };
        let written = String::from_utf8(publish(&service, &summary).to_vec(ns::CLIENT)).unwrap();
        assert_eq!(
            written,
            format!(
                "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'><item>\
                 <notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='submit'>\
                 <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:push:summary</value></field>\
                 <field var='message-count'><value>1</value></field></x></notification></item></publish>\
                 <publish-options>{OPTIONS}</publish-options></pubsub>"
            )
        );
        let sender = Some(Jid::parse("juliet@capulet.example/balcony").unwrap());
        let all = Summary { messages: Some(2), subscriptions: Some(3), sender, body: Some("Wherefore?".into()) };
        let form = all.form();
        assert_eq!(form.value("pending-subscription-count"), Some("3"));
        assert_eq!(form.value("last-message-sender"), Some("juliet@capulet.example/balcony"));
        assert_eq!(form.value("last-message-body"), Some("Wherefore?"));
    }
}
