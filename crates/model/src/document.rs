//! XML that is kept for an account: what its owner gave as it was given, such as private data (XEP-0049) and the visiting card
//! (XEP-0054), and what the server must know of it at every message, such as whom it has blocked.

/// Which drawer of an account's documents: what is in one is never found through another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Drawer {
    /// XEP-0049: only the owner reads it.
    Private,
    /// XEP-0054: everybody may read it.
    Card,
    /// XEP-0016 and XEP-0191: whom the owner has blocked.
    Blocking,
    /// XEP-0313 and XEP-0441: what the owner wants archived.
    Archiving,
    /// XEP-0357: services that are told of messages.
    Push,
    /// XEP-0484: tokens to log in with.
    Tokens,
    /// XEP-0257: certificates to log in with.
    Certificates,
    /// What the owner has switched on or off by commands.
    Switches,
}

impl Drawer {
    /// All of them.
    pub const ALL: [Drawer; 8] = [
        Drawer::Private,
        Drawer::Card,
        Drawer::Blocking,
        Drawer::Archiving,
        Drawer::Push,
        Drawer::Tokens,
        Drawer::Certificates,
        Drawer::Switches,
    ];
}

/// One document. Within a drawer its namespace and name are its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where it lies.
    pub drawer: Drawer,
    /// The namespace of its element.
    pub ns: Box<str>,
    /// The name of its element.
    pub name: Box<str>,
    /// The element, in `jabber:client` where it says nothing else. Empty: storing it removes what is there.
    pub xml: Box<[u8]>,
}

impl Document {
    /// What it counts for in its drawer's [`DrawerSize`]: the bytes of its key and its XML.
    pub fn len_bytes(&self) -> usize {
        self.ns.len() + self.name.len() + self.xml.len()
    }
}

/// How much lies in one drawer of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrawerSize {
    /// Documents.
    pub count: u64,
    /// Bytes of their keys and their XML.
    pub bytes: u64,
}

/// When an account was last there (XEP-0012).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// When its last session became unavailable, Unix time in milliseconds.
    pub at_ms: u64,
    /// What it said then; may be empty.
    pub status: Box<str>,
}
