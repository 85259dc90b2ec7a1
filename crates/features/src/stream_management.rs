//! XEP-0198: stream management. What is announced and configured; a session's numbers are in `host`, its connection in `net`.

use std::time::Duration;

use metronome_host::feature::{Feature, StreamFeature, StreamState, Xep};
use metronome_host::options::{Kind, Setting, Values};
use metronome_proto::payload::sm;

/// For how long a session waits for its client.
pub const RESUME: Setting = Setting::new(
    "stream_management.resume",
    Kind::Duration,
    "\"10 min\"",
    "For how long a session whose connection was lost waits for its client, which may ask for less. `0 s`: its end is the session's end.",
)
.for_new_streams()
.per_host();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "stream-management",
    xeps: &[Xep::new(198, "1.6.3", "Stream Management")],
    stream: &[StreamFeature { when: StreamState::Authenticated, announce: |_, _| Some(sm::feature()) }],
    settings: &[RESUME],
    ..Feature::NONE
};

/// For how long a session waits whose client asks for so many seconds at most; none if it does not wait.
pub fn patience(values: &Values, max_s: Option<u32>) -> Option<Duration> {
    let most = values.duration(&RESUME);
    let wished = max_s.map_or(most, |max_s| Duration::from_secs(max_s.into()));
    Some(most.min(wished)).filter(|patience| !patience.is_zero())
}
