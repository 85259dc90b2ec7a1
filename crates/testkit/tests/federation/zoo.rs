//! Certificates of every kind, shown by servers that connect and by servers that are called: which of them prove a domain (RFC 9525,
//! XEP-0178). Everything goes through real handshakes; what no TLS library would show is judged beside the code.

use metronome_testkit::{Server, Shown, World, server_header};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Usage, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, OtherNameValue, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
    SignatureAlgorithm, date_time_ymd,
};

const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];
const SRV_NAME: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 7];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Proves,
    Not,
}
use Verdict::{Not, Proves};

/// Makes one for a domain.
type Make = fn(&str, &Authority) -> Shown;

/// An authority that the server trusts, or not.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = key();
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn signs(&self, params: &CertificateParams) -> Shown {
        self.signs_with(params, &key())
    }

    fn signs_with(&self, params: &CertificateParams, key: &KeyPair) -> Shown {
        let certificate_pem = params.signed_by(key, &self.issuer).expect("a certificate").pem();
        Shown { certificate_pem, key_pem: key.serialize_pem() }
    }

    /// What an authority below this one has signed for a domain, and that authority's own certificate.
    fn below(&self, domain: &str, change: impl FnOnce(&mut CertificateParams)) -> (Shown, String) {
        let mut middle = names(&[]);
        middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        middle.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        change(&mut middle);
        let key = key();
        let pem = middle.signed_by(&key, &self.issuer).expect("a certificate").pem();
        let below = Authority { issuer: Issuer::new(middle, key), pem };
        (below.signs(&names(&[domain])), below.pem)
    }
}

fn names(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
        .expect("it can be written");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2090, 1, 1);
    params
}

fn with(domain: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = names(&[domain]);
    change(&mut params);
    params
}

fn for_usages(domain: &str, usages: &[Usage]) -> CertificateParams {
    with(domain, |params| params.extended_key_usages = usages.to_vec())
}

/// No name, and something of it in the subject.
fn subject(other: &[&str], part: DnType, value: &str) -> CertificateParams {
    let mut params = names(other);
    params.distinguished_name.push(part, value);
    params
}

fn alternative(name: SanType) -> CertificateParams {
    let mut params = names(&[]);
    params.subject_alt_names.push(name);
    params
}

fn other_name(oid: [u64; 9], value: &str) -> CertificateParams {
    alternative(SanType::OtherName((oid.to_vec(), OtherNameValue::Utf8String(value.to_owned()))))
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("it can be written"))
}

/// The name behind so many others.
fn behind(others: usize, domain: &str) -> CertificateParams {
    let mut params = names(&[]);
    params.subject_alt_names = (0..others).map(|n| dns(&format!("n{n}.example"))).collect();
    params.subject_alt_names.push(dns(domain));
    params
}

/// The certificate with others behind it.
fn chain((shown, more): (Shown, String)) -> Shown {
    Shown { certificate_pem: shown.certificate_pem + &more, ..shown }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn key_of(kind: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(kind).expect("a key")
}

fn label(domain: &str) -> &str {
    domain.split('.').next().unwrap_or_default()
}

fn above(domain: &str) -> &str {
    domain.split_once('.').expect("a name below another").1
}

const KINDS: &[(&str, Make, Verdict)] = &[
    ("its name", |d, a| a.signs(&names(&[d])), Proves),
    ("its name in capitals", |d, a| a.signs(&names(&[&d.to_uppercase()])), Proves),
    ("its name among others", |d, a| a.signs(&names(&["a.other.example", d, "c.other.example"])), Proves),
    ("a star for its label", |d, a| a.signs(&names(&[&format!("*.{}", above(d))])), Proves),
    ("another name", |_, a| a.signs(&names(&["c.other.example"])), Not),
    ("the name above it", |d, a| a.signs(&names(&[above(d)])), Not),
    ("a name below it", |d, a| a.signs(&names(&[&format!("x.{d}")])), Not),
    ("a star below it", |d, a| a.signs(&names(&[&format!("*.{d}")])), Not),
    ("a name that ends like it", |d, a| a.signs(&names(&[&format!("a{d}")])), Not),
    ("a name that begins like it", |d, a| a.signs(&names(&[&format!("{d}.org")])), Not),
    ("a star for a part of a label", |d, a| a.signs(&names(&[&format!("{}*.{}", &d[..1], above(d))])), Not),
    ("a star in the middle", |d, a| a.signs(&names(&[&format!("{}.*", label(d))])), Not),
    ("a star alone", |_, a| a.signs(&names(&["*"])), Not),
    ("two stars", |_, a| a.signs(&names(&["*.*"])), Not),
    ("no name at all", |_, a| a.signs(&names(&[])), Not),
    ("its name with a zero in it", |d, a| a.signs(&alternative(dns(&format!("{d}\0.evil.example")))), Not),
    ("its name with a space", |d, a| a.signs(&alternative(dns(&format!(" {d}")))), Not),
    ("a common name alone", |d, a| a.signs(&subject(&[], DnType::CommonName, d)), Not),
    ("a common name beside another name", |d, a| a.signs(&subject(&["c.other.example"], DnType::CommonName, d)), Not),
    (
        "an organisation called so",
        |d, a| a.signs(&subject(&["c.other.example"], DnType::OrganizationalUnitName, &format!("CN={d},"))),
        Not,
    ),
    (
        "an address of mail",
        |d, a| {
            a.signs(&alternative(SanType::Rfc822Name(format!("x@{d}").as_str().try_into().expect("it can be written"))))
        },
        Not,
    ),
    (
        "a URI",
        |d, a| a.signs(&alternative(SanType::URI(format!("xmpp:{d}").as_str().try_into().expect("it can be written")))),
        Not,
    ),
    (
        "a number",
        |_, a| a.signs(&alternative(SanType::IpAddress("127.0.0.1".parse().expect("it can be written")))),
        Not,
    ),
    ("an XMPP address that is the domain", |d, a| a.signs(&other_name(XMPP_ADDR, d)), Proves),
    ("an XMPP address in capitals", |d, a| a.signs(&other_name(XMPP_ADDR, &d.to_uppercase())), Proves),
    ("an XMPP address of somebody there", |d, a| a.signs(&other_name(XMPP_ADDR, &format!("x@{d}"))), Not),
    ("an XMPP address with a resource", |d, a| a.signs(&other_name(XMPP_ADDR, &format!("{d}/x"))), Not),
    ("an XMPP address with a star", |d, a| a.signs(&other_name(XMPP_ADDR, &format!("*.{}", above(d)))), Not),
    ("an SRV name of a wrong type", |d, a| a.signs(&other_name(SRV_NAME, &format!("_xmpp-server.{d}"))), Not),
    ("any usage", |d, a| a.signs(&for_usages(d, &[])), Proves),
    // Public authorities do not sign for clients any more.
    ("for servers", |d, a| a.signs(&for_usages(d, &[Usage::ServerAuth])), Proves),
    ("for both", |d, a| a.signs(&for_usages(d, &[Usage::ClientAuth, Usage::ServerAuth])), Proves),
    ("for clients", |d, a| a.signs(&for_usages(d, &[Usage::ClientAuth])), Not),
    ("for code", |d, a| a.signs(&for_usages(d, &[Usage::CodeSigning])), Not),
    ("for mail and time", |d, a| a.signs(&for_usages(d, &[Usage::EmailProtection, Usage::TimeStamping])), Not),
    ("an authority itself", |d, a| a.signs(&with(d, |it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))), Not),
    ("no authority, and it says so", |d, a| a.signs(&with(d, |it| it.is_ca = IsCa::ExplicitNoCa)), Proves),
    ("it has ended", |d, a| a.signs(&with(d, |it| it.not_after = date_time_ymd(2021, 1, 1))), Not),
    ("it has not begun", |d, a| a.signs(&with(d, |it| it.not_before = date_time_ymd(2089, 1, 1))), Not),
    ("the last name that is looked at", |d, a| a.signs(&behind(255, d)), Proves),
    ("a name behind all that are looked at", |d, a| a.signs(&behind(256, d)), Not),
    ("a key of another curve", |d, a| a.signs_with(&names(&[d]), &key_of(&PKCS_ECDSA_P384_SHA384)), Proves),
    ("a key of another kind", |d, a| a.signs_with(&names(&[d]), &key_of(&PKCS_ED25519)), Proves),
    ("an authority in between", |d, a| chain(a.below(d, |_| {})), Proves),
    ("a gap", |d, a| a.below(d, |_| {}).0, Not),
    (
        "an authority in between that has ended",
        |d, a| chain(a.below(d, |middle| middle.not_after = date_time_ymd(2021, 1, 1))),
        Not,
    ),
    (
        "somebody in between who is no authority",
        |d, a| chain(a.below(d, |middle| middle.is_ca = IsCa::ExplicitNoCa)),
        Not,
    ),
    ("an authority that may sign for this domain", |d, a| chain(a.below(d, permit(d))), Proves),
    ("an authority that may sign for another domain only", |d, a| chain(a.below(d, permit("c.other.example"))), Not),
    (
        "with one behind it that does not belong there",
        |d, a| chain((a.signs(&names(&[d])), a.signs(&names(&["c.other.example"])).certificate_pem)),
        Proves,
    ),
    ("an authority that nobody trusts", |d, _| Authority::new().signs(&names(&[d])), Not),
    (
        "an authority that nobody trusts, which shows itself",
        |d, _| {
            let stranger = Authority::new();
            let shown = stranger.signs(&names(&[d]));
            chain((shown, stranger.pem))
        },
        Not,
    ),
    (
        "signed by itself",
        |d, _| {
            let key = key();
            let certificate_pem = names(&[d]).self_signed(&key).expect("a certificate").pem();
            Shown { certificate_pem, key_pem: key.serialize_pem() }
        },
        Not,
    ),
];

fn permit(domain: &str) -> impl FnOnce(&mut CertificateParams) {
    let permitted_subtrees = vec![GeneralSubtree::DnsName(domain.to_owned())];
    |middle| middle.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() })
}

/// Whether a server that connects and shows this is offered to prove its domain by it.
fn proves_who_connects(server: &Server, domain: &str, shown: &Shown) -> Verdict {
    let mut peer = server.dial_as_server().domain("a.example").certificate(shown).direct();
    peer.send(&server_header(domain, "a.example"));
    peer.expect("<stream:stream");
    let offered = peer.expect("<stream:features").contains("<mechanism>EXTERNAL</mechanism>");
    if offered { Proves } else { Not }
}

/// A server that trusts this authority, in a file of its own.
fn trusting(world: &World, authority: &Authority, options: &str) -> Server {
    let file = world.certificates().ca().with_file_name("zoo.pem");
    std::fs::write(&file, &authority.pem).expect("it can be written");
    world.server("a.example", "alice", &format!("[federation]\nca = {:?}\n{options}", file.display().to_string()))
}

#[test]
fn each_certificate_of_who_connects_gets_its_verdict() {
    assert!(KINDS.len() >= 50, "{}", KINDS.len());
    let (world, authority) = (World::new(), Authority::new());
    let a = trusting(&world, &authority, "");
    for (what, make, expected) in KINDS {
        assert_eq!(proves_who_connects(&a, "b.example", &make("b.example", &authority)), *expected, "{what}");
    }
}

#[test]
fn each_certificate_of_who_is_called_gets_its_verdict() {
    let (world, authority) = (World::new(), Authority::new());
    let a = trusting(&world, &authority, "proofs = [\"certificate\"]");
    let mut alice = a.dial().domain("a.example").direct();
    alice.log_in("alice", "here");
    for (number, (what, make, expected)) in KINDS.iter().enumerate() {
        // A domain of its own for each: one that could not be reached is not tried again at once.
        let domain = format!("b{number}.zoo.example");
        let peer = world.peer(&domain);
        alice.send(&format!("<iq to='{domain}' type='get' id='{number}'><ping xmlns='urn:xmpp:ping'/></iq>"));
        let external =
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";
        let mut called = peer.answer_encrypted(&a, &make(&domain, &authority), "the-id", external);
        called.name = (*what).to_owned();
        match expected {
            Proves => drop(called.expect("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'")),
            Not => {
                called.expect_closed();
                alice.wait_for(&format!("<iq type='error' id='{number}' from='{domain}'><remote-server-timeout"));
            }
        }
    }
}

/// As installed nobody is trusted whom the system does not trust, whatever else the certificate says.
#[test]
fn as_installed_none_of_an_authority_that_nobody_trusts_counts() {
    let (world, authority) = (World::new(), Authority::new());
    let a = world.server("a.example", "alice", "[federation]\nca = \"\"");
    for (what, make, _) in KINDS {
        assert_eq!(proves_who_connects(&a, "b.example", &make("b.example", &authority)), Not, "{what}");
    }
}
