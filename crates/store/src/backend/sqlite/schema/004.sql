-- Streams that their clients may resume, so that sessions outlive the server.

CREATE TABLE streams (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    auth_epoch INTEGER NOT NULL,            -- accounts.auth_epoch when its client logged in
    token BLOB NOT NULL,                    -- SHA-256 of the name by which it is resumed
    resource TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    max_s INTEGER NOT NULL,                 -- for how long it waits for its client
    noted_ms INTEGER NOT NULL,              -- when the rest was noted
    presence BLOB,                          -- the stanza, while it is available
    switches INTEGER NOT NULL,
    sent INTEGER NOT NULL,                  -- stanzas it was sent, modulo 2^32
    unacked BLOB NOT NULL,                  -- for each row it has not acknowledged: how many stanzas were sent behind it (4 bytes), its id (8)
    handed INTEGER NOT NULL                 -- the highest id of the archive that it was given
) STRICT;

-- How many stanzas of each client are handled, modulo 2^32. Thin and apart, because every message of such a stream changes it; a row may
-- come before or be left behind by that of its stream.
CREATE TABLE streams_handled (
    number INTEGER PRIMARY KEY,
    h INTEGER NOT NULL
) STRICT;

-- Those that are handled while one before them is not.
CREATE TABLE streams_marks (
    number INTEGER NOT NULL,
    h INTEGER NOT NULL,
    PRIMARY KEY (number, h)
) STRICT, WITHOUT ROWID;
