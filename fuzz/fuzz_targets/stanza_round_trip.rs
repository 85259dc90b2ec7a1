//! Any stanza that we accept is read back as it was, once written: nothing that we write can be taken for something else.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proto/tests/round_trip/mod.rs"]
mod round_trip;

fuzz_target!(|input: &[u8]| round_trip::check(input));
