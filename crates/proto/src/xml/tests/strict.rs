//! Malformed and odd inputs.

use super::*;

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

fn verdict(input: &[u8]) -> (Vec<Item>, Option<XmlError>) {
    let input = [HEADER.as_bytes(), input].concat();
    let whole = scan(Scanner::new(Limits::CLIENT), &input, input.len());
    for step in [1, 2, 3, 7] {
        assert_eq!(scan(Scanner::new(Limits::CLIENT), &input, step), whole, "{step} bytes at a time");
    }
    whole
}

#[test]
fn smoke() {
    let (items, error) = verdict(b"<message to='a'><body>hi</body></message> <iq/></stream:stream>");
    assert_eq!(error, None);
    assert_eq!(items.len(), 4);
    let Item::Element(element) = &items[1] else { panic!() };
    assert_eq!(element.child("jabber:client", "body").unwrap().text(), "hi");
}
