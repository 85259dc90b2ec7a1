//! Certificates that the owner of an account has stored with it to log in with (XEP-0257): what is in one, how it is kept, and which of
//! an account's a client has shown. Nobody needs to have signed them; they count because their owner has put them there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use metronome_model::{Document, Drawer};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::sasl_cert::Item;
use metronome_proto::xml::Content;
use metronome_sasl::Secret;
use sha2::{Digest, Sha256};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Largest certificate in bytes of DER.
pub const DER_BYTES_MAX: usize = 8 * 1024;
/// Most certificates of one account.
pub const COUNT_MAX: usize = 20;
/// Longest name of one in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: &str = "1.3.6.1.5.5.7.8.5";

/// Most addresses of a certificate that are looked at.
const ADDRESSES_MAX: usize = 8;

/// SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate.
    pub fn of(der: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(der).into())
    }

    /// Whether it is the same, in a time that does not depend on how much is.
    pub fn is(&self, other: &Fingerprint) -> bool {
        Secret::new(self.0).ct_eq(&other.0)
    }

    /// As people compare it: pairs of hexadecimal digits.
    pub fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
    }
}

/// Whether somebody who has logged in with a certificate may add and remove some (XEP-0257 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manages {
    /// Yes.
    Certificates,
    /// No.
    Nothing,
}

/// A stored certificate that a session has logged in with.
#[derive(Debug, Clone, Copy)]
pub struct Certified {
    /// Which.
    pub fingerprint: Fingerprint,
    /// What it may do with the others.
    pub manages: Manages,
}

/// A certificate as its account has stored it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What its owner calls it; unique in the account.
    pub name: String,
    /// The certificate.
    pub der: Vec<u8>,
    /// What who logs in with it may do with the others.
    pub manages: Manages,
}

impl Stored {
    /// All certificates among an account's documents; those of other drawers and what is damaged are passed over.
    pub fn all(documents: &[Document]) -> Vec<Stored> {
        documents.iter().filter(|document| document.drawer == Drawer::Certificates).filter_map(Stored::read).collect()
    }

    fn read(document: &Document) -> Option<Stored> {
        let content = Content::parse(&document.xml).ok()?;
        let item = Item::read(&content.iter().next()?).ok()?;
        let manages = if item.manages_nothing { Manages::Nothing } else { Manages::Certificates };
        Some(Stored { name: item.name, der: STANDARD.decode(&item.certificate).ok()?, manages })
    }

    /// As it is sent.
    pub fn item(&self) -> Item {
        Item {
            name: self.name.clone(),
            certificate: STANDARD.encode(&self.der),
            manages_nothing: self.manages == Manages::Nothing,
            resources: Vec::new(),
        }
    }

    /// As it is kept.
    pub fn document(&self) -> Document {
        let xml = self.item().tree().to_vec(ns::CLIENT).into_boxed_slice();
        Document { xml, ..nothing(&self.name) }
    }

    /// Who has logged in with it.
    pub fn certified(&self) -> Certified {
        Certified { fingerprint: Fingerprint::of(&self.der), manages: self.manages }
    }
}

/// The document that removes the certificate of this name.
pub fn nothing(name: &str) -> Document {
    Document { drawer: Drawer::Certificates, ns: ns::SASL_CERT.into(), name: name.into(), xml: Box::default() }
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its xmppAddr names, as they are written there.
    pub addresses: Vec<String>,
    /// Unix time in seconds from which it is valid.
    pub not_before_s: i64,
    /// Unix time in seconds after which it is not any more.
    pub not_after_s: i64,
}

impl Leaf {
    /// Reads a certificate in DER, with nothing behind it. No signature is checked.
    pub fn read(der: &[u8]) -> Option<Leaf> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let validity = certificate.validity();
        let (not_before_s, not_after_s) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Some(Leaf { addresses: addresses(&certificate), not_before_s, not_after_s })
    }

    /// Whether it is valid at this time.
    pub fn is_valid(&self, unix_ms: u64) -> bool {
        let now_s = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
        (self.not_before_s..=self.not_after_s).contains(&now_s)
    }

    /// The accounts of `domain` that it names; other addresses are passed over.
    pub fn accounts(&self, domain: &str) -> Vec<Jid> {
        let account = |address: &String| {
            Jid::parse(address).ok().filter(|jid| jid.is_bare() && !jid.is_domain() && jid.domain() == domain)
        };
        let mut accounts: Vec<Jid> = self.addresses.iter().take(ADDRESSES_MAX).filter_map(account).collect();
        accounts.sort();
        accounts.dedup();
        accounts
    }
}

fn addresses(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names
        .flatten()
        .filter_map(|name| match name {
            GeneralName::OtherName(oid, value) if oid.to_id_string() == XMPP_ADDR => tagged_string(value, UTF8),
            _ => None,
        })
        .collect()
}

/// The tag of a UTF8String.
pub const UTF8: u8 = 0x0c;
/// The tag of an IA5String.
pub const IA5: u8 = 0x16;

/// The text of `[0] EXPLICIT` and a string: two tags, each with a length of one byte or of two behind `0x81`.
pub fn tagged_string(tagged: &[u8], tag: u8) -> Option<String> {
    let inner = unwrap(tagged, 0xa0)?;
    let text = unwrap(inner, tag)?;
    String::from_utf8(text.to_vec()).ok()
}

fn unwrap(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (length as usize, rest),
        0x81 => rest.split_first().map(|(&length, rest)| (length as usize, rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (rest.len() == length).then_some(rest)
}

/// A certificate as people paste it: PEM, or the base64 of its DER alone. None if it is neither, or too large.
pub fn from_text(text: &str) -> Option<Vec<u8>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let inside = match text.split_once(BEGIN) {
        Some((_, rest)) => rest.split_once(END)?.0,
        None => text,
    };
    let packed: String = inside.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(packed).ok().filter(|der| (1..=DER_BYTES_MAX).contains(&der.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_unwrapped_twice_and_nothing_may_follow_it() {
        assert_eq!(tagged_string(b"\xa0\x05\x0c\x03a@b", UTF8).as_deref(), Some("a@b"));
        assert_eq!(tagged_string(b"\xa0\x05\x16\x03a@b", IA5).as_deref(), Some("a@b"));
        for wrong in [&b"\xa0\x05\x0c\x03a@bc"[..], b"\xa0\x05\x0c\x02a@b", b"\x0c\x03a@b", b"\xa0", b""] {
            assert_eq!(tagged_string(wrong, UTF8), None);
        }
    }

    #[test]
    fn a_certificate_is_kept_and_read_again() {
        for manages in [Manages::Certificates, Manages::Nothing] {
            let stored = Stored { name: "Phone <1>".into(), der: vec![1, 2, 3], manages };
            let documents = [stored.document(), Document { drawer: Drawer::Private, ..stored.document() }];
            let read = Stored::all(&documents);
            assert_eq!(read.len(), 1);
            assert_eq!((&*read[0].name, &*read[0].der, read[0].manages), ("Phone <1>", &[1u8, 2, 3][..], manages));
        }
        assert!(Stored::all(&[Document { xml: b"<"[..].into(), ..nothing("x") }]).is_empty());
    }

    #[test]
    fn people_paste_pem_or_base64() {
        let pem = "Bag: 1\n-----BEGIN CERTIFICATE-----\r\nAQ\nID\n-----END CERTIFICATE-----\nmore";
        assert_eq!(from_text(pem), Some(vec![1, 2, 3]));
        assert_eq!(from_text(" AQ\n ID "), Some(vec![1, 2, 3]));
        for wrong in ["", "?", "-----BEGIN CERTIFICATE-----\nAQID", &STANDARD.encode(vec![0; DER_BYTES_MAX + 1])] {
            assert_eq!(from_text(wrong), None, "{wrong:.30}");
        }
    }

    #[test]
    fn a_fingerprint_tells_certificates_apart() {
        assert!(Fingerprint::of(b"a").is(&Fingerprint::of(b"a")) && !Fingerprint::of(b"a").is(&Fingerprint::of(b"b")));
        assert!(Fingerprint::of(b"").text().starts_with("E3:B0:C4:42:98:FC"));
    }

    #[test]
    fn only_accounts_of_the_domain_count() {
        let addresses = [
            "bob@a.example",
            "Alice@A.example",
            "alice@a.example",
            "alice@a.example/x",
            "a.example",
            "eve@b.example",
            "@",
        ];
        let leaf = Leaf { addresses: addresses.map(str::to_owned).to_vec(), not_before_s: 10, not_after_s: 20 };
        let accounts: Vec<String> = leaf.accounts("a.example").iter().map(|jid| jid.to_string()).collect();
        assert_eq!(accounts, ["alice@a.example", "bob@a.example"]);
        assert_eq!([9_999, 10_000, 20_999, 21_000].map(|now_ms| leaf.is_valid(now_ms)), [false, true, true, false]);
    }
}
