-- Rosters, documents, when accounts were last there, and domains. From here on `accounts.state` may also be 2, locked.

-- The versions of each roster; no row before its first change.
CREATE TABLE rosters (
    slot INTEGER PRIMARY KEY,
    current INTEGER NOT NULL,               -- the version of the last change
    removed INTEGER NOT NULL                -- the version of the last change after which clients saw a contact no more
) STRICT;

-- One row per owner and contact, in one tree by owner and address.
CREATE TABLE contacts (
    slot INTEGER NOT NULL,
    jid TEXT NOT NULL,
    name TEXT,                              -- what the owner calls it
    in_groups TEXT NOT NULL,                -- each group followed by U+001F, which XML does not allow in a name
    subscription INTEGER NOT NULL,          -- 1 to, 2 from, 4 pending out, 8 pending in, 16 approved in advance
    listed INTEGER NOT NULL,                -- 1 if clients see it in the roster
    version INTEGER NOT NULL,               -- rosters.current after this change
    request BLOB,                           -- the stanza that asked, while that is pending
    PRIMARY KEY (slot, jid)
) STRICT, WITHOUT ROWID;

-- Whose rosters have a row about an address: all of them end with the account that has it.
CREATE INDEX contacts_by_jid ON contacts (jid);

-- XML that is kept for accounts as it was given. A table with numbers, because a tree by these keys would be deep with such rows.
CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    drawer INTEGER NOT NULL,                -- 1 private, 2 visiting card, and so on (backend/sqlite/documents.rs)
    ns TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,                 -- of namespace, name and XML
    xml BLOB NOT NULL,
    UNIQUE (slot, drawer, ns, name)
) STRICT;

-- When the last session of an account went away.
CREATE TABLE last_seen (
    slot INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    status TEXT NOT NULL                    -- what it said then
) STRICT;

-- Domains that were added or switched off while the server ran.
CREATE TABLE hosts (
    name TEXT PRIMARY KEY,
    origin INTEGER NOT NULL,                -- 0 the configuration, 1 a command
    state INTEGER NOT NULL                  -- 0 enabled, 1 disabled
) STRICT, WITHOUT ROWID;
