//! XEP-0484: Fast Authentication Streamlining Tokens: what a client asks for inside of `<authenticate/>`, and the token in the answer.

use super::Malformed;
use super::delay::format_time;
use crate::ns;
use crate::xml::{Child, Element, Tree};

/// What stands among the inline features of XEP-0388: the mechanisms, best first.
pub fn feature<'a>(mechanisms: impl IntoIterator<Item = &'a str>) -> Tree {
    let mechanism = |name| Tree::new(ns::FAST, "mechanism").text(name);
    Tree::new(ns::FAST, "fast").children(mechanisms.into_iter().map(mechanism))
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// It logs in with a token.
    pub uses: Option<Use>,
    /// It would like a token for this mechanism.
    pub wants: Option<String>,
}

/// How a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// How often it was used before, as the client counts.
    pub count: Option<u32>,
    /// Whether it ends with this use.
    pub ends: Ends,
}

/// Whether a token ends with its use (section 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The client asks for it.
    Now,
    /// Not yet.
    Later,
}

impl Asked {
    /// Reads what stands in `<authenticate/>`.
    pub fn read(authenticate: &Element) -> Result<Asked, Malformed> {
        let uses = authenticate.child(ns::FAST, "fast").map(|fast| Use::read(&fast)).transpose()?;
        let wants = authenticate.child(ns::FAST, "request-token");
        let wants = wants.map(|wants| wants.attr("mechanism").unwrap_or_default().into_owned());
        Ok(Asked { uses, wants })
    }
}

impl Use {
    fn read(fast: &Child<'_>) -> Result<Use, Malformed> {
        let count = fast.attr("count").map(|count| count.trim().parse());
        let count = count.transpose().map_err(|_| Malformed("a count that is no number"))?;
        let ends = match fast.attr("invalidate").as_deref().map(str::trim) {
            None | Some("0" | "false") => Ends::Later,
            Some("1" | "true") => Ends::Now,
            Some(_) => return Err(Malformed("neither true nor false")),
        };
        Ok(Use { count, ends })
    }
}

/// A token for the client, good until then (Unix time in milliseconds).
pub fn token(token: &str, expires_ms: u64) -> Tree {
    let expiry = format_time(i64::try_from(expires_ms).unwrap_or(i64::MAX));
    Tree::new(ns::FAST, "token").attr("token", token).attr("expiry", expiry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Item, Limits, Scanner};

    fn read(inside: &str) -> Result<Asked, Malformed> {
        let xml = format!("<authenticate xmlns='urn:xmpp:sasl:2'>{inside}</authenticate>");
        match Scanner::elements(Limits::CLIENT).next(&mut xml.as_bytes()) {
            Ok(Some(Item::Element(element))) => Asked::read(&element),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_use_counts_and_may_be_the_last() {
        let fast =
            |attributes: &str| read(&format!("<fast xmlns='urn:xmpp:fast:0' {attributes}/>")).map(|asked| asked.uses);
        assert_eq!(read(""), Ok(Asked::default()));
        assert_eq!(fast(""), Ok(Some(Use { count: None, ends: Ends::Later })));
        assert_eq!(fast("count='123' invalidate='true'"), Ok(Some(Use { count: Some(123), ends: Ends::Now })));
        for bad in ["count='-1'", "count='x'", "count=''", "count='99999999999'", "invalidate='yes'"] {
            assert!(fast(bad).is_err(), "{bad}");
        }
        let wants = read("<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>").unwrap().wants;
        assert_eq!(wants.as_deref(), Some("HT-SHA-256-NONE"));
    }

    #[test]
    fn a_token_tells_when_it_ends() {
        assert_eq!(
            String::from_utf8(token("abc", 1_583_937_375_000).to_vec("")).unwrap(),
            "<token xmlns='urn:xmpp:fast:0' token='abc' expiry='2020-03-11T14:36:15.000Z'/>"
        );
    }
}
