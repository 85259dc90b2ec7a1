-- Stanzas that wait for other servers. They belong to pairs of domains and not to accounts: what was promised goes out even if its sender
-- is gone.

CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,             -- grows with every row
    local TEXT NOT NULL,                    -- our domain
    remote TEXT NOT NULL,                   -- the other
    sender TEXT NOT NULL,                   -- the bare address it is from
    at_ms INTEGER NOT NULL,
    xml BLOB NOT NULL
) STRICT;

-- With the number, which every index ends with: rows of a pair are neighbours in their order.
CREATE INDEX outbox_by_pair ON outbox (local, remote);
