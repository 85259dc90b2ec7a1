//! Any bytes, by our scanner and by `rxml`: the same elements, the same verdict, however the bytes arrive.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proto/tests/oracle/mod.rs"]
mod oracle;

const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

fuzz_target!(|input: &[u8]| {
    oracle::check(input);
    oracle::check(&[HEADER, input].concat());
});
