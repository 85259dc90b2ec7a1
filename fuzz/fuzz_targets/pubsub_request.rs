//! Any request of publish-subscribe that we accept is read back as it was, and its payloads mean the same wherever they are put.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proto/tests/round_trip/pubsub.rs"]
mod round_trip;

fuzz_target!(|input: &[u8]| round_trip::check(input));
