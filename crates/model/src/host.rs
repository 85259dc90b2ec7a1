//! Domains that were added or switched off while the server ran; those of the configuration have a row only if they are switched off.

/// A domain that the store knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHost {
    /// Its prepared name (RFC 7622 section 3.2).
    pub name: Box<str>,
    /// Where it comes from.
    pub origin: HostOrigin,
    /// Whether it is served.
    pub state: HostState,
}

/// Where a domain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostOrigin {
    /// The configuration names it.
    Configuration,
    /// It was added by a command.
    Command,
}

/// Whether a domain is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostState {
    /// It is.
    Enabled,
    /// Its data are kept, and nobody can connect to it.
    Disabled,
}
