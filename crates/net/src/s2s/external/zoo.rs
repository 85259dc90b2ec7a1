//! Certificates of every kind and whether each proves `b.example`. The same judge is asked in both directions: for servers that connect, and
//! for those that were called.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Usage, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, OtherNameValue, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType,
    date_time_ymd,
};
use rustls_pki_types::CertificateDer;

use super::tests::{Authority, authority, params, proves};

const DOMAIN: &str = "b.example";
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];
const SRV_NAME: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 7];

type Der = CertificateDer<'static>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Proves,
    Not,
}
use Verdict::{Not, Proves};

fn with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = params(&[DOMAIN]);
    change(&mut params);
    params
}

fn other_name(oid: [u64; 9], value: &str) -> CertificateParams {
    let mut params = params(&[]);
    params.subject_alt_names.push(SanType::OtherName((oid.to_vec(), OtherNameValue::Utf8String(value.to_owned()))));
    params
}

fn names(names: &[SanType]) -> CertificateParams {
    let mut params = params(&[]);
    params.subject_alt_names = names.to_vec();
    params
}

fn signed(params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Der {
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().clone()
}

/// An authority below another one, and what it has signed for the domain.
fn below(root: &Authority, change: impl FnOnce(&mut CertificateParams)) -> (Der, Der) {
    let mut middle = params(&[]);
    middle.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    middle.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut middle);
    let key = KeyPair::generate().unwrap();
    let der = middle.signed_by(&key, &root.issuer).unwrap().der().clone();
    let leaf = signed(&params(&[DOMAIN]), &Issuer::new(middle, key));
    (leaf, der)
}

/// Certificates that the trusted authority has signed itself.
fn leaves() -> Vec<(&'static str, CertificateParams, Verdict)> {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let usages = |usages: &[Usage]| with(|params| params.extended_key_usages = usages.to_vec());
    let many = |before: usize| {
        let mut all: Vec<String> = (0..before).map(|n| format!("n{n}.example")).collect();
        all.push(DOMAIN.to_owned());
        names(&all.iter().map(|name| dns(name)).collect::<Vec<_>>())
    };
    vec![
        ("its name", params(&[DOMAIN]), Proves),
        ("its name in capitals", params(&["B.EXAMPLE"]), Proves),
        ("its name among others", params(&["a.example", DOMAIN, "c.example"]), Proves),
        ("a star for its label", params(&["*.example"]), Proves),
        ("another name", params(&["c.example"]), Not),
        ("the name above it", params(&["example"]), Not),
        ("a name below it", params(&["x.b.example"]), Not),
        ("a star below it", params(&["*.b.example"]), Not),
        ("a name that ends like it", params(&["ab.example"]), Not),
        ("a name that begins like it", params(&["b.example.org"]), Not),
        ("a star for a part of a label", params(&["b*.example"]), Not),
        ("a star in the middle", params(&["b.*"]), Not),
        ("a star alone", params(&["*"]), Not),
        ("two stars", params(&["*.*"]), Not),
        ("no name at all", params(&[]), Not),
        ("its name with a zero in it", names(&[dns("b.example\0.evil.example")]), Not),
        ("its name with a space", names(&[dns(" b.example")]), Not),
        (
            "a common name alone",
            {
                let mut it = params(&[]);
                it.distinguished_name.push(DnType::CommonName, DOMAIN);
                it
            },
            Not,
        ),
        (
            "a common name beside another name",
            {
                let mut it = params(&["c.example"]);
                it.distinguished_name.push(DnType::CommonName, DOMAIN);
                it
            },
            Not,
        ),
        (
            "an organisation called so",
            {
                let mut it = params(&["c.example"]);
                it.distinguished_name.push(DnType::OrganizationalUnitName, "CN=b.example,");
                it
            },
            Not,
        ),
        ("an address of mail", names(&[SanType::Rfc822Name("x@b.example".try_into().unwrap())]), Not),
        ("a URI", names(&[SanType::URI("xmpp:b.example".try_into().unwrap())]), Not),
        ("a number", names(&[SanType::IpAddress("192.0.2.1".parse().unwrap())]), Not),
        ("an XMPP address that is the domain", other_name(XMPP_ADDR, DOMAIN), Proves),
        ("an XMPP address in capitals", other_name(XMPP_ADDR, "B.Example"), Proves),
        ("an XMPP address of somebody there", other_name(XMPP_ADDR, "x@b.example"), Not),
        ("an XMPP address with a resource", other_name(XMPP_ADDR, "b.example/x"), Not),
        ("an XMPP address with a star", other_name(XMPP_ADDR, "*.example"), Not),
        ("an SRV name of a wrong type", other_name(SRV_NAME, "_xmpp-server.b.example"), Not),
        ("any usage", usages(&[]), Proves),
        ("for servers", usages(&[Usage::ServerAuth]), Proves),
        ("for both", usages(&[Usage::ClientAuth, Usage::ServerAuth]), Proves),
        ("for clients", usages(&[Usage::ClientAuth]), Not),
        ("for code", usages(&[Usage::CodeSigning]), Not),
        ("for mail and time", usages(&[Usage::EmailProtection, Usage::TimeStamping]), Not),
        ("an authority itself", with(|it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), Not),
        ("no authority, and it says so", with(|it| it.is_ca = IsCa::ExplicitNoCa), Proves),
        ("it has ended", with(|it| it.not_after = date_time_ymd(2026, 12, 31)), Not),
        ("it has not begun", with(|it| it.not_before = date_time_ymd(2027, 2, 1)), Not),
        ("it ends tomorrow", with(|it| it.not_after = date_time_ymd(2027, 1, 17)), Proves),
        ("the last name that is looked at", many(255), Proves),
        ("a name behind all that are looked at", many(256), Not),
    ]
}

#[test]
fn each_certificate_of_the_authority_gets_its_verdict() {
    let authority = authority();
    let leaves = leaves();
    assert!(leaves.len() >= 40, "{}", leaves.len());
    for (what, params, expected) in leaves {
        let shown = authority.judge(&[signed(&params, &authority.issuer)]);
        let verdict = if proves(&shown, DOMAIN) { Proves } else { Not };
        assert_eq!(verdict, expected, "{what}: {}", shown.why);
    }
}

#[test]
fn keys_of_other_kinds_will_do() {
    let authority = authority();
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let leaf = params(&[DOMAIN]).signed_by(&key, &authority.issuer).unwrap();
        assert!(proves(&authority.judge(&[leaf.der().clone()]), DOMAIN));
    }
}

#[test]
fn each_chain_gets_its_verdict() {
    let root = authority();
    let stranger = authority();
    let direct = signed(&params(&[DOMAIN]), &root.issuer);
    let foreign = signed(&params(&[DOMAIN]), &stranger.issuer);
    let alone = params(&[DOMAIN]).self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone();
    let (leaf, middle) = below(&root, |_| {});
    let (of_old, old) = below(&root, |middle| middle.not_after = date_time_ymd(2021, 1, 1));
    let (of_none, none) = below(&root, |middle| middle.is_ca = IsCa::ExplicitNoCa);
    let permitted = |domain: &str| {
        let permitted_subtrees = vec![GeneralSubtree::DnsName(domain.to_owned())];
        below(&root, |middle| {
            middle.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        })
    };
    let (of_right, right) = permitted(DOMAIN);
    let (of_wrong, wrong) = permitted("c.example");
    let mut broken = direct.to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let with_more = [&direct[..], b"x"].concat();
    for (what, chain, expected) in [
        ("the leaf alone", vec![direct.clone()], Proves),
        ("with something that does not belong to it", vec![direct.clone(), foreign.clone()], Proves),
        ("an authority in between", vec![leaf.clone(), middle.clone()], Proves),
        ("a gap", vec![leaf.clone()], Not),
        ("the wrong way round", vec![middle.clone(), leaf], Not),
        ("an authority in between that has ended", vec![of_old, old], Not),
        ("somebody in between who is no authority", vec![of_none, none], Not),
        ("an authority that may sign for this domain", vec![of_right, right], Proves),
        ("an authority that may sign for another domain only", vec![of_wrong, wrong], Not),
        ("an authority that nobody trusts", vec![foreign], Not),
        ("signed by itself", vec![alone], Not),
        ("a broken signature", vec![Der::from(broken)], Not),
        ("something behind its end", vec![Der::from(with_more)], Not),
        ("half of it", vec![Der::from(direct[..direct.len() / 2].to_vec())], Not),
        ("no certificate", vec![Der::from(vec![0x30, 0x03, 0x02, 0x01, 0x00])], Not),
        ("nothing", Vec::new(), Not),
    ] {
        let shown = root.judge(&chain);
        let verdict = if proves(&shown, DOMAIN) { Proves } else { Not };
        assert_eq!(verdict, expected, "{what}: {}", shown.why);
    }
}
