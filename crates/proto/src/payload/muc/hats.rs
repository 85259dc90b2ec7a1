//! XEP-0317: Hats: what people are in a room beside their roles, shown in their presence and changed with commands.

use super::{ID_BYTES_MAX, REASON_BYTES_MAX, bounded};
use crate::ns;
use crate::payload::Malformed;
use crate::payload::data_form::{DataForm, FormType};
use crate::xml::{Child, Tree};

/// Most hats that one person wears, and one room has.
pub const HATS_MAX: usize = 100;

/// The command that makes a hat, or changes the one with the same URI.
pub const CREATE: &str = "urn:xmpp:hats:commands:create";
/// The command that destroys a hat; nobody wears it any more.
pub const DESTROY: &str = "urn:xmpp:hats:commands:destroy";
/// The command that lists all hats of a room.
pub const LIST: &str = "urn:xmpp:hats:commands:list";
/// The command that gives somebody a hat.
pub const ASSIGN: &str = "urn:xmpp:hats:commands:assign";
/// The command that takes a hat from somebody.
pub const UNASSIGN: &str = "urn:xmpp:hats:commands:unassign";
/// The command that lists who wears which hat.
pub const LIST_ASSIGNED: &str = "urn:xmpp:hats:commands:list-assigned";

/// The field with the title of a hat.
pub const TITLE_FIELD: &str = "hats#title";
/// The field with the URI of a hat.
pub const URI_FIELD: &str = "hats#uri";
/// The field with the hue of a hat.
pub const HUE_FIELD: &str = "hats#hue";
/// The field with the address of who wears a hat.
pub const JID_FIELD: &str = "hats#jid";
/// The field of what everybody may know of a room: a text that changes when the hats do.
pub const HASH_FIELD: &str = "hats#hash";

/// One hat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hat {
    /// What tells it from others.
    pub uri: Box<str>,
    /// Its name for humans.
    pub title: Box<str>,
    /// The language of the title.
    pub lang: Option<Box<str>>,
    /// The angle of its colour (XEP-0392) in degrees, as it was written: below 360, with at most nine decimals.
    pub hue: Option<Box<str>>,
}

impl Hat {
    /// Reads `<hats/>`. What else is in a hat is not kept.
    pub fn read_all(hats: &Child<'_>) -> Result<Vec<Hat>, Malformed> {
        let mut all = Vec::new();
        for hat in hats.children().filter(|child| child.is(ns::HATS, "hat")) {
            if all.len() == HATS_MAX {
                return Err(Malformed("too many hats"));
            }
            let lang = hat.lang();
            let attr = |name| hat.attr(name);
            all.push(Hat::of(
                attr("uri").as_deref(),
                attr("title").as_deref(),
                lang.as_deref(),
                attr("hue").as_deref(),
            )?);
        }
        Ok(all)
    }

    /// Reads the form of [`CREATE`].
    pub fn of_form(form: &DataForm) -> Result<Hat, Malformed> {
        let is_filled = form.kind == FormType::Submit && form.form_type() == Some(ns::HATS_COMMANDS);
        if !is_filled {
            return Err(Malformed("a form for something else"));
        }
        Hat::of(form.value(URI_FIELD), form.value(TITLE_FIELD), None, form.value(HUE_FIELD))
    }

    fn of(uri: Option<&str>, title: Option<&str>, lang: Option<&str>, hue: Option<&str>) -> Result<Hat, Malformed> {
        let text = |text: Option<&str>, bytes_max| text.map_or(Ok(None), |text| bounded(text, bytes_max));
        let hue = hue.filter(|hue| !hue.is_empty());
        if hue.is_some_and(|hue| !is_angle(hue)) {
            return Err(Malformed("a hue that is no angle"));
        }
        Ok(Hat {
            uri: text(uri, ID_BYTES_MAX)?.ok_or(Malformed("a hat without a URI"))?,
            title: text(title, REASON_BYTES_MAX)?.ok_or(Malformed("a hat without a title"))?,
            lang: text(lang, ID_BYTES_MAX)?,
            hue: hue.map(Box::from),
        })
    }

    fn tree(&self) -> Tree {
        Tree::new(ns::HATS, "hat")
            .attr("title", &self.title)
            .attr("uri", &self.uri)
            .attr_opt("hue", self.hue.as_ref())
            .attr_opt("xml:lang", self.lang.as_ref())
    }
}

/// `<hats/>` for the presence of who wears them.
pub fn tree<'a>(hats: impl IntoIterator<Item = &'a Hat>) -> Tree {
    Tree::new(ns::HATS, "hats").children(hats.into_iter().map(Hat::tree))
}

/// A number from 0 to below 360 with at most nine decimals.
fn is_angle(hue: &str) -> bool {
    let (degrees, decimals) = hue.split_once('.').unwrap_or((hue, "0"));
    let is_number = |text: &str, digits_max: usize| {
        (1..=digits_max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_number(degrees, 3) && is_number(decimals, 9) && degrees.parse().is_ok_and(|degrees: u16| degrees < 360)
}
