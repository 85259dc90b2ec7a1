//! The scanner's rules, one test each. Every input is scanned whole and in small pieces: the verdict must be the same.

use super::*;

mod elements;
mod limits;
mod strict;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='x' version='1.0'>";

/// What a scanner says about `input`, given in pieces of `step` bytes: its items, and the error that ended it.
fn scan(mut scanner: Scanner, input: &[u8], step: usize) -> (Vec<Item>, Option<XmlError>) {
    let mut items = Vec::new();
    for mut piece in input.chunks(step) {
        loop {
            match scanner.next(&mut piece) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
        assert!(piece.is_empty());
    }
    (items, None)
}

/// What a new stream's scanner says, whole and in pieces.
fn scan_all(input: &[u8]) -> (Vec<Item>, Option<XmlError>) {
    let whole = scan(Scanner::new(Limits::CLIENT), input, input.len());
    for step in [1, 2, 3, 7] {
        assert_eq!(scan(Scanner::new(Limits::CLIENT), input, step), whole, "{step} bytes at a time");
    }
    whole
}

/// The same behind a stream header.
fn in_stream(input: &[u8]) -> (Vec<Item>, Option<XmlError>) {
    scan_all(&[HEADER.as_bytes(), input].concat())
}
