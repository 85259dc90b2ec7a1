//! From the new form to the old one.

use super::{ADDRESS_PARTS, MEDIA, NAME_PARTS, TEXTS, TYPES, old, own_text, text_in};
use crate::ns;
use crate::xml::{Child, Tree};

/// The card in the old form.
pub fn to_temp(card: &Child<'_>) -> Tree {
    let properties = card.children().filter(|child| child.ns() == ns::VCARD4);
    old("vCard").children(properties.flat_map(|property| converted(&property)))
}

fn converted(property: &Child<'_>) -> Vec<Tree> {
    let name = property.name();
    if let Some((to, _)) = TEXTS.iter().find(|(_, from)| *from == name) {
        return text_in(property, ns::VCARD4, "text").map(|text| old(to).text(text)).into_iter().collect();
    }
    if let Some((to, _)) = MEDIA.iter().find(|(_, from)| *from == name) {
        return uri(property).and_then(|uri| medium(to, &uri)).into_iter().collect();
    }
    match name {
        "n" => full_name(property),
        "adr" => some(old("ADR").children(types(property)), parts(property, ADDRESS_PARTS)),
        "tel" => telephone(property).into_iter().collect(),
        "email" => {
            let email = |address: String| {
                old("EMAIL").child(old("INTERNET")).children(types(property)).child(old("USERID").text(address))
            };
            text_in(property, ns::VCARD4, "text").map(email).into_iter().collect()
        }
        "bday" => {
            first(property, &["date", "date-time", "text"]).map(|day| old("BDAY").text(day)).into_iter().collect()
        }
        "rev" => first(property, &["timestamp", "text"]).map(|at| old("REV").text(at)).into_iter().collect(),
        "impp" => {
            let jid = uri(property).and_then(|uri| Some(uri.strip_prefix("xmpp:")?.to_owned()));
            jid.map(|jid| old("JABBERID").text(jid)).into_iter().collect()
        }
        "url" => uri(property).map(|uri| old("URL").text(uri)).into_iter().collect(),
        "uid" => first(property, &["uri", "text"]).map(|uid| old("UID").text(uid)).into_iter().collect(),
        "geo" => uri(property).and_then(|uri| place(&uri)).into_iter().collect(),
        "org" => organisation(property),
        "categories" => {
            let words = texts(property).into_iter().map(|word| old("KEYWORD").text(word));
            some(old("CATEGORIES"), words.collect())
        }
        "key" => {
            let key = |key: String| old("KEY").child(old("CRED").text(key));
            text_in(property, ns::VCARD4, "text").map(key).into_iter().collect()
        }
        "related" if has_type(property, "agent") => {
            uri(property).map(|uri| old("AGENT").child(old("EXTVAL").text(uri))).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// A property with these parts, unless there are none.
fn some(property: Tree, parts: Vec<Tree>) -> Vec<Tree> {
    if parts.is_empty() { Vec::new() } else { vec![property.children(parts)] }
}

fn parts(property: &Child<'_>, names: &[(&str, &str)]) -> Vec<Tree> {
    let part = |(to, from): &(&str, &str)| Some(old(to).text(text_in(property, ns::VCARD4, from)?));
    names.iter().filter_map(part).collect()
}

fn texts(property: &Child<'_>) -> Vec<String> {
    property.children().filter(|child| child.is(ns::VCARD4, "text")).filter_map(|child| own_text(&child)).collect()
}

fn first(property: &Child<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text_in(property, ns::VCARD4, name))
}

fn uri(property: &Child<'_>) -> Option<String> {
    text_in(property, ns::VCARD4, "uri")
}

fn full_name(property: &Child<'_>) -> Vec<Tree> {
    let mut name = some(old("N"), parts(property, NAME_PARTS));
    let sort = property.child(ns::VCARD4, "parameters").and_then(|parameters| parameters.child(ns::VCARD4, "sort-as"));
    let sort = sort.and_then(|sort| text_in(&sort, ns::VCARD4, "text").or_else(|| own_text(&sort)));
    name.extend(sort.map(|text| old("SORT-STRING").text(text)));
    name
}

fn telephone(property: &Child<'_>) -> Option<Tree> {
    let number = match uri(property) {
        Some(uri) => uri.strip_prefix("tel:").unwrap_or(&uri).to_owned(),
        None => text_in(property, ns::VCARD4, "text")?,
    };
    Some(old("TEL").children(types(property)).child(old("NUMBER").text(number)))
}

/// The name of an organisation, and its units.
fn organisation(property: &Child<'_>) -> Vec<Tree> {
    let mut texts = texts(property).into_iter();
    let Some(name) = texts.next() else { return Vec::new() };
    let units = texts.map(|unit| old("ORGUNIT").text(unit));
    vec![old("ORG").child(old("ORGNAME").text(name)).children(units)]
}

fn has_type(property: &Child<'_>, wanted: &str) -> bool {
    let parameters = property.child(ns::VCARD4, "parameters");
    let types = parameters.and_then(|parameters| parameters.child(ns::VCARD4, "type"));
    types.is_some_and(|types| texts(&types).iter().any(|kind| kind.eq_ignore_ascii_case(wanted)))
}

/// What an address or a number is for, and whether it is preferred.
fn types(property: &Child<'_>) -> Vec<Tree> {
    let types = TYPES.iter().filter(|(_, from)| has_type(property, from)).map(|(to, _)| old(to));
    let parameters = property.child(ns::VCARD4, "parameters");
    let is_preferred = parameters.is_some_and(|parameters| parameters.child(ns::VCARD4, "pref").is_some());
    types.chain(is_preferred.then(|| old("PREF"))).collect()
}

/// A picture or a sound: in the card if the URI holds it, somewhere else otherwise.
fn medium(name: &str, uri: &str) -> Option<Tree> {
    let Some(data) = uri.strip_prefix("data:") else { return Some(old(name).child(old("EXTVAL").text(uri))) };
    let (head, base64) = data.split_once(',')?;
    let kind = head.strip_suffix(";base64")?;
    let kind = kind.split(';').next().filter(|kind| !kind.is_empty()).map(|kind| old("TYPE").text(kind));
    Some(old(name).children(kind).child(old("BINVAL").text(base64)))
}

/// A place, without its height and what else a URI may say.
fn place(uri: &str) -> Option<Tree> {
    let (latitude, rest) = uri.strip_prefix("geo:")?.split_once(',')?;
    let longitude = rest.split([',', ';']).next()?;
    Some(old("GEO").child(old("LAT").text(latitude)).child(old("LON").text(longitude)))
}
