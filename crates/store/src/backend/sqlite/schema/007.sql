-- Rooms with the people around them. A room is an account of its service's domain; its archive and its documents are that account's.
-- Times are Unix milliseconds.

CREATE TABLE rooms (
    slot INTEGER PRIMARY KEY,               -- accounts.slot; without an account of that slot the room is gone
    host TEXT NOT NULL,                     -- accounts.host
    name TEXT NOT NULL,                     -- accounts.name
    visibility INTEGER NOT NULL,            -- 0 hidden, 1 listed
    occupants INTEGER NOT NULL,             -- how many are saved
    version INTEGER NOT NULL,               -- of the last change of an affiliation
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    creator TEXT NOT NULL,
    secret BLOB NOT NULL,
    config BLOB NOT NULL,
    subject BLOB,                           -- with the next two, or none of them
    subject_nick TEXT,
    subject_ms INTEGER
) STRICT;
CREATE INDEX rooms_by_name ON rooms (host, name);
CREATE INDEX rooms_listed ON rooms (host, name) WHERE visibility = 1;
CREATE INDEX rooms_occupied ON rooms (host, name) WHERE occupants > 0;

CREATE TABLE room_members (
    slot INTEGER NOT NULL,                  -- rooms.slot
    jid TEXT NOT NULL,
    account BLOB,                           -- accounts.id when this was said
    affiliation INTEGER NOT NULL,           -- 0 outcast, 1 none, 2 member, 3 admin, 4 owner
    version INTEGER NOT NULL,
    nick TEXT,
    reason TEXT,
    more BLOB NOT NULL,
    PRIMARY KEY (slot, jid)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_members_by_jid ON room_members (jid);

-- Who was in the rooms when the server stopped.
CREATE TABLE room_occupants (
    slot INTEGER NOT NULL,                  -- rooms.slot
    place INTEGER NOT NULL,                 -- 0, 1, 2, ...
    nick TEXT NOT NULL,
    jid TEXT NOT NULL,
    account BLOB,                           -- accounts.id
    role INTEGER NOT NULL,                  -- 0 none, 1 visitor, 2 participant, 3 moderator
    joined_ms INTEGER NOT NULL,
    presence BLOB NOT NULL,
    PRIMARY KEY (slot, place)
) STRICT, WITHOUT ROWID;

-- Rooms that were destroyed. They belong to the address and not to an account, which is gone.
CREATE TABLE room_redirects (
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    target TEXT,                            -- the room that takes its place
    reason TEXT,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (host, name)
) STRICT, WITHOUT ROWID;
