//! XEP-0478: Stream Limits Advertisement.

use crate::ns;
use crate::xml::{Element, Tree};

/// The stream feature: the largest element that is taken, in bytes, and for how many seconds the stream may be silent before something
/// is done about it; without them where it is not that, but the negotiation as a whole, that must be over soon.
pub fn feature(bytes_max: usize, idle_seconds: Option<u64>) -> Tree {
    let idle = idle_seconds.map(|seconds| Tree::new(ns::STREAM_LIMITS, "idle-seconds").text(seconds.to_string()));
    Tree::new(ns::STREAM_LIMITS, "limits")
        .child(Tree::new(ns::STREAM_LIMITS, "max-bytes").text(bytes_max.to_string()))
        .children(idle)
}

/// What the other side has said that it takes on a stream; what it has not said is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// The largest element in bytes.
    pub bytes_max: Option<usize>,
    /// For how many seconds it takes the stream to be of use though it hears nothing.
    pub idle_seconds: Option<u64>,
}

impl Announced {
    /// Reads a feature; a number that cannot be read was not said.
    pub fn read(limits: &Tree) -> Announced {
        let number = |name| {
            let limit = limits.get_child(ns::STREAM_LIMITS, name).filter(|_| limits.is(ns::STREAM_LIMITS, "limits"));
            limit.and_then(|limit| limit.get_text().trim().parse::<u32>().ok())
        };
        Announced {
            bytes_max: number("max-bytes").map(|bytes| bytes as usize),
            idle_seconds: number("idle-seconds").map(u64::from),
        }
    }

    /// The same from a wish to use a stream in both directions (section 3.2).
    pub fn of_bidi(bidi: &Element) -> Announced {
        bidi.child(ns::STREAM_LIMITS, "limits")
            .map_or_else(Announced::default, |limits| Announced::read(&limits.tree()))
    }
}
