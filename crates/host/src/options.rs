//! Options: what an administrator may set, declared by the part of the server that reads it.
//! The loader, `metronomectl config`, the reference page and the example file derive from these declarations, so a key exists
//! exactly when something reads it. Reading files is the binary's work; this module knows kinds, units and values, and does no I/O.

mod unfit;
mod units;
mod value;
mod values;

pub use unfit::Unfit;
pub use units::{Frequency, UnitError, read_duration, write_bytes, write_duration};
pub use value::{Value, Wrong};
pub use values::Values;

/// One option, declared as a constant beside the code that reads it and listed in that part's table.
///
/// ```
/// use metronome_host::options::{Kind, Setting, Values};
///
/// const STANZA: Setting = Setting::new("limits.c2s.stanza", Kind::Bytes, "\"256 KiB\"", "Largest stanza of a client.")
///     .within(10_000, 64 << 20)
///     .per_host();
/// const SETTINGS: &[Setting] = &[STANZA];
///
/// assert_eq!(Values::defaults(&[SETTINGS]).bytes(&STANZA), 256 * 1024);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The dotted name, such as `limits.c2s.stanza`. Section tables and inline tables of TOML mean the same.
    pub key: &'static str,
    /// What may be written.
    pub kind: Kind,
    /// The default as written in TOML, quotes included; empty if the administrator must give a value.
    pub default: &'static str,
    /// What it does, in one or two sentences for the administrator.
    pub doc: &'static str,
    /// When a changed value takes effect.
    pub reload: Reload,
    /// Whether `[host."name"]` may override it.
    pub scope: Scope,
    /// Smallest and largest value, both allowed: bytes for [`Kind::Bytes`] and [`Kind::Rate`], milliseconds for
    /// [`Kind::Duration`]. Other kinds ignore it.
    pub range: Option<(u64, u64)>,
    /// Whether its value may be shown.
    pub shown: Shown,
}

impl Setting {
    /// A server-wide setting that takes effect at once; the other builders change that.
    pub const fn new(key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { key, kind, default, doc, reload: Reload::AtOnce, scope: Scope::Server, range: None, shown: Shown::Yes }
    }

    /// A changed value counts for streams opened after the reload.
    pub const fn for_new_streams(mut self) -> Self {
        self.reload = Reload::NewStreams;
        self
    }

    /// A changed value is noticed and reported by a reload, and counts after a restart.
    pub const fn at_restart(mut self) -> Self {
        self.reload = Reload::Restart;
        self
    }

    /// `[host."name"]` may override it.
    pub const fn per_host(mut self) -> Self {
        self.scope = Scope::Host;
        self
    }

    /// Bounds, inclusive; see [`Setting::range`] for their unit.
    pub const fn within(mut self, min: u64, max: u64) -> Self {
        self.range = Some((min, max));
        self
    }

    /// Its value is a secret, which nothing shows.
    pub const fn secret(mut self) -> Self {
        self.shown = Shown::No;
        self
    }

    /// Whether the administrator must give a value.
    pub const fn is_required(&self) -> bool {
        self.default.is_empty()
    }
}

/// What may be written for a setting, and so which getter of [`Values`] reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; read by [`Values::flag`].
    Flag,
    /// A whole number within bounds, both allowed; read by [`Values::count`].
    Count {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// Any string; read by [`Values::text`].
    Text,
    /// One of these words; read by [`Values::text`].
    Choice(&'static [&'static str]),
    /// A list of some of these words, each at most once, in the order of preference; read by [`Values::list`].
    Choices(&'static [&'static str]),
    /// A list of strings; read by [`Values::list`].
    List,
    /// A domain name; read by [`Values::text`].
    Domain,
    /// A list of domain names, each at most once; read by [`Values::list`].
    Domains,
    /// A size such as `"256 KiB"`; read by [`Values::bytes`].
    Bytes,
    /// A flow such as `"64 KiB/s"`; read by [`Values::rate`].
    Rate,
    /// A number of events such as `"10/min"`; read by [`Values::frequency`].
    Frequency,
    /// A time span such as `"30 s"`; read by [`Values::duration`].
    Duration,
    /// A list of `"address:port"`, `[]` for none; read by [`Values::addresses`].
    Addresses,
    /// A list of networks such as `"192.0.2.0/24"` or of single addresses; read by [`Values::networks`].
    Networks,
    /// A file or folder; the empty string means none, and a relative path counts from where the server was started.
    /// Read by [`Values::path`].
    Path,
}

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// With the reload, for whatever happens next.
    AtOnce,
    /// For streams opened after the reload.
    NewStreams,
    /// Only after the server was restarted; a reload says so.
    Restart,
}

/// Whether a setting's value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It may.
    Yes,
    /// It is a secret.
    No,
}

/// Where a setting may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the file's own sections only.
    Server,
    /// There, and for one domain in `[host."name"]`.
    Host,
}
