//! What a certificate of another server proves, and what SASL EXTERNAL makes of it.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, OtherNameValue,
    SanType, date_time_ymd,
};

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::super::authorities::Trust;
use super::*;

const NOW_MS: u64 = 1_800_000_000_000;
const XMPP_ADDR: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 8, 5];

pub(super) struct Authority {
    pub(super) issuer: Issuer<'static, KeyPair>,
    trust: Trust,
}

pub(super) fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    Authority { issuer: Issuer::new(params, key), trust: Trust::of(roots) }
}

impl Authority {
    fn shows(&self, params: CertificateParams) -> Shown {
        let certificate = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        self.judge(&[certificate.der().clone()])
    }

    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Shown {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(NOW_MS));
        self.trust.certified(chain, now).unwrap_or_else(|why| Shown { why, ..Shown::default() })
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

pub(super) fn proves(shown: &Shown, domain: &str) -> bool {
    shown.proves(&Jid::parse(domain).unwrap(), NOW_MS).is_some()
}

#[test]
fn a_certificate_for_servers_only_proves_its_names() {
    let authority = authority();
    for usages in [
        vec![],
        vec![ExtendedKeyUsagePurpose::ServerAuth],
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    ] {
        let mut params = params(&["im.example", "*.example.org", "xn--mller-kva.example"]);
        params.extended_key_usages = usages;
        let shown = authority.shows(params);
        assert_eq!(shown.why, "trusted");
        for domain in ["im.example", "chat.example.org", "m\u{fc}ller.example"] {
            assert!(proves(&shown, domain), "{domain}");
        }
        for domain in ["example", "a.im.example", "example.org", "a.b.example.org", "imxexample", "m.example"] {
            assert!(!proves(&shown, domain), "{domain}");
        }
    }
}

#[test]
fn an_xmpp_address_that_is_a_domain_counts_and_one_of_somebody_does_not() {
    let authority = authority();
    let mut params = params(&[]);
    for address in ["im.example", "alice@user.example", "*.star.example"] {
        let value = OtherNameValue::Utf8String(address.to_owned());
        params.subject_alt_names.push(SanType::OtherName((XMPP_ADDR.to_vec(), value)));
    }
    let shown = authority.shows(params);
    assert!(proves(&shown, "im.example"));
    assert!(!proves(&shown, "user.example") && !proves(&shown, "a.star.example"));
}

#[test]
fn what_is_no_proof_proves_nothing() {
    let authority = authority();
    let mut common = params(&[]);
    common.distinguished_name.push(DnType::CommonName, "im.example");
    let mut expired = params(&["im.example"]);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let mut early = params(&["im.example"]);
    early.not_before = date_time_ymd(2039, 1, 1);
    let mut clients = params(&["im.example"]);
    clients.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let mut number = params(&[]);
    number.subject_alt_names.push(SanType::IpAddress("192.0.2.1".parse().unwrap()));
    for (what, params) in
        [("common", common), ("expired", expired), ("early", early), ("clients", clients), ("number", number)]
    {
        let shown = authority.shows(params);
        assert!(!proves(&shown, "im.example") && !proves(&shown, "192.0.2.1"), "{what}: {}", shown.why);
    }
    let alone = params(&["im.example"]).self_signed(&KeyPair::generate().unwrap()).unwrap();
    assert!(!proves(&authority.judge(&[alone.der().clone()]), "im.example"), "signed by itself");
    let other = super::tests::authority();
    let foreign = params(&["im.example"]).signed_by(&KeyPair::generate().unwrap(), &other.issuer).unwrap();
    assert!(!proves(&authority.judge(&[foreign.der().clone()]), "im.example"), "signed by another authority");
    assert!(!proves(&authority.judge(&[]), "im.example"));
    assert!(!proves(&authority.judge(&[CertificateDer::from(vec![1, 2, 3])]), "im.example"));
}

/// A leaf is no authority, however it came by its own signature.
#[test]
fn who_was_signed_may_not_sign() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let middle = params(&["evil.example"]);
    let middle_der = middle.signed_by(&key, &authority.issuer).unwrap().der().clone();
    let issuer = Issuer::new(middle, key);
    let leaf = params(&["im.example"]).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    assert!(!proves(&authority.judge(&[leaf.der().clone(), middle_der]), "im.example"));
}

#[test]
fn an_authority_in_between_is_found() {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let mut middle = params(&[]);
    middle.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle_der = middle.signed_by(&key, &authority.issuer).unwrap().der().clone();
    let issuer = Issuer::new(middle, key);
    let leaf = params(&["im.example"]).signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().clone();
    assert!(proves(&authority.judge(&[leaf.clone(), middle_der]), "im.example"));
    assert!(!proves(&authority.judge(&[leaf]), "im.example"), "a chain with a gap");
}

#[test]
fn external_is_for_the_domain_of_the_stream() {
    let shown = authority().shows(params(&["im.example", "other.example"]));
    let from = Jid::parse("im.example").unwrap();
    let judge = |data: &str| judge(data, Some(&from), &shown, NOW_MS).map(|_| ());
    assert_eq!(judge("="), Ok(()));
    assert_eq!(judge("aW0uZXhhbXBsZQ=="), Ok(()), "im.example");
    assert_eq!(judge("SU0uRXhhbXBsZQ=="), Ok(()), "IM.Example");
    assert_eq!(judge("b3RoZXIuZXhhbXBsZQ=="), Err(Condition::InvalidAuthzid), "other.example");
    assert_eq!(judge("YUBpbS5leGFtcGxl"), Err(Condition::InvalidAuthzid), "a@im.example");
    assert_eq!(judge("?"), Err(Condition::IncorrectEncoding));
    assert_eq!(judge("/w=="), Err(Condition::MalformedRequest));
    assert_eq!(super::judge("=", None, &shown, NOW_MS), Err(Condition::NotAuthorized));
    assert_eq!(super::judge("=", Some(&from), &Shown::default(), NOW_MS), Err(Condition::NotAuthorized));
    let late_ms = 2 * NOW_MS;
    assert_eq!(super::judge("=", Some(&from), &shown, late_ms), Err(Condition::NotAuthorized), "it has ended");
}
