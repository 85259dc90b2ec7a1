//! XEP-0054: visiting cards.

use metronome_testkit::{Client, on_both_stores, on_both_stores_with};

use crate::{ask, condition, without_sender};

const ASKED: &str = "<vCard xmlns='vcard-temp'/>";
const CARD: &str = "<vCard xmlns='vcard-temp'><FN>Alice &amp; Co</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>\nAAAA\n</BINVAL></PHOTO>\
                    <N><FAMILY/></N></vCard>";

#[test]
fn a_card_is_set_by_its_owner_and_read_by_everybody() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        assert_eq!(condition(&ask(&mut alice, "get", "", ASKED)), "item-not-found");
        let set = ask(&mut alice, "set", "", CARD);
        assert!(set.fits("<iq type='result'") && !set.contains("<vCard"), "{set}");
        for to in ["", "alice@localhost"] {
            assert!(ask(&mut alice, "get", to, ASKED).contains(CARD));
        }
        let mut bob = Client::login(server, "bob", "desk");
        let seen = ask(&mut bob, "get", "alice@localhost", ASKED);
        assert!(seen.fits("<iq type='result' from='alice@localhost'") && seen.contains(CARD), "{seen}");
        // An empty card is none.
        ask(&mut alice, "set", "alice@localhost", ASKED);
        assert_eq!(condition(&ask(&mut alice, "get", "", ASKED)), "item-not-found");
        assert_eq!(condition(&ask(&mut bob, "get", "alice@localhost", ASKED)), "service-unavailable");
    });
}

#[test]
fn an_account_without_a_card_looks_like_none() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        for kind in ["get", "set"] {
            let payload = if kind == "get" { ASKED } else { CARD };
            let answers = ["bob@localhost", "nobody@localhost"].map(|to| ask(&mut alice, kind, to, payload));
            assert_eq!(condition(&answers[0]), "service-unavailable", "{kind}");
            assert_eq!(without_sender(&answers[0]), without_sender(&answers[1]), "{kind}");
        }
        let mut bob = Client::login(server, "bob", "desk");
        assert_eq!(condition(&ask(&mut bob, "get", "", ASKED)), "item-not-found", "nobody has set it");
    });
}

#[test]
fn a_card_has_one_picture_and_a_size() {
    on_both_stores_with("limits.vcard = \"20 KiB\"", |server| {
        let mut alice = Client::login(server, "alice", "phone");
        let card = |inside: &str| format!("<vCard xmlns='vcard-temp'>{inside}</vCard>");
        let photo = |bytes: usize| format!("<PHOTO><BINVAL>{}</BINVAL></PHOTO>", "A".repeat(bytes));
        assert!(ask(&mut alice, "set", "", &card(&photo(19_000))).fits("<iq type='result'"));
        for refused in [card(&photo(21_000)), card(&(photo(10) + &photo(10)))] {
            assert_eq!(condition(&ask(&mut alice, "set", "", &refused)), "policy-violation");
        }
        assert!(ask(&mut alice, "get", "", ASKED).len() > 19_000, "what was refused changed nothing");
        for wrong in ["<vCard xmlns='vcard-temp2'><FN>x</FN></vCard>", "<vcard xmlns='vcard-temp'><FN>x</FN></vcard>"] {
            assert_eq!(condition(&ask(&mut alice, "set", "", wrong)), "service-unavailable", "{wrong}");
        }
    });
}

#[test]
fn a_card_goes_with_its_account() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        ask(&mut alice, "set", "", CARD);
        server.control().run("user delete", serde_json::json!({ "jid": "alice@localhost" }));
        server.control().add_user("alice@localhost");
        let mut bob = Client::login(server, "bob", "desk");
        assert_eq!(condition(&ask(&mut bob, "get", "alice@localhost", ASKED)), "service-unavailable");
    });
}
