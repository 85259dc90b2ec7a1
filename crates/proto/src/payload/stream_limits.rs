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

/// The largest element in bytes that the other side takes, from its feature; none if it does not say.
pub fn bytes_max(limits: &Tree) -> Option<usize> {
    let bytes = limits.get_child(ns::STREAM_LIMITS, "max-bytes").filter(|_| limits.is(ns::STREAM_LIMITS, "limits"))?;
    bytes.get_text().trim().parse().ok()
}

/// The same from a wish to use a stream in both directions (section 4.2).
pub fn bytes_max_of_bidi(bidi: &Element) -> Option<usize> {
    bytes_max(&bidi.child(ns::STREAM_LIMITS, "limits")?.tree())
}
