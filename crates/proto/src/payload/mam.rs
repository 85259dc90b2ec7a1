//! XEP-0313: Message Archive Management, and the preferences of XEP-0441: what is asked of an archive, and what it answers.

use super::data_form::{DataForm, Field, FieldKind, FormType};
use super::delay::{format_time, parse_time};
use super::forward::write_forwarded;
use super::{Malformed, rsm};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::error::Condition;
use crate::stanza::{Stanza, StanzaError};
use crate::xml::{Child, Tree, write};

/// Longest `queryid` in bytes: it comes back with every message that is found.
pub const QUERY_ID_BYTES_MAX: usize = 1023;

/// What is asked of an archive (section 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Comes back with every result.
    pub queryid: Option<String>,
    /// Only messages exchanged with this address.
    pub with: Option<Jid>,
    /// Only messages of this time or later: Unix time in milliseconds.
    pub start_ms: Option<i64>,
    /// Only messages of this time or earlier: Unix time in milliseconds.
    pub end_ms: Option<i64>,
    /// Only messages before the one with this id.
    pub before_id: Option<String>,
    /// Only messages after the one with this id.
    pub after_id: Option<String>,
    /// Only the messages with these ids; without any, all.
    pub ids: Vec<String>,
    /// Which page.
    pub set: rsm::Wanted,
    /// Whether the results of the page come last first.
    pub flip: bool,
}

/// Why a query is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not as the document says.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It asks for something that this server does not do (section 4.1.5).
    #[error("not implemented: {0}")]
    Unknown(&'static str),
}

impl From<Wrong> for StanzaError {
    fn from(wrong: Wrong) -> StanzaError {
        match wrong {
            Wrong::Malformed(malformed) => malformed.into(),
            Wrong::Unknown(what) => StanzaError::new(Condition::FeatureNotImplemented).with_text(what),
        }
    }
}

impl Query {
    /// Reads `<query/>`.
    pub fn read(query: &Child<'_>) -> Result<Query, Wrong> {
        if query.attr("node").is_some() {
            return Err(Wrong::Unknown("an account's archive has no nodes"));
        }
        Query::read_all(query)
    }

    /// Reads `<query node='...'/>`, of the archive of a node of publish-subscribe (XEP-0442), with the name of the node.
    pub fn of_node(query: &Child<'_>) -> Result<(String, Query), Wrong> {
        let node = query.attr("node").filter(|node| !node.is_empty()).ok_or(Malformed("a query without a node"))?;
        Ok((node.into(), Query::read_all(query)?))
    }

    fn read_all(query: &Child<'_>) -> Result<Query, Wrong> {
        let mut read = Query {
            queryid: query.attr("queryid").map(String::from),
            set: rsm::Wanted::read(query)?,
            flip: query.child(ns::MAM, "flip-page").is_some(),
            ..Query::default()
        };
        if read.queryid.as_ref().is_some_and(|id| id.len() > QUERY_ID_BYTES_MAX) {
            return Err(Malformed("a queryid that is too long").into());
        }
        if let Some(form) = query.child(ns::DATA_FORMS, "x") {
            let form = DataForm::read(&form)?;
            if form.kind != FormType::Submit || form.form_type() != Some(ns::MAM) {
                return Err(Malformed("a form that is not a filled in one for archives").into());
            }
            form.fields.iter().try_for_each(|field| read.field(field))?;
        }
        Ok(read)
    }

    fn field(&mut self, field: &Field) -> Result<(), Wrong> {
        match field.var.as_deref() {
            Some(super::data_form::FORM_TYPE) => {}
            Some("with") => {
                let with = value(field)?.map(Jid::parse).transpose();
                self.with = with.map_err(|_| Malformed("`with` is not an address"))?;
            }
            Some("start") => self.start_ms = time(field)?,
            Some("end") => self.end_ms = time(field)?,
            Some("before-id") => self.before_id = value(field)?.map(str::to_owned),
            Some("after-id") => self.after_id = value(field)?.map(str::to_owned),
            Some("ids") => self.ids.clone_from(&field.values),
            Some("include-groupchat") => match value(field)? {
                // No message of a room is in an account's archive, so it makes no difference.
                None | Some("0" | "1" | "false" | "true") => {}
                Some(_) => return Err(Malformed("`include-groupchat` is neither true nor false").into()),
            },
            Some(_) => return Err(Wrong::Unknown("a field that this server does not know")),
            None => return Err(Malformed("a field without a name").into()),
        }
        Ok(())
    }
}

/// The one value of a field; none in an empty one.
fn value(field: &Field) -> Result<Option<&str>, Malformed> {
    match field.values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(Malformed("a field with more than one value")),
    }
}

fn time(field: &Field) -> Result<Option<i64>, Malformed> {
    let parse = |text| parse_time(text).ok_or(Malformed("a time that is none"));
    value(field)?.map(parse).transpose()
}

/// The form that says what can be asked for (section 4.1.5).
pub fn form() -> Tree {
    let field = |var: &str, kind| Field::new(var, kind);
    let form = DataForm::new(FormType::Form)
        .field(Field::hidden_form_type(ns::MAM))
        .field(field("with", FieldKind::JidSingle))
        .field(field("start", FieldKind::TextSingle))
        .field(field("end", FieldKind::TextSingle))
        .field(field("before-id", FieldKind::TextSingle))
        .field(field("after-id", FieldKind::TextSingle))
        .field(field("include-groupchat", FieldKind::Boolean));
    let open = Tree::new(ns::DATA_VALIDATE, "validate")
        .attr("datatype", "xs:string")
        .child(Tree::new(ns::DATA_VALIDATE, "open"));
    let ids = Tree::new(ns::DATA_FORMS, "field").attr("var", "ids").attr("type", "list-multi").child(open);
    Tree::new(ns::MAM, "query").child(form.tree().child(ids))
}

/// A message that was found (section 4.2).
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// What the query said.
    pub queryid: Option<&'a str>,
    /// Its id in the archive.
    pub id: u64,
    /// When it came, Unix time in milliseconds.
    pub at_ms: u64,
    /// The message itself.
    pub stanza: &'a Stanza,
}

impl Found<'_> {
    /// The element `<result/>`, the only one of the [`message`] in which it is sent.
    pub fn result(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.stanza.content.len_bytes() + 480);
        out.extend_from_slice(b"<result");
        write::attribute(&mut out, "xmlns", ns::MAM);
        if let Some(queryid) = self.queryid {
            write::attribute(&mut out, "queryid", queryid);
        }
        write::attribute(&mut out, "id", &self.id.to_string());
        out.push(b'>');
        write_forwarded(&mut out, self.stanza, self.at_ms);
        out.extend_from_slice(b"</result>");
        out
    }
}

/// The message with a result of an archive for whoever asked.
pub fn message(archive: &Jid, to: &Jid, result: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(result.len() + 160);
    out.extend_from_slice(b"<message");
    write::attribute(&mut out, "from", archive.as_str());
    write::attribute(&mut out, "to", to.as_str());
    out.push(b'>');
    out.extend_from_slice(result);
    out.extend_from_slice(b"</message>");
    out
}

/// Whether what a query asks for goes on behind a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// The page was the last in its direction.
    Yes,
    /// There is more.
    No,
}

/// The end of the results (section 4.3).
pub fn fin(complete: Complete, page: &rsm::Given) -> Tree {
    let is_complete = (complete == Complete::Yes).then_some("true");
    Tree::new(ns::MAM, "fin").attr_opt("complete", is_complete).child(page.tree())
}

/// The ends of an archive (section 5): id and Unix time in milliseconds of the first and the last message; none if it is empty.
pub fn metadata(ends: Option<[(u64, u64); 2]>) -> Tree {
    let end = |name: &str, (id, at_ms): (u64, u64)| {
        let timestamp = format_time(i64::try_from(at_ms).unwrap_or(i64::MAX));
        Tree::new(ns::MAM, name).attr("id", id.to_string()).attr("timestamp", timestamp)
    };
    let ends = ends.map(|[first, last]| [end("start", first), end("end", last)]);
    Tree::new(ns::MAM, "metadata").children(ends.into_iter().flatten())
}

/// What an account wants archived (XEP-0441).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// For everybody who is in neither list.
    pub default: DefaultRule,
    /// Messages with these are archived.
    pub always: Vec<Jid>,
    /// Messages with these are not.
    pub never: Vec<Jid>,
}

/// What is archived of those who are in no list (XEP-0441 section 2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultRule {
    /// Everything.
    #[default]
    Always,
    /// Nothing.
    Never,
    /// Messages with those who are in the roster.
    Roster,
}

impl DefaultRule {
    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            DefaultRule::Always => "always",
            DefaultRule::Never => "never",
            DefaultRule::Roster => "roster",
        }
    }

    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<DefaultRule> {
        [DefaultRule::Always, DefaultRule::Never, DefaultRule::Roster].into_iter().find(|rule| rule.as_str() == attr)
    }
}

impl Preferences {
    /// Reads `<prefs/>`; an absent list is empty.
    pub fn read(prefs: &Child<'_>) -> Result<Preferences, Malformed> {
        let default = prefs.attr("default").and_then(|default| DefaultRule::of(&default));
        let default = default.ok_or(Malformed("preferences without a known default"))?;
        Ok(Preferences { default, always: list(prefs, "always")?, never: list(prefs, "never")? })
    }

    /// The element `<prefs/>`.
    pub fn tree(&self) -> Tree {
        let list = |name: &str, jids: &[Jid]| {
            let entries = jids.iter().map(|jid| Tree::new(ns::MAM, "jid").text(jid.as_str()));
            Tree::new(ns::MAM, name).children(entries)
        };
        Tree::new(ns::MAM, "prefs")
            .attr("default", self.default.as_str())
            .child(list("always", &self.always))
            .child(list("never", &self.never))
    }
}

/// The addresses of a list, each once.
fn list(prefs: &Child<'_>, name: &str) -> Result<Vec<Jid>, Malformed> {
    let Some(list) = prefs.child(ns::MAM, name) else { return Ok(Vec::new()) };
    let entries = list.children().filter(|entry| entry.is(ns::MAM, "jid"));
    let mut jids = entries.map(|entry| Jid::parse(entry.text().trim())).collect::<Result<Vec<_>, _>>();
    if let Ok(jids) = &mut jids {
        jids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        jids.dedup();
    }
    jids.map_err(|_| Malformed("a list with something that is not an address"))
}

/// What an account wants removed from its archive (Metronome's own `mam-purge`); everything, if it names nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purge {
    /// The message with this id.
    pub id: Option<String>,
    /// Messages exchanged with this address.
    pub jid: Option<Jid>,
    /// Messages of this time or later: Unix time in milliseconds.
    pub start_ms: Option<i64>,
    /// Messages of this time or earlier: Unix time in milliseconds.
    pub end_ms: Option<i64>,
}

impl Purge {
    /// Reads `<purge/>`. What is not known is malformed: passed over, it would remove more than was meant.
    pub fn read(purge: &Child<'_>) -> Result<Purge, Malformed> {
        let mut read = Purge::default();
        let once = |known: bool| if known { Err(Malformed("the same twice")) } else { Ok(()) };
        for child in purge.children() {
            let text = child.text();
            let time = || parse_time(text.trim()).ok_or(Malformed("a time that is none")).map(Some);
            match (child.ns(), child.name()) {
                (ns::MAM_PURGE, "id") => {
                    once(read.id.is_some())?;
                    read.id = Some(text.trim().to_owned());
                }
                (ns::MAM_PURGE, "jid") => {
                    once(read.jid.is_some())?;
                    read.jid = Some(Jid::parse(text.trim()).map_err(|_| Malformed("an address that is none"))?);
                }
                (ns::MAM_PURGE, "start") => {
                    once(read.start_ms.is_some())?;
                    read.start_ms = time()?;
                }
                (ns::MAM_PURGE, "end") => {
                    once(read.end_ms.is_some())?;
                    read.end_ms = time()?;
                }
                _ => return Err(Malformed("only id, jid, start and end say what is removed")),
            }
        }
        let has_others = read.jid.is_some() || read.start_ms.is_some() || read.end_ms.is_some();
        if read.id.is_some() && has_others {
            return Err(Malformed("an id stands alone"));
        }
        Ok(read)
    }

    /// Whether no older message stays, so that nothing is left out in the middle of the archive.
    pub fn takes_the_oldest(&self) -> bool {
        self.id.is_none() && self.jid.is_none() && self.start_ms.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn query(inside: &str) -> Result<Query, Wrong> {
        let xml = format!("<query xmlns='urn:xmpp:mam:2' queryid='q'>{inside}</query>");
        Query::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    fn form_of(fields: &str) -> Result<Query, Wrong> {
        query(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>{fields}</x>"
        ))
    }

    fn field(var: &str, value: &str) -> String {
        format!("<field var='{var}'><value>{value}</value></field>")
    }

    #[test]
    fn a_query_says_what_it_wants_in_a_form() {
        let read = form_of(
            &[
                field("with", "Bob@Example.org/x"),
                field("start", "2010-06-07T00:00:00Z"),
                field("end", "2010-07-07T13:23:54Z"),
                field("after-id", "1"),
                field("before-id", "9"),
                "<field var='ids'><value>2</value><value>3</value></field>".to_owned(),
                field("include-groupchat", "true"),
            ]
            .concat(),
        )
        .unwrap();
        assert_eq!(read.with.unwrap().as_str(), "bob@example.org/x");
        assert_eq!((read.start_ms, read.end_ms), (Some(1_275_868_800_000), Some(1_278_509_034_000)));
        assert_eq!((read.after_id.as_deref(), read.before_id.as_deref()), (Some("1"), Some("9")));
        assert_eq!(
            (read.ids, read.queryid.as_deref(), read.flip),
            (vec!["2".to_owned(), "3".to_owned()], Some("q"), false)
        );
        assert!(query("<flip-page/>").unwrap().flip);
        assert_eq!(query("<set xmlns='http://jabber.org/protocol/rsm'><max>5</max></set>").unwrap().set.max, Some(5));
    }

    #[test]
    fn a_node_is_named_where_one_is_meant() {
        let named = "<query xmlns='urn:xmpp:mam:2' queryid='q' node='n'/>";
        let of = |xml: &str| {
            let content = Content::parse(xml.as_bytes()).unwrap();
            let query = content.iter().next().unwrap();
            (Query::read(&query).is_ok(), Query::of_node(&query).map(|(node, query)| (node, query.queryid)).ok())
        };
        assert_eq!(of(named), (false, Some(("n".to_owned(), Some("q".to_owned())))));
        assert_eq!(of("<query xmlns='urn:xmpp:mam:2'/>"), (true, None));
        assert_eq!(of("<query xmlns='urn:xmpp:mam:2' node=''/>"), (false, None));
    }

    #[test]
    fn an_unknown_field_is_not_implemented_and_a_malformed_one_is_bad() {
        assert!(matches!(form_of(&field("{http://example.com/}free-text-search", "x")), Err(Wrong::Unknown(_))));
        for (var, value) in [
            ("with", "@"),
            ("with", ""),
            ("start", "yesterday"),
            ("end", "2010-13-01T00:00:00Z"),
            ("include-groupchat", "perhaps"),
        ] {
            assert!(matches!(form_of(&field(var, value)), Err(Wrong::Malformed(_))), "{var} {value}");
        }
        let two = "<field var='with'><value>a@b</value><value>c@d</value></field>";
        assert!(matches!(form_of(two), Err(Wrong::Malformed(_))));
        assert!(matches!(form_of("<field><value>x</value></field>"), Err(Wrong::Malformed(_))));
    }

    #[test]
    fn a_form_for_something_else_is_refused() {
        for x in [
            "<x xmlns='jabber:x:data' type='submit'/>",
            "<x xmlns='jabber:x:data' type='cancel'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field></x>",
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:1</value></field></x>",
            "<x xmlns='jabber:x:data'/>",
        ] {
            assert!(matches!(query(x), Err(Wrong::Malformed(_))), "{x}");
        }
        let long = "x".repeat(QUERY_ID_BYTES_MAX + 1);
        let xml = format!("<query xmlns='urn:xmpp:mam:2' queryid='{long}'/>");
        let content = Content::parse(xml.as_bytes()).unwrap();
        assert!(Query::read(&content.iter().next().unwrap()).is_err());
    }

    #[test]
    fn the_form_has_every_field_and_ids_are_open() {
        let xml = String::from_utf8(form().to_vec(ns::CLIENT)).unwrap();
        for var in ["with", "start", "end", "before-id", "after-id", "ids", "include-groupchat"] {
            assert!(xml.contains(&format!("var='{var}'")), "{var} {xml}");
        }
        assert!(xml.contains("datatype='xs:string'><open/></validate>") && !xml.contains("required"), "{xml}");
    }

    #[test]
    fn an_empty_archive_has_no_ends() {
        let xml = |tree: Tree| String::from_utf8(tree.to_vec(ns::MAM)).unwrap();
        assert_eq!(xml(metadata(None)), "<metadata/>");
        assert_eq!(
            xml(metadata(Some([(1, 0), (9, 1000)]))),
            "<metadata><start id='1' timestamp='1970-01-01T00:00:00.000Z'/><end id='9' timestamp='1970-01-01T00:00:01.000Z'/></metadata>"
        );
    }

    #[test]
    fn preferences_are_read_as_they_were_written() {
        let read = |xml: &str| Preferences::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap());
        let xml = "<prefs xmlns='urn:xmpp:mam:2' default='roster'><always><jid>romeo@montague.lit</jid></always>\
                   <never><jid>montague@montague.lit/x</jid></never></prefs>";
        let prefs = read(xml).unwrap();
        assert_eq!(String::from_utf8(prefs.tree().to_vec(ns::CLIENT)).unwrap(), xml);
        assert_eq!(read("<prefs xmlns='urn:xmpp:mam:2' default='always'/>"), Ok(Preferences::default()));
        for wrong in ["<prefs xmlns='urn:xmpp:mam:2'/>", "<prefs xmlns='urn:xmpp:mam:2' default='x'/>"] {
            assert!(read(wrong).is_err());
        }
        assert!(read("<prefs xmlns='urn:xmpp:mam:2' default='never'><never><jid>@</jid></never></prefs>").is_err());
    }

    #[test]
    fn a_purge_removes_no_more_than_it_says() {
        let read = |inside: &str| {
            let xml = format!("<purge xmlns='http://metronome.im/protocol/mam-purge'>{inside}</purge>");
            Purge::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
        };
        assert!(read("").unwrap().takes_the_oldest());
        assert!(read("<end>1970-01-01T00:00:01Z</end>").unwrap().takes_the_oldest());
        assert_eq!(read("<id>7</id>").unwrap().id.as_deref(), Some("7"));
        let one = read("<jid>a@b</jid><start>1970-01-01T00:00:01Z</start>").unwrap();
        assert_eq!(
            (one.jid.as_ref().map(Jid::as_str), one.start_ms, one.takes_the_oldest()),
            (Some("a@b"), Some(1000), false)
        );
        for wrong in [
            "<id>7</id><jid>a@b</jid>",
            "<with>a@b</with>",
            "<jid>@</jid>",
            "<jid/>",
            "<start>x</start>",
            "<end/>",
            "<jid xmlns='urn:x'>a@b</jid>",
            "<jid>a@b</jid><jid>c@d</jid>",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
