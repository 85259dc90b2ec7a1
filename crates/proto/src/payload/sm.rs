//! XEP-0198 sections 3 to 5: the elements of stream management between a client and its server. None of them is a stanza, and none is
//! counted.

use std::borrow::Cow;

use super::Malformed;
use crate::ns;
use crate::stanza::error::Condition;
use crate::xml::{Child, Element, Tree};

/// Whether a stream may be resumed after its connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumable {
    /// It may.
    Yes,
    /// It ends with its connection.
    No,
}

/// What a client says about its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `<enable/>`: count from here on.
    Enable {
        /// Whether it would like to resume this stream later.
        resumable: Resumable,
        /// For how many seconds at most, if it says so.
        max_s: Option<u32>,
    },
    /// `<resume/>`: this connection takes the place of an earlier one.
    Resume {
        /// The name that the server gave the earlier stream.
        previd: Box<str>,
        /// How many stanzas the client has had on it.
        h: u32,
    },
    /// `<r/>`: how many stanzas has the server handled?
    Request,
    /// `<a/>`: how many the client has.
    Answer {
        /// Modulo 2^32.
        h: u32,
    },
}

impl Said {
    /// Reads an element of stream management; none if it is not one that a client sends.
    pub fn read(element: &Element) -> Option<Result<Said, Malformed>> {
        if element.ns() != ns::STREAM_MANAGEMENT {
            return None;
        }
        let attr = |name: &str| element.attr(name);
        Some(match element.name() {
            "enable" => Said::read_enable(attr),
            "resume" => Said::read_resume(attr),
            "r" => Ok(Said::Request),
            "a" => read_h(attr("h")).map(|h| Said::Answer { h }),
            _ => return None,
        })
    }

    /// Reads what a client may say while it logs in (section 11): `<resume/>` in its request, `<enable/>` where it binds.
    pub fn read_inline(child: &Child<'_>) -> Option<Result<Said, Malformed>> {
        if child.ns() != ns::STREAM_MANAGEMENT {
            return None;
        }
        match child.name() {
            "enable" => Some(Said::read_enable(|name| child.attr(name))),
            "resume" => Some(Said::read_resume(|name| child.attr(name))),
            _ => None,
        }
    }

    fn read_enable<'a>(attr: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<Said, Malformed> {
        let resumable = match attr("resume").as_deref() {
            None | Some("false" | "0") => Resumable::No,
            Some("true" | "1") => Resumable::Yes,
            Some(_) => return Err(Malformed("resume is neither true nor false")),
        };
        // A preference: one that cannot be read is none.
        let max_s = attr("max").and_then(|max| max.parse().ok());
        Ok(Said::Enable { resumable, max_s })
    }

    fn read_resume<'a>(attr: impl Fn(&str) -> Option<Cow<'a, str>>) -> Result<Said, Malformed> {
        let previd = attr("previd").ok_or(Malformed("there is no previd"))?;
        Ok(Said::Resume { previd: previd.as_ref().into(), h: read_h(attr("h"))? })
    }
}

fn read_h(h: Option<Cow<'_, str>>) -> Result<u32, Malformed> {
    let h = h.ok_or(Malformed("there is no h"))?;
    // `parse` would also take a sign.
    let digits = !h.is_empty() && h.bytes().all(|byte| byte.is_ascii_digit());
    h.parse().ok().filter(|_| digits).ok_or(Malformed("h is not a number of 32 bits"))
}

/// What the other side answers to who has opened a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// `<enabled/>`: both sides count from here on.
    Enabled,
    /// `<failed/>`: nobody counts.
    Failed,
}

impl Answered {
    /// Reads the answer to `<enable/>`; none if it is something else.
    pub fn read(element: &Element) -> Option<Answered> {
        match element.name() {
            _ if element.ns() != ns::STREAM_MANAGEMENT => None,
            "enabled" => Some(Answered::Enabled),
            "failed" => Some(Answered::Failed),
            _ => None,
        }
    }
}

/// `<enable/>`, without a wish to resume.
pub fn enable() -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "enable")
}

/// The stream feature.
pub fn feature() -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "sm")
}

/// `<enabled/>`; with a name and seconds if the stream can be resumed.
pub fn enabled(resumption: Option<(&str, u64)>) -> Tree {
    let enabled = Tree::new(ns::STREAM_MANAGEMENT, "enabled");
    match resumption {
        Some((id, max_s)) => enabled.attr("id", id).attr("resume", "true").attr("max", max_s.to_string()),
        None => enabled,
    }
}

/// `<resumed/>`.
pub fn resumed(previd: &str, h: u32) -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "resumed").attr("previd", previd).attr("h", h.to_string())
}

/// `<failed/>`; with how many stanzas were handled of a stream that is known and cannot be resumed any more.
pub fn failed(condition: Condition, h: Option<u32>) -> Tree {
    let failed = Tree::new(ns::STREAM_MANAGEMENT, "failed").child(Tree::new(ns::STANZA_ERRORS, condition.name()));
    match h {
        Some(h) => failed.attr("h", h.to_string()),
        None => failed,
    }
}

/// `<r/>`.
pub fn request() -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "r")
}

/// `<a/>`.
pub fn answer(h: u32) -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "a").attr("h", h.to_string())
}

/// What goes into the stream error of a client that has had more than it was sent (section 7).
pub fn too_high(h: u32, sent: u32) -> Tree {
    Tree::new(ns::STREAM_MANAGEMENT, "handled-count-too-high")
        .attr("h", h.to_string())
        .attr("send-count", sent.to_string())
}
