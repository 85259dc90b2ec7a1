-- With whom archived messages were exchanged, and when: pages of an archive are found by that.

-- Addresses in archives, without resources: one short number for each owner and address.
CREATE TABLE peers (
    number INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    jid TEXT NOT NULL,
    UNIQUE (slot, jid)
) STRICT;

-- peers.number; 0 for rows that are kept until they are seen, which are in no archive.
ALTER TABLE archive ADD COLUMN peer INTEGER NOT NULL DEFAULT 0;

-- One entry per row: number and key.
CREATE INDEX archive_by_peer ON archive (peer);

-- The times of each full run of 1024 ids: what is outside of them need not be looked for there. Times need not grow with ids, and a run
-- without its row is simply looked through.
CREATE TABLE archive_times (
    block INTEGER PRIMARY KEY,              -- archive.key / 1024
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL
) STRICT;
