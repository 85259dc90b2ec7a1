//! XEP-0359: every archived message has an id of its archive, and nobody but the server gives it.

use metronome_testkit::{Client, on_both_stores};

use crate::{query, settle};

#[test]
fn nobody_else_gives_the_ids_of_an_archive() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let claim = |by: &str| format!("<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged-{by}'/>");
        let claims: String =
            ["bob@localhost", "alice@localhost", "localhost", "BOB@localhost", "elsewhere.example"].map(claim).concat();
        let origin = "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>";
        alice.send(&format!(
            "<message to='bob@localhost' type='chat' id='m1'><body>hi</body>{claims}{origin}</message>"
        ));
        settle(&mut alice);
        let live = bob.wait_for("<message id='m1'");
        assert_eq!(
            live.attribute_of("stanza-id", "by").as_deref(),
            Some("elsewhere.example"),
            "others' ids are left alone"
        );
        assert!(
            !live.contains("forged-bob") && !live.contains("forged-alice") && !live.contains("forged-local"),
            "{live}"
        );
        assert!(!live.contains("forged-BOB") && live.contains(origin), "{live}");
        let archived = query(&mut bob, "");
        let id = &archived.ids()[0];
        assert!(live.contains(&format!("<stanza-id xmlns='urn:xmpp:sid:0' by='bob@localhost' id='{id}'/>")), "{live}");
        // Neither archive has a forged one, and each has an id of its own.
        for page in [archived, query(&mut alice, "")] {
            assert!(!page.results[0].contains("forged-bob") && !page.results[0].contains("forged-alice"));
            assert!(page.results[0].contains(origin));
        }
    });
}
