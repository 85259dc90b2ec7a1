//! SASL EXTERNAL with client certificates (XEP-0178, RFC 6120 section 13.7.1): only xmppAddr counts, only from a signer we trust.

use std::time::SystemTime;

use metronome_server::dev::Authority;
use metronome_testkit::{Backend, Certificates, Client, Sasl, Server, Setup, Shown, Versions};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, OtherNameValue, SanType};

fn server() -> Server {
    Setup::default().store(Backend::Memory).options("tls.client_ca = \"{folder}/certificates/ca.pem\"").start()
}

/// Signs a certificate with these addresses and this common name; by nobody but itself without `signer`.
fn made(signer: Option<&Server>, addresses: &[&str], common_name: &str) -> Shown {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "CN=alice@localhost,");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names.push(SanType::Rfc822Name(Ia5String::try_from("alice@localhost").unwrap()));
    for address in addresses {
        let name = OtherNameValue::Utf8String((*address).to_owned());
        params.subject_alt_names.push(SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], name)));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = match signer {
        Some(server) => {
            let folder = server.folder().join("certificates");
            let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
            let issuer =
                Issuer::from_ca_cert_pem(&read("ca.pem"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
            params.signed_by(&key, &issuer).unwrap()
        }
        None => params.self_signed(&key).unwrap(),
    };
    Shown { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() }
}

/// Connects with a certificate; answers the client, and whether EXTERNAL was offered.
fn shown(server: &Server, certificate: &Shown) -> (Client, bool) {
    let mut client = server.dial().certificate(certificate).direct();
    let offered = client.open().contains("<mechanism>EXTERNAL</mechanism>");
    (client, offered)
}

fn external(authzid: &str) -> Sasl<'_> {
    Sasl { authzid, ..Sasl::new("EXTERNAL", "", "") }
}

#[test]
fn a_certificate_with_an_xmpp_address_logs_in() {
    let server = server();
    let certificate = server.certificates().client("alice@localhost");
    for versions in [Versions::Only12, Versions::Only13] {
        let dial = server.dial().certificate(&certificate).versions(versions);
        for mut client in [dial.direct(), dial.starttls()] {
            assert!(client.open().contains("<mechanism>EXTERNAL</mechanism>"));
            assert!(client.sasl(&external("")).fits("<success"));
            client.open();
            assert_eq!(client.bind("x"), "alice@localhost/x");
        }
    }
    let (mut client, _) = shown(&server, &certificate);
    assert!(client.sasl(&external("alice@localhost")).fits("<success"));
}

#[test]
fn external_without_an_initial_response_is_asked_for_one() {
    let server = server();
    let (mut client, _) = shown(&server, &server.certificates().client("alice@localhost"));
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>");
    client.expect("<challenge");
    client.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>");
    client.expect("<success");
}

#[test]
fn a_certificate_acts_for_nobody_else() {
    let server = server();
    let (mut client, offered) = shown(&server, &server.certificates().client("alice@localhost"));
    assert!(offered);
    for authzid in ["bob@localhost", "localhost", "alice@elsewhere.example"] {
        assert!(client.sasl(&external(authzid)).fits("<failure"), "{authzid}");
    }
}

#[test]
fn of_several_addresses_one_must_be_chosen() {
    let server = server();
    let certificate = made(Some(&server), &["alice@localhost", "bob@localhost", "x@elsewhere.example"], "two");
    let (mut client, offered) = shown(&server, &certificate);
    assert!(offered);
    for authzid in ["carol@localhost", "x@elsewhere.example"] {
        assert!(client.sasl(&external(authzid)).fits("<failure"), "{authzid}");
    }
    assert!(client.sasl(&external("bob@localhost")).fits("<success"));
    client.open();
    assert_eq!(client.bind("x"), "bob@localhost/x");
}

#[test]
fn an_address_that_is_no_account_is_not_authorized() {
    let server = server();
    for address in ["nobody@localhost", "alice@elsewhere.example", "localhost"] {
        let (mut client, _) = shown(&server, &server.certificates().client(address));
        assert!(client.sasl(&external("")).fits("<failure"), "{address}");
    }
}

#[test]
fn other_names_in_a_certificate_prove_nothing() {
    let server = server();
    // A common name, an organisational unit and an e-mail address, all of alice: but no xmppAddr.
    let (mut client, offered) = shown(&server, &made(Some(&server), &[], "alice@localhost"));
    assert!(!offered);
    client.auth("EXTERNAL", b"alice@localhost");
    client.expect_failure("invalid-mechanism");
}

#[test]
fn a_certificate_of_somebody_else_is_not_enough_and_the_password_still_works() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let stranger = Certificates::new(folder.path()).client("alice@localhost");
    for certificate in [stranger, made(None, &["alice@localhost"], "alice")] {
        let (mut client, offered) = shown(&server, &certificate);
        assert!(!offered);
        client.auth("EXTERNAL", b"");
        client.expect_failure("invalid-mechanism");
        assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
    }
}

#[test]
fn without_a_signer_to_trust_a_certificate_that_nobody_has_stored_proves_nothing() {
    let server = Setup::default().store(Backend::Memory).start();
    let (mut client, offered) = shown(&server, &server.certificates().client("alice@localhost"));
    assert!(!offered);
    client.auth("EXTERNAL", b"");
    client.expect_failure("invalid-mechanism");
}

#[test]
fn an_expired_certificate_proves_nothing() {
    let server = server();
    let authority = Authority::open(&server.folder().join("certificates"), SystemTime::now()).unwrap();
    let years = std::time::Duration::from_secs(86_400 * 366 * 2);
    let issued = authority.issue_client("alice@localhost", SystemTime::now() - years).unwrap();
    let shown_certificate = Shown { certificate_pem: issued.certificate_pem, key_pem: issued.key_pem };
    assert!(!shown(&server, &shown_certificate).1);
}

#[test]
fn a_disabled_account_has_no_use_of_its_certificate() {
    let server = server();
    server.control().run("user disable", serde_json::json!({ "jid": "alice@localhost" }));
    let (mut client, _) = shown(&server, &server.certificates().client("alice@localhost"));
    assert!(client.sasl(&external("")).fits("<failure"));
}
