//! XEP-0388: Extensible SASL Profile. Data stay base64 text here, as in RFC 6120's profile; what else stands inside of a request is read
//! by the files of the documents that define it.

use super::sasl::Condition;
use crate::ns;
use crate::xml::{Element, Tree};

/// The stream feature: the mechanisms, best first, what can be asked for along with them, and whatever other documents add.
pub fn feature<'a>(mechanisms: impl IntoIterator<Item = &'a str>, inline: Vec<Tree>, more: Vec<Tree>) -> Tree {
    let mechanism = |name| Tree::new(ns::SASL2, "mechanism").text(name);
    let inline = (!inline.is_empty()).then(|| Tree::new(ns::SASL2, "inline").children(inline));
    Tree::new(ns::SASL2, "authentication")
        .children(mechanisms.into_iter().map(mechanism))
        .children(inline)
        .children(more)
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begins (section 2.3).
    Authenticate(Authenticate),
    /// Answers a challenge; base64.
    Response(String),
    /// Gives up.
    Abort,
    /// Begins with a task (section 2.6.3): its name.
    Next(String),
    /// Goes on with it; what it says is read by the document of the task.
    TaskData,
}

/// How a client begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism's name.
    pub mechanism: String,
    /// The initial response, base64; an empty one is one of no bytes.
    pub data: Option<String>,
    /// Which installation of which client this is.
    pub client: Client,
}

/// What a client says of itself. The names that it gives for people to read are not read: nobody is shown them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// Nothing that tells it from others.
    Unknown,
    /// The id of the installation, in lower case.
    Known(Box<str>),
    /// An id that is not one.
    Malformed,
}

impl Client {
    /// The id, if it has one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Client::Known(id) => Some(id),
            Client::Unknown | Client::Malformed => None,
        }
    }

    fn read(element: &Element) -> Client {
        let id = element.child(ns::SASL2, "user-agent").and_then(|agent| agent.attr("id"));
        match id {
            None => Client::Unknown,
            Some(id) if is_uuid(&id) => Client::Known(id.to_ascii_lowercase().into()),
            Some(_) => Client::Malformed,
        }
    }
}

/// As the schema writes it.
fn is_uuid(id: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let is_group = |group: &str, digits| group.len() == digits && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let groups: Vec<&str> = id.splitn(GROUPS.len() + 1, '-').collect();
    groups.len() == GROUPS.len() && groups.into_iter().zip(GROUPS).all(|(group, digits)| is_group(group, digits))
}

impl Request {
    /// Reads a top-level element; `None` if it is none of a client's.
    pub fn read(element: &Element) -> Option<Request> {
        if element.ns() != ns::SASL2 {
            return None;
        }
        let attr = |name| element.attr(name).unwrap_or_default().into_owned();
        match element.name() {
            "authenticate" => {
                let data = element.child(ns::SASL2, "initial-response").map(|data| data.text().into_owned());
                let client = Client::read(element);
                Some(Request::Authenticate(Authenticate { mechanism: attr("mechanism"), data, client }))
            }
            "response" => Some(Request::Response(element.text().into_owned())),
            "abort" => Some(Request::Abort),
            "next" => Some(Request::Next(attr("task"))),
            "task-data" => Some(Request::TaskData),
            _ => None,
        }
    }
}

/// Goes on; base64.
pub fn challenge(data: &str) -> Tree {
    Tree::new(ns::SASL2, "challenge").text(data)
}

/// Done: data of the mechanism, base64, if it has any; who the client is now; and what came of what it asked for.
pub fn success(data: Option<&str>, jid: &str, results: Vec<Tree>) -> Tree {
    let data = data.map(|data| Tree::new(ns::SASL2, "additional-data").text(data));
    Tree::new(ns::SASL2, "success")
        .children(data)
        .child(Tree::new(ns::SASL2, "authorization-identifier").text(jid))
        .children(results)
}

/// Refused.
pub fn failure(condition: Condition) -> Tree {
    Tree::new(ns::SASL2, "failure").child(Tree::new(ns::SASL, condition.name()))
}

/// The proof was right, and there is something to be done before the end.
pub fn go_on(data: Option<&str>, task: &str) -> Tree {
    let data = data.map(|data| Tree::new(ns::SASL2, "additional-data").text(data));
    let task = Tree::new(ns::SASL2, "task").text(task);
    Tree::new(ns::SASL2, "continue").children(data).child(Tree::new(ns::SASL2, "tasks").child(task))
}

/// What one side says in a task.
pub fn task_data(content: Tree) -> Tree {
    Tree::new(ns::SASL2, "task-data").child(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Item, Limits, Scanner};

    fn element(xml: &str) -> Element {
        match Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes()) {
            Ok(Some(Item::Element(element))) => element,
            other => panic!("{other:?}"),
        }
    }

    fn authenticate(inside: &str) -> Authenticate {
        let xml = format!("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>{inside}</authenticate>");
        match Request::read(&element(&xml)) {
            Some(Request::Authenticate(authenticate)) => authenticate,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_initial_response_may_be_empty_or_not_there() {
        assert_eq!(authenticate("").data, None);
        assert_eq!(authenticate("<initial-response/>").data.as_deref(), Some(""));
        let given = authenticate("<initial-response>AGE=</initial-response><user-agent/>");
        assert_eq!((given.mechanism.as_str(), given.data.as_deref()), ("PLAIN", Some("AGE=")));
        assert_eq!(given.client, Client::Unknown);
    }

    #[test]
    fn the_id_of_a_client_is_a_uuid() {
        let client =
            |id: &str| authenticate(&format!("<user-agent id='{id}'><software>x</software></user-agent>")).client;
        let known = client("D4565FA7-4d72-4749-b3d3-740edbf87770");
        assert_eq!(known.id(), Some("d4565fa7-4d72-4749-b3d3-740edbf87770"));
        for bad in [
            "",
            "x",
            "d4565fa7-4d72-4749-b3d3-740edbf8777",
            "d4565fa7-4d72-4749-b3d3-740edbf87770-",
            "d4565fa74d724749b3d3740edbf87770",
        ] {
            assert_eq!(client(bad), Client::Malformed, "{bad}");
        }
        assert_eq!(client("d4565fa7-4d72-4749-b3d3-740edbf8777g"), Client::Malformed);
    }

    #[test]
    fn other_elements_are_told_from_those_of_the_older_profile() {
        assert_eq!(Request::read(&element("<abort xmlns='urn:xmpp:sasl:2'/>")), Some(Request::Abort));
        assert_eq!(Request::read(&element("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")), None);
        let next = element("<next xmlns='urn:xmpp:sasl:2' task='UPGR-SCRAM-SHA-256'/>");
        assert_eq!(Request::read(&next), Some(Request::Next("UPGR-SCRAM-SHA-256".to_owned())));
        assert_eq!(Request::read(&element("<success xmlns='urn:xmpp:sasl:2'/>")), None);
    }

    #[test]
    fn answers_are_written_as_the_schema_orders_them() {
        let written = |tree: Tree| String::from_utf8(tree.to_vec("")).unwrap();
        assert_eq!(
            written(success(Some("AGE="), "a@x", vec![Tree::new(ns::BIND2, "bound")])),
            "<success xmlns='urn:xmpp:sasl:2'><additional-data>AGE=</additional-data>\
             <authorization-identifier>a@x</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/></success>"
        );
        assert_eq!(
            written(failure(Condition::NotAuthorized)),
            "<failure xmlns='urn:xmpp:sasl:2'><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
        );
        assert_eq!(
            written(go_on(None, "T")),
            "<continue xmlns='urn:xmpp:sasl:2'><tasks><task>T</task></tasks></continue>"
        );
    }
}
