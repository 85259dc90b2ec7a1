use super::*;

fn parsed(text: &str) -> String {
    Jid::parse(text).unwrap().to_string()
}

#[test]
fn parts_are_found() {
    let jid = Jid::parse("romeo@montague.example/or/ch@rd").unwrap();
    assert_eq!(jid.local(), Some("romeo"));
    assert_eq!(jid.domain(), "montague.example");
    assert_eq!(jid.resource(), Some("or/ch@rd"));
}
