//! From the old form to the new one.

use super::{ADDRESS_PARTS, MEDIA, NAME_PARTS, TEXTS, TYPES, new, own_text, text_in};
use crate::ns;
use crate::xml::{Child, Tree};

/// The card in the new form.
pub fn from_temp(card: &Child<'_>) -> Tree {
    let properties = card.children().filter(|child| child.ns() == ns::VCARD);
    new("vcard").children(properties.filter_map(|property| converted(card, &property)))
}

fn converted(card: &Child<'_>, property: &Child<'_>) -> Option<Tree> {
    let name = property.name();
    if let Some((_, to)) = TEXTS.iter().find(|(from, _)| *from == name) {
        return Some(new(to).child(new("text").text(own_text(property)?)));
    }
    if let Some((_, to)) = MEDIA.iter().find(|(from, _)| *from == name) {
        return Some(uri(to, &medium(property)?));
    }
    match name {
        "N" => full_name(card, property),
        "ADR" => some(new("adr").children(parameters(property)), parts(property, ADDRESS_PARTS)),
        "TEL" => telephone(property),
        "EMAIL" => {
            let address = text_in(property, ns::VCARD, "USERID")?;
            Some(new("email").children(parameters(property)).child(new("text").text(address)))
        }
        "BDAY" => Some(new("bday").child(new("date").text(own_text(property)?))),
        "REV" => Some(new("rev").child(new("timestamp").text(own_text(property)?))),
        "JABBERID" => Some(uri("impp", &format!("xmpp:{}", own_text(property)?))),
        "URL" => Some(uri("url", &own_text(property)?)),
        "UID" => Some(uri("uid", &own_text(property)?)),
        "GEO" => {
            let [latitude, longitude] = ["LAT", "LON"].map(|name| text_in(property, ns::VCARD, name));
            Some(uri("geo", &format!("geo:{},{}", latitude?, longitude?)))
        }
        "ORG" => some(new("org"), texts(property, &["ORGNAME", "ORGUNIT"])),
        "CATEGORIES" => some(new("categories"), texts(property, &["KEYWORD"])),
        "KEY" => Some(new("key").child(new("text").text(text_in(property, ns::VCARD, "CRED")?))),
        // Cards within cards are no more; one that is somewhere else is that of somebody related (RFC 6350 section 6.6.6).
        "AGENT" => {
            let agent = new("parameters").child(new("type").child(new("text").text("agent")));
            Some(new("related").child(agent).child(new("uri").text(text_in(property, ns::VCARD, "EXTVAL")?)))
        }
        _ => None,
    }
}

/// A property with these parts, unless there are none.
fn some(property: Tree, parts: Vec<Tree>) -> Option<Tree> {
    (!parts.is_empty()).then(|| property.children(parts))
}

fn parts(property: &Child<'_>, names: &[(&str, &str)]) -> Vec<Tree> {
    let part = |(from, to): &(&str, &str)| Some(new(to).text(text_in(property, ns::VCARD, from)?));
    names.iter().filter_map(part).collect()
}

/// The texts of all elements of these names, in their order.
fn texts(property: &Child<'_>, names: &[&str]) -> Vec<Tree> {
    let of_name = |name: &&str| {
        let name = name.to_string();
        property.children().filter(move |child| child.is(ns::VCARD, &name))
    };
    names.iter().flat_map(of_name).filter_map(|child| Some(new("text").text(own_text(&child)?))).collect()
}

/// A name, and the text by which it is sorted, which stands beside it in the old form.
fn full_name(card: &Child<'_>, property: &Child<'_>) -> Option<Tree> {
    let sort = text_in(card, ns::VCARD, "SORT-STRING");
    let sort = sort.map(|text| new("parameters").child(new("sort-as").child(new("text").text(text))));
    some(new("n").children(sort), parts(property, NAME_PARTS))
}

/// A number: a URI if it can be one, a text otherwise (RFC 6350 section 6.4.1).
fn telephone(property: &Child<'_>) -> Option<Tree> {
    let number = text_in(property, ns::VCARD, "NUMBER")?;
    let is_uri =
        number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.()*#".contains(&byte)) && !number.contains('#');
    let value = if is_uri { new("uri").text(format!("tel:{number}")) } else { new("text").text(number) };
    Some(new("tel").children(parameters(property)).child(value))
}

/// What an address or a number is for, and whether it is preferred.
fn parameters(property: &Child<'_>) -> Option<Tree> {
    let has = |name: &str| property.child(ns::VCARD, name).is_some();
    let types: Vec<Tree> = TYPES.iter().filter(|(from, _)| has(from)).map(|(_, to)| new("text").text(to)).collect();
    let types = (!types.is_empty()).then(|| new("type").children(types));
    let preferred = has("PREF").then(|| new("pref").child(new("integer").text("1")));
    (types.is_some() || preferred.is_some()).then(|| new("parameters").children(types).children(preferred))
}

/// Where a picture or a sound is; what is in the card becomes a `data:` URI (RFC 2397).
fn medium(property: &Child<'_>) -> Option<String> {
    if let Some(elsewhere) = text_in(property, ns::VCARD, "EXTVAL") {
        return Some(elsewhere);
    }
    let base64: String = text_in(property, ns::VCARD, "BINVAL")?.split_ascii_whitespace().collect();
    let default = if property.name() == "SOUND" { "audio/basic" } else { "application/octet-stream" };
    let kind = text_in(property, ns::VCARD, "TYPE").filter(|kind| !kind.contains([',', ';']));
    Some(format!("data:{};base64,{base64}", kind.as_deref().unwrap_or(default)))
}

fn uri(name: &str, value: &str) -> Tree {
    new(name).child(new("uri").text(value))
}
