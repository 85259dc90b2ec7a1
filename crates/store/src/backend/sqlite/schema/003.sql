-- With whom archived messages were exchanged, and when: pages of an archive are found by that.

-- A short hash of the other's bare address; 0 for rows that are kept until they are seen, which are in no archive.
ALTER TABLE archive ADD COLUMN peer INTEGER NOT NULL DEFAULT 0;

-- The rows of each full run of 1024 ids by that hash, added when the run is full: so neighbours come together, and adding a message touches
-- no index. The last run of an archive, which is not full, is looked through.
CREATE TABLE archive_peers (
    peer INTEGER NOT NULL,
    key INTEGER NOT NULL,                   -- archive.key
    PRIMARY KEY (peer, key)
) STRICT, WITHOUT ROWID;

-- The times of each full run of ids: what is outside of them need not be looked for there. Times need not grow with ids, and a run without
-- its row is simply looked through.
CREATE TABLE archive_times (
    block INTEGER PRIMARY KEY,              -- archive.key / 1024
    min_ms INTEGER NOT NULL,
    max_ms INTEGER NOT NULL
) STRICT;
