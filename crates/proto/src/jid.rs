//! JIDs (RFC 7622): `local@domain/resource`, prepared once when read and compared as bytes ever after.
//! Every address on the wire, in a table or in the store is a [`Jid`]; nobody compares unprepared text.
//! Keeps nothing: a `Jid` is one shared string and two offsets, and a clone costs a reference count.
//!
//! Which profile prepares which part (the reasons are in docs/decisions/0002-jid-preparation.md):
//! - **local**: Nodeprep of RFC 6122 (case folding, NFKC) over current Unicode tables, because deployed servers compare
//!   accounts that way; code points assigned after Unicode 3.2 are allowed.
//! - **domain**: UTS 46 non-transitional to U-labels, or an IP literal; a trailing dot is dropped.
//! - **resource**: OpaqueString of RFC 7622 (case kept, NFC), plus complete emoji sequences.
//! - Invisible code points that RFC 6122 maps to nothing are dropped in all parts rather than refused.

mod domain;
mod local;
mod resource;
#[cfg(test)]
mod tests;
mod unicode;

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use smallvec::SmallVec;

pub use domain::prepare_domain;
pub use local::prepare_local;
pub use resource::prepare_resource;

/// The longest prepared part, in bytes (RFC 7622 section 3.1).
pub const PART_BYTES_MAX: usize = 1023;

/// The longest part that is looked at at all: preparation may shrink a part (composition), but not by more than this.
const RAW_PART_BYTES_MAX: usize = 3 * PART_BYTES_MAX;

/// A prepared address: `local@domain/resource`, the first and last part optional (RFC 7622 section 3.1).
///
/// At most 3071 bytes. Equality, order and hash are those of the text, so a map keyed by `Jid` is searched with `&str`.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the local part; 0 means that there is none, as an empty one is impossible.
    local_len: u16,
    /// Where the domain ends: the length of the bare JID.
    bare_len: u16,
}

/// Why a text is not a JID; the answer on the wire is `<jid-malformed/>` (RFC 6120 section 8.3.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// The part is there but has no characters, possibly only once it is prepared.
    #[error("the {0} is empty")]
    Empty(Part),
    /// The part is longer than [`PART_BYTES_MAX`] bytes.
    #[error("the {0} is longer than 1023 bytes")]
    TooLong(Part),
    /// The part has a character or a sequence that its profile forbids.
    #[error("the {0} has a character that is not allowed there")]
    Forbidden(Part),
}

/// One of the three parts of a JID, for error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the `@`.
    Local,
    /// The only part that every JID has.
    Domain,
    /// After the first `/`.
    Resource,
}

impl Jid {
    /// Reads a JID and prepares its parts; one allocation when `text` is already prepared ASCII.
    pub fn parse(text: &str) -> Result<Jid, JidError> {
        let (bare, resource) = match memchr::memchr(b'/', text.as_bytes()) {
            Some(slash) => (&text[..slash], Some(&text[slash + 1..])),
            None => (text, None),
        };
        let (local, domain) = match memchr::memchr(b'@', bare.as_bytes()) {
            Some(at) => (Some(&bare[..at]), &bare[at + 1..]),
            None => (None, bare),
        };
        let parts = Prepared::of(local, domain, resource)?;
        if parts.is_unchanged() { Ok(parts.jid(Arc::from(text))) } else { Ok(parts.join()) }
    }

    /// Prepares the parts and joins them.
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
        Ok(Prepared::of(local, domain, resource)?.join())
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`.
    pub fn local(&self) -> Option<&str> {
        (self.local_len > 0).then(|| &self.text[..usize::from(self.local_len)])
    }

    /// The domain: U-labels in lower case, or an IP address (IPv6 in brackets).
    pub fn domain(&self) -> &str {
        &self.text[self.domain_start()..usize::from(self.bare_len)]
    }

    /// The part after the first `/`.
    pub fn resource(&self) -> Option<&str> {
        (!self.is_bare()).then(|| &self.text[usize::from(self.bare_len) + 1..])
    }

    /// The address without its resource; shares the text if there is none.
    pub fn bare(&self) -> Jid {
        if self.is_bare() {
            return self.clone();
        }
        Jid { text: Arc::from(self.bare_str()), local_len: self.local_len, bare_len: self.bare_len }
    }

    /// The text of [`Jid::bare`], without an allocation.
    pub fn bare_str(&self) -> &str {
        &self.text[..usize::from(self.bare_len)]
    }

    /// The address of the domain itself; shares the text if this is it.
    pub fn domain_jid(&self) -> Jid {
        if self.is_domain() {
            return self.clone();
        }
        let domain = self.domain();
        Jid { text: Arc::from(domain), local_len: 0, bare_len: offset(domain.len()) }
    }

    /// Whether there is a resource.
    pub fn is_full(&self) -> bool {
        !self.is_bare()
    }

    /// Whether there is no resource.
    pub fn is_bare(&self) -> bool {
        usize::from(self.bare_len) == self.text.len()
    }

    /// Whether this is a domain alone, without local part and resource.
    pub fn is_domain(&self) -> bool {
        self.local_len == 0 && self.is_bare()
    }

    /// The same account with this resource instead of its own.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        let resource = prepare_resource(resource)?;
        let parts = Prepared {
            local: self.local().map(Cow::Borrowed),
            domain: Cow::Borrowed(self.domain()),
            resource: Some(resource),
            stripped: false,
        };
        Ok(parts.join())
    }

    /// Whether both are the same account, resources aside.
    pub fn same_bare(&self, other: &Jid) -> bool {
        self.bare_str() == other.bare_str()
    }

    fn domain_start(&self) -> usize {
        if self.local_len == 0 { 0 } else { usize::from(self.local_len) + 1 }
    }
}

/// The three parts after preparation, not yet joined.
struct Prepared<'a> {
    local: Option<Cow<'a, str>>,
    domain: Cow<'a, str>,
    resource: Option<Cow<'a, str>>,
    /// A trailing dot was dropped: the parts are unchanged, the whole is not.
    stripped: bool,
}

impl<'a> Prepared<'a> {
    fn of(local: Option<&'a str>, domain: &'a str, resource: Option<&'a str>) -> Result<Prepared<'a>, JidError> {
        let prepared = prepare_domain(domain)?;
        let stripped = prepared.len() != domain.len();
        Ok(Prepared {
            local: local.map(prepare_local).transpose()?,
            domain: prepared,
            resource: resource.map(prepare_resource).transpose()?,
            stripped,
        })
    }

    fn is_unchanged(&self) -> bool {
        let owned = |part: &Option<Cow<'a, str>>| matches!(part, Some(Cow::Owned(_)));
        !self.stripped && matches!(self.domain, Cow::Borrowed(_)) && !owned(&self.local) && !owned(&self.resource)
    }

    fn join(&self) -> Jid {
        let mut bytes = SmallVec::<[u8; 256]>::new();
        if let Some(local) = &self.local {
            bytes.extend_from_slice(local.as_bytes());
            bytes.push(b'@');
        }
        bytes.extend_from_slice(self.domain.as_bytes());
        if let Some(resource) = &self.resource {
            bytes.push(b'/');
            bytes.extend_from_slice(resource.as_bytes());
        }
        self.jid(Arc::from(std::str::from_utf8(&bytes).expect("joined strings are UTF-8")))
    }

    fn jid(&self, text: Arc<str>) -> Jid {
        let local_len = self.local.as_ref().map_or(0, |local| local.len());
        let domain_start = if local_len == 0 { 0 } else { local_len + 1 };
        Jid { text, local_len: offset(local_len), bare_len: offset(domain_start + self.domain.len()) }
    }
}

fn offset(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("three prepared parts are shorter than 64 KiB")
}

/// The checks on a part's length that come before any work on it.
fn check_raw(text: &str, part: Part) -> Result<(), JidError> {
    match text.len() {
        0 => Err(JidError::Empty(part)),
        1..=RAW_PART_BYTES_MAX => Ok(()),
        _ => Err(JidError::TooLong(part)),
    }
}

/// The checks on a part's length once it is prepared.
fn check_prepared(text: &str, part: Part) -> Result<(), JidError> {
    match text.len() {
        0 => Err(JidError::Empty(part)),
        1..=PART_BYTES_MAX => Ok(()),
        _ => Err(JidError::TooLong(part)),
    }
}

impl PartialEq for Jid {
    fn eq(&self, other: &Jid) -> bool {
        Arc::ptr_eq(&self.text, &other.text) || self.text == other.text
    }
}

impl Eq for Jid {}

impl Hash for Jid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Jid) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jid {
    fn cmp(&self, other: &Jid) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Jid {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Jid, JidError> {
        Jid::parse(text)
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jid({:?})", self.as_str())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Local => "local part",
            Part::Domain => "domain",
            Part::Resource => "resource",
        })
    }
}

const _: () = assert!(size_of::<Jid>() == 24);
