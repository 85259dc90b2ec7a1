-- Nodes of publish-subscribe with all that belongs to them. Times are Unix milliseconds.

CREATE TABLE nodes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- what other tables name a node by; never used again
    slot INTEGER NOT NULL,                  -- whose it is
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,                  -- 0 leaf, 1 collection
    config BLOB NOT NULL,
    creator TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    space INTEGER NOT NULL,                 -- node_spaces.space, where its items are; another one after they were purged
    UNIQUE (slot, name)
) STRICT;

-- A space for the items of one node. Thin and apart, because every item that is published changes it.
CREATE TABLE node_spaces (
    space INTEGER PRIMARY KEY,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    last INTEGER NOT NULL                   -- the number given last
) STRICT;

-- What all nodes of an account take.
CREATE TABLE node_usage (
    slot INTEGER PRIMARY KEY,
    nodes INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

-- Which nodes stand in which collections.
CREATE TABLE node_collections (
    slot INTEGER NOT NULL,
    collection TEXT NOT NULL,
    name TEXT NOT NULL,                     -- of the node that stands in it
    PRIMARY KEY (slot, collection, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_collections_by_name ON node_collections (slot, name);

CREATE TABLE node_affiliations (
    number INTEGER NOT NULL,
    jid TEXT NOT NULL,
    slot INTEGER NOT NULL,                  -- nodes.slot
    affiliation INTEGER NOT NULL,           -- 0 outcast, 1 member, 2 publisher, 3 owner, 4 publish-only
    PRIMARY KEY (number, jid)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_affiliations_by_jid ON node_affiliations (slot, jid);

CREATE TABLE node_subscriptions (
    number INTEGER NOT NULL,
    jid TEXT NOT NULL,
    subid TEXT NOT NULL,
    slot INTEGER NOT NULL,                  -- nodes.slot
    bare TEXT NOT NULL,                     -- jid without its resource
    state INTEGER NOT NULL,                 -- 1 subscribed, 2 pending, 3 unconfigured
    expires_ms INTEGER,                     -- when it ends by itself
    options BLOB NOT NULL,
    PRIMARY KEY (number, jid, subid)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_subscriptions_by_jid ON node_subscriptions (slot, bare);

-- Items in the order they were published last, those of a space beside each other.
CREATE TABLE node_items (
    key INTEGER PRIMARY KEY,                -- space * 2^33 + number
    space INTEGER NOT NULL,
    born INTEGER NOT NULL,                  -- node_births.key
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    bytes INTEGER NOT NULL,                 -- of id, publisher and payload
    id TEXT NOT NULL,
    publisher TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX node_items_by_id ON node_items (space, id);

-- The same items in the order their ids were published first.
CREATE TABLE node_births (
    key INTEGER PRIMARY KEY,                -- space * 2^33 + the number it got then
    item INTEGER NOT NULL,                  -- node_items.key
    created_ms INTEGER NOT NULL
) STRICT;

-- How many items there are in each run of 256 numbers, so that counting up to any item looks at no more than one run. Times of items that
-- are gone may still be within min_ms and max_ms.
CREATE TABLE node_blocks (
    line INTEGER NOT NULL,                  -- 0 node_items, 1 node_births
    block INTEGER NOT NULL,                 -- key / 256
    items INTEGER NOT NULL,
    min_ms INTEGER NOT NULL,                -- updated_ms or created_ms
    max_ms INTEGER NOT NULL,
    PRIMARY KEY (line, block)
) STRICT, WITHOUT ROWID;

-- Spaces in which items up to a key are still to be removed.
CREATE TABLE node_trims (
    space INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,                  -- nodes.slot
    upto INTEGER NOT NULL                   -- node_items.key
) STRICT;

-- Spaces that are gone while their rows are still being removed.
CREATE TABLE node_remains (
    space INTEGER PRIMARY KEY,
    number INTEGER                          -- of the node, if it is gone too
) STRICT;
