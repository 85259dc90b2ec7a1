-- Accounts, their keys, the message archive, and values of the server.
-- Times are Unix milliseconds. Ids of accounts are 16 random bytes, never used again.

CREATE TABLE accounts (
    slot INTEGER PRIMARY KEY AUTOINCREMENT, -- the short number other tables name an account by; never used again
    id BLOB NOT NULL UNIQUE,
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,                  -- 0 user, 1 admin
    state INTEGER NOT NULL,                 -- 0 active, 1 disabled
    auth_epoch INTEGER NOT NULL,            -- grows when open sessions must end
    created_ms INTEGER NOT NULL,
    UNIQUE (host, name)
) STRICT;

CREATE TABLE account_keys (
    slot INTEGER NOT NULL,
    hash INTEGER NOT NULL,                  -- 1 SHA-1, 2 SHA-256, 3 SHA-384, 4 SHA-512
    salt BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (slot, hash)
) STRICT, WITHOUT ROWID;

-- Accounts that are gone while their rows are still being removed.
CREATE TABLE tombstones (
    slot INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE
) STRICT;

-- One row per message and owner, in one tree by owner and id: thin, so that a page holds many of them.
CREATE TABLE archive (
    key INTEGER PRIMARY KEY,                -- slot * 2^35 + id
    at_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,                 -- 1 received, 2 unseen (unless at or below archive_heads.seen_to), 4 kept until seen
    stanza INTEGER NOT NULL                 -- stanzas.number
) STRICT;

-- The messages themselves, once for all rows of a record, in the order they came.
CREATE TABLE stanzas (
    number INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,                  -- rows of archive that point here; the last one takes it away
    xml BLOB NOT NULL
) STRICT;

-- Where an archive stood when this was last written. Rows with higher ids came later and are counted when the head is read.
CREATE TABLE archive_heads (
    slot INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL,               -- an id given, perhaps to a row that is gone
    seen_to INTEGER NOT NULL,               -- nothing at or below this id is unseen
    unseen INTEGER NOT NULL                 -- unseen rows up to last_id
) STRICT;

-- Values of the server itself.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The number of the last commit: tells after an error whether that commit took place.
CREATE TABLE commits (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO commits VALUES (1, 0);
