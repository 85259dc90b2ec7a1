//! Commands from the first form to the result.

use metronome_testkit::{Client, Sasl, Setup};
use serde_json::json;

use crate::{admin, dave, execute, form, go_on, own, problem, server, status};

#[test]
fn what_needs_no_form_is_answered_at_once() {
    let server = server();
    let mut carol = Client::login(&server, "carol", "phone");
    let answer = execute(&mut carol, &own("status"));
    assert_eq!(status(&answer), "completed");
    assert!(answer.contains("<x xmlns='jabber:x:data' type='result'>"), "{answer}");
    assert!(
        answer.contains("<field var='hosts' type='text-single' label='hosts'><value>b.example localhost</value>"),
        "{answer}"
    );
}

// XEP-0050 example 8
// XEP-0050 example 9
#[test]
fn a_table_is_reported_with_its_items() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let answer = execute(&mut alice, &own("user-list"));
    assert_eq!(status(&answer), "completed");
    assert!(answer.contains("<reported><field var='jid' type='text-single' label='jid'/>"), "{answer}");
    assert!(answer.contains(
        "<item><field var='jid'><value>alice@localhost</value></field><field var='role'><value>admin</value>"
    ));
    assert!(!answer.contains("b.example"), "an admin sees the own domain only: {answer}");
    let list = execute(&mut alice, &own("session-list"));
    let all = go_on(&mut alice, &list, "complete", "");
    assert!(all.contains("<value>alice@localhost/phone</value>"), "nothing of the form is needed: {all}");
    let list = execute(&mut alice, &own("session-list"));
    let none = go_on(&mut alice, &list, "complete", &form(&[("jid", "bob@localhost")]));
    assert!(none.contains("<note type='info'>there are none</note>") && !none.contains("<reported"), "{none}");
}

#[test]
fn an_account_is_added_by_its_form_and_its_password_stays_unseen() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let asked = execute(&mut alice, &admin("add-user"));
    assert_eq!(status(&asked), "executing");
    assert!(asked.contains("<actions execute='complete'><complete/></actions>"), "{asked}");
    assert!(
        asked.contains("<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/admin</value></field>")
    );
    for (var, kind) in [("accountjid", "jid-single"), ("password", "text-private"), ("password-verify", "text-private")]
    {
        assert!(asked.contains(&format!("<field var='{var}' type='{kind}'")), "{asked}");
    }
    let wrong =
        form(&[("accountjid", "eve@localhost"), ("password", "eve-secret"), ("password-verify", "other-secret")]);
    let again = go_on(&mut alice, &asked, "complete", &wrong);
    assert_eq!(status(&again), "executing");
    assert!(again.contains("<note type='error'>the passwords differ</note>"), "{again}");
    assert!(again.contains("<value>eve@localhost</value>") && !again.contains("-secret"), "{again}");
    let right = form(&[("accountjid", "eve@localhost"), ("password", "eve-secret"), ("password-verify", "eve-secret")]);
    let done = go_on(&mut alice, &again, "execute", &right);
    assert_eq!(status(&done), "completed");
    assert!(done.contains("<note type='info'>eve@localhost was added</note>") && !done.contains("-secret"), "{done}");
    Client::login(&server, "eve", "phone");
    server.expect_log("command command=\"user add\" jid=\"eve@localhost\" exit=0 by=\"alice@localhost/phone\"");
    assert!(!server.log().text().contains("eve-secret") && !server.log().text().contains("other-secret"));
    let taken = execute(&mut alice, &admin("add-user"));
    let taken = go_on(&mut alice, &taken, "complete", &right);
    assert_eq!(status(&taken), "completed");
    assert!(taken.contains("<note type='error'>eve@localhost exists already</note>"), "{taken}");
}

#[test]
fn an_admin_changes_passwords_of_its_own_domain_only() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut set = |jid: &str| {
        let asked = execute(&mut alice, &admin("change-user-password"));
        go_on(&mut alice, &asked, "complete", &form(&[("accountjid", jid), ("password", "new-secret")]))
    };
    assert!(set("bob@localhost").contains("<note type='info'>the password of bob@localhost was changed"));
    let elsewhere = set("dave@b.example");
    assert!(elsewhere.contains("<note type='error'>you may administer localhost only</note>"), "{elsewhere}");
    assert!(set("nobody@b.example").contains("<note type='error'>you may administer localhost only</note>"));
}

#[test]
fn an_operators_account_is_changed_by_operators_only() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let values = [("accountjid", "carol@localhost"), ("password", "new-secret")];
    let asked = execute(&mut alice, &admin("change-user-password"));
    let refused = go_on(&mut alice, &asked, "complete", &form(&values));
    assert!(refused.contains("<note type='error'>carol@localhost is an operator"), "{refused}");
    let asked = execute(&mut alice, &admin("delete-user"));
    let several = "<x xmlns='jabber:x:data' type='submit'><field var='accountjids'><value>bob@localhost</value>\
                   <value>carol@localhost</value></field></x>";
    let refused = go_on(&mut alice, &asked, "complete", several);
    assert_eq!(status(&refused), "executing");
    assert!(refused.contains("<note type='error'>carol@localhost is an operator"), "{refused}");
    let mut carol = Client::login(&server, "carol", "phone");
    let asked = execute(&mut carol, &admin("change-user-password"));
    let done =
        go_on(&mut carol, &asked, "complete", &form(&[("accountjid", "dave@b.example"), ("password", "new-secret")]));
    assert!(done.contains("the password of dave@b.example was changed"), "{done}");
}

// XEP-0050 example 10
// XEP-0050 example 11
// XEP-0050 example 12
// XEP-0050 example 13
// XEP-0050 example 14
// XEP-0050 example 15
// XEP-0050 example 16
// XEP-0050 example 17
#[test]
fn what_cannot_be_undone_is_asked_twice_and_goes_back() {
    let server = server();
    let mut carol = Client::login(&server, "carol", "phone");
    let which = execute(&mut carol, &own("host-disable"));
    assert!(which.contains("<actions execute='next'><next/></actions>"), "{which}");
    let sure = go_on(&mut carol, &which, "next", &form(&[("name", "b.example")]));
    assert!(sure.contains("<actions execute='complete'><prev/><complete/></actions>"), "{sure}");
    assert!(sure.contains("type='fixed'><value>The domain: b.example</value>"), "{sure}");
    let back = go_on(&mut carol, &sure, "prev", "");
    assert!(back.contains("<actions execute='next'><next/></actions>"), "{back}");
    assert!(back.contains("<value>b.example</value>"), "what was said is remembered: {back}");
    let sure = go_on(&mut carol, &back, "execute", &form(&[("name", "b.example")]));
    dave(&server).close();
    let done = go_on(&mut carol, &sure, "complete", "");
    assert_eq!(status(&done), "completed");
    assert!(done.contains("<note type='info'>b.example is switched off</note>"), "{done}");
}

#[test]
fn several_accounts_are_deleted_at_a_time_and_each_is_told_of() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let who = execute(&mut alice, &admin("delete-user"));
    assert!(who.contains("<field var='accountjids' type='jid-multi'"), "{who}");
    assert!(who.contains("<actions execute='complete'><complete/></actions>"), "as XEP-0133 has it: {who}");
    let two = "<x xmlns='jabber:x:data' type='submit'><field var='accountjids'><value>bob@localhost</value>\
               <value>nobody@localhost</value></field></x>";
    let done = go_on(&mut alice, &who, "complete", two);
    assert_eq!(status(&done), "completed");
    assert!(done.contains("<note type='info'>bob@localhost was deleted</note>"), "{done}");
    assert!(done.contains("<note type='error'>nobody@localhost does not exist</note>"), "{done}");
    let mut gone = Client::direct_tls(&server);
    gone.open();
    assert!(gone.sasl(&Sasl::new("SCRAM-SHA-256", "bob", "bob-secret")).fits("<failure"));
}

// XEP-0050 example 18
// XEP-0050 example 19
#[test]
fn what_was_called_off_does_not_happen() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let who = execute(&mut alice, &admin("disable-user"));
    let canceled = go_on(&mut alice, &who, "cancel", &form(&[("accountjids", "bob@localhost")]));
    assert_eq!(status(&canceled), "canceled");
    assert!(!canceled.contains("<x") && !canceled.contains("<actions"), "{canceled}");
    let after = go_on(&mut alice, &who, "complete", &form(&[("accountjids", "bob@localhost")]));
    assert_eq!(problem(&after), ("not-allowed".to_owned(), Some("session-expired".to_owned())));
    Client::login(&server, "bob", "phone");
}

#[test]
fn the_server_is_stopped_by_an_operator_who_is_sure() {
    let mut server = server();
    let mut carol = Client::login(&server, "carol", "phone");
    let sure = execute(&mut carol, &own("stop"));
    assert_eq!(status(&sure), "executing");
    assert!(sure.contains("<complete/>") && sure.contains("type='form'"), "{sure}");
    let attributes = format!("sessionid='{}'", crate::session(&sure));
    carol.send(&format!(
        "<iq type='set' id='stop' to='localhost'><command xmlns='{}' node='{}' {attributes}/></iq>",
        crate::COMMANDS,
        own("stop")
    ));
    assert!(server.wait_for_exit(std::time::Duration::from_secs(20)).success());
}

#[test]
fn a_session_is_ended_and_the_level_of_the_log_chosen() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    let mut alice = Client::login(&server, "alice", "phone");
    let who = execute(&mut alice, &admin("end-user-session"));
    let done = go_on(&mut alice, &who, "complete", &form(&[("accountjids", "bob@localhost/phone")]));
    assert!(done.contains("<note type='info'>1 disconnected</note>"), "{done}");
    bob.expect_stream_error("policy-violation");
    let mut carol = Client::login(&server, "carol", "phone");
    let level = execute(&mut carol, &own("log-level"));
    let choices = "type='list-single' label='How much'><required/><option label='error'><value>error</value></option>";
    assert!(level.contains(choices), "{level}");
    let wrong = go_on(&mut carol, &level, "complete", &form(&[("level", "loud")]));
    assert!(wrong.contains("<note type='error'>`level` must be one of error, warn"), "{wrong}");
    assert_eq!(status(&go_on(&mut carol, &wrong, "complete", &form(&[("level", "debug")]))), "completed");
}

#[test]
fn without_encryption_no_command_is_run() {
    let options = "tls.require_c2s = false\nauth.mechanisms = [\"SCRAM-SHA-256\"]";
    let server = Setup::default().options(options).start();
    server.control().run("user role", json!({ "jid": "alice@localhost", "role": "admin" }));
    let mut alice = Client::connect(&server);
    alice.log_in("alice", "phone");
    assert_eq!(problem(&execute(&mut alice, &admin("add-user"))).0, "policy-violation");
}

// XEP-0050 example 20
// XEP-0050 example 21
// XEP-0050 example 22
#[test]
fn every_language_is_answered_in_english_and_told_so() {
    let server = server();
    let mut carol = Client::login(&server, "carol", "phone");
    let payload = format!("<command xmlns='{}' node='{}'/>", crate::COMMANDS, own("host-list"));
    for lang in ["en-us", "fr-ca"] {
        carol.send(&format!("<iq type='set' id='l' to='localhost' xml:lang='{lang}'>{payload}</iq>"));
        let answer = carol.wait_for("<iq type='result' id='l'");
        assert_eq!(answer.attribute_of("command", "xml:lang").as_deref(), Some("en"), "{answer}");
        assert_eq!(status(&answer), "completed");
    }
}
