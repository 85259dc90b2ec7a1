//! Services that are told of an account's messages (XEP-0357): which there are, as facts know them, and what is on its way to them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use hashlink::LinkedHashMap;
use metronome_model::{AccountId, Document, Drawer};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::Field;
use metronome_proto::payload::push::Enable;
use metronome_proto::xml::{Content, Tree};

use crate::sync::Mutex;

/// The services of one account.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Services(Vec<Service>);

/// One service, with the client that asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The service, its node and its options.
    pub what: Enable,
    /// The resource of the client that enabled it: as long as that one sees what comes, the service need not be told.
    pub client: Box<str>,
}

const NAME: &str = "services";
const CLIENT: &str = "client";

impl Services {
    /// No services: what most accounts share.
    pub fn none() -> Arc<Services> {
        static NONE: OnceLock<Arc<Services>> = OnceLock::new();
        NONE.get_or_init(Arc::default).clone()
    }

    /// The services that an account's documents name; those of other drawers are passed over, and so is what cannot be read.
    pub fn from_documents(documents: &[Document]) -> Arc<Services> {
        let document = documents.iter().find(|document| document.drawer == Drawer::Push && &*document.name == NAME);
        let content = document.and_then(|document| Content::parse(&document.xml).ok());
        let Some(root) = content.as_ref().and_then(|content| content.child(ns::PUSH, NAME)) else {
            return Services::none();
        };
        let read = root.children().filter_map(|child| {
            let client = child.attr(CLIENT).unwrap_or_default().into();
            Some(Service { what: Enable::read(&child).ok()?, client })
        });
        Arc::new(Services(read.collect()))
    }

    /// The document that keeps them; an empty one for none.
    pub fn document(&self) -> Document {
        let element = |service: &Service| service.what.tree().attr(CLIENT, &service.client);
        let xml = match self.0.is_empty() {
            true => Box::default(),
            false => Tree::new(ns::PUSH, NAME).children(self.0.iter().map(element)).to_vec(ns::CLIENT).into(),
        };
        Document { drawer: Drawer::Push, ns: ns::PUSH.into(), name: NAME.into(), xml }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, in the order in which they were enabled.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.0.iter()
    }

    /// The one of this address and node.
    pub fn get(&self, jid: &Jid, node: Option<&str>) -> Option<&Service> {
        self.0.iter().find(|service| service.what.jid == *jid && service.what.node.as_deref() == node)
    }

    /// These with one more, which takes the place of an earlier one with the same address and node (section 5).
    #[must_use]
    pub fn with(&self, new: Service) -> Services {
        let mut services = self.without(&new.what.jid, new.what.node.as_deref());
        services.0.push(new);
        services
    }

    /// These without one.
    #[must_use]
    pub fn without(&self, jid: &Jid, node: Option<&str>) -> Services {
        let is_other = |service: &&Service| service.what.jid != *jid || service.what.node.as_deref() != node;
        Services(self.0.iter().filter(is_other).cloned().collect())
    }

    /// These without any node of a service.
    #[must_use]
    pub fn without_all_of(&self, jid: &Jid) -> Services {
        Services(self.0.iter().filter(|service| service.what.jid != *jid).cloned().collect())
    }

    /// Bytes on the heap; none that others share.
    pub fn memory_usage(&self) -> usize {
        let of_field = |field: &Field| {
            let values = field.values.iter().map(|value| size_of::<String>() + value.len());
            size_of::<Field>() + field.var.as_ref().map_or(0, String::len) + values.sum::<usize>()
        };
        let of_service = |service: &Service| {
            let fields = service.what.options.iter().flat_map(|options| &options.fields).map(of_field);
            let node = service.what.node.as_ref().map_or(0, |node| node.len());
            size_of::<Service>() + service.what.jid.as_str().len() + node + service.client.len() + fields.sum::<usize>()
        };
        self.0.iter().map(of_service).sum()
    }
}

/// One node of one service of an account.
pub type Target = (AccountId, Jid, Option<Box<str>>);

/// What a service is to be told next: the last message, as far as it may be told at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Who sent it.
    pub sender: Option<Jid>,
    /// What it says, if it says it in clear text.
    pub body: Option<Box<str>>,
}

/// Most services that something is on its way to.
pub const TARGETS_MAX: usize = 50_000;
/// Of so many services it is known how often they failed.
pub const FAILING_MAX: usize = 10_000;

/// What is on its way to services. Each is told one thing at a time; of what happens meanwhile only the last is kept.
#[derive(Debug, Default)]
pub struct Notices {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    under_way: HashMap<Target, Option<News>>,
    failing: LinkedHashMap<Target, u32>,
}

/// What became of news for a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whoever has to tell the service does so"]
pub enum Begun {
    /// Nobody tells it anything now: the caller does, until [`Notices::next`] has nothing left.
    Yours,
    /// Somebody tells it something; this comes behind.
    Others,
    /// Too many are being told something; this is not told.
    Full,
}

impl Notices {
    /// Notes what a service is to be told.
    pub fn begin(&self, target: &Target, news: News) -> Begun {
        let mut state = self.state.lock();
        if let Some(waiting) = state.under_way.get_mut(target) {
            *waiting = Some(news);
            return Begun::Others;
        }
        if state.under_way.len() >= TARGETS_MAX {
            return Begun::Full;
        }
        state.under_way.insert(target.clone(), Some(news));
        Begun::Yours
    }

    /// What is to be told next; with nothing left, the service is free again.
    pub fn next(&self, target: &Target) -> Option<News> {
        let mut state = self.state.lock();
        let news = state.under_way.get_mut(target).and_then(Option::take);
        if news.is_none() {
            state.under_way.remove(target);
        }
        news
    }

    /// Whoever told it has ended before its time.
    pub fn give_up(&self, target: &Target) {
        self.state.lock().under_way.remove(target);
    }

    /// The service has taken what it was told.
    pub fn succeeded(&self, target: &Target) {
        self.state.lock().failing.remove(target);
    }

    /// The service could not be told; answers how often that was so in a row.
    pub fn failed(&self, target: &Target) -> u32 {
        let mut state = self.state.lock();
        let times = state.failing.remove(target).unwrap_or(0) + 1;
        state.failing.insert(target.clone(), times);
        if state.failing.len() > FAILING_MAX {
            state.failing.pop_front();
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(jid: &str, node: Option<&str>, client: &str) -> Service {
        let what = Enable { jid: Jid::parse(jid).unwrap(), node: node.map(Into::into), options: None };
        Service { what, client: client.into() }
    }

    #[test]
    fn services_are_kept_as_a_document_and_the_last_word_counts() {
        let services = Services::default()
            .with(service("push.example", Some("a'&"), "phone"))
            .with(service("push.example", None, "phone"))
            .with(service("other.example", Some("a"), "desk"))
            .with(service("push.example", Some("a'&"), "tablet"));
        assert_eq!(services.len(), 3);
        let read = Services::from_documents(&[services.document()]);
        assert_eq!(*read, services);
        assert_eq!(&*read.get(&Jid::parse("push.example").unwrap(), Some("a'&")).unwrap().client, "tablet");
        let fewer = services.without_all_of(&Jid::parse("push.example").unwrap());
        assert_eq!(fewer.len(), 1);
        let none = fewer.without(&Jid::parse("other.example").unwrap(), Some("a"));
        assert!(none.is_empty() && none.document().xml.is_empty());
    }

    #[test]
    fn accounts_without_services_share_one_value() {
        let other = Document { drawer: Drawer::Switches, ns: "a".into(), name: NAME.into(), xml: b"<b/>"[..].into() };
        assert!(Arc::ptr_eq(&Services::from_documents(&[other]), &Services::none()));
        let damaged = Document { xml: b"<services"[..].into(), ..service_document() };
        assert!(Services::from_documents(&[damaged]).is_empty());
    }

    fn service_document() -> Document {
        Services::default().with(service("p", None, "c")).document()
    }

    #[test]
    fn a_service_is_told_one_thing_at_a_time_and_then_the_last() {
        let notices = Notices::default();
        let target = (AccountId::from_bytes([1; 16]), Jid::parse("push.example").unwrap(), None);
        let news = |name: &str| News { sender: Some(Jid::parse(name).unwrap()), body: None };
        assert_eq!(notices.begin(&target, news("a")), Begun::Yours);
        assert_eq!(notices.next(&target), Some(news("a")));
        assert_eq!(notices.begin(&target, news("b")), Begun::Others);
        assert_eq!(notices.begin(&target, news("c")), Begun::Others);
        assert_eq!(notices.next(&target), Some(news("c")));
        assert_eq!(notices.next(&target), None);
        assert_eq!(notices.begin(&target, news("d")), Begun::Yours);
        notices.give_up(&target);
        assert_eq!(notices.begin(&target, news("e")), Begun::Yours);
        assert_eq!((notices.failed(&target), notices.failed(&target)), (1, 2));
        notices.succeeded(&target);
        assert_eq!(notices.failed(&target), 1);
    }
}
