//! With whom a message was exchanged, as a short hash in its row: an index by it grows by whole runs of ids, so that adding a message costs
//! no index entry of its own. What is found by a hash is compared with the message itself.

use rusqlite::Connection;

use super::{BLOCK_BITS, RECEIVED, UNTIL_SEEN};
use crate::StoreError;
use crate::backend::sqlite::db::Db;
use crate::stored;

/// The hash of a bare address, never 0. It is on disk, so it may not change: FNV-1a in 64 bits, of which 31 are kept.
pub(super) fn hash(jid: &str) -> i64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = jid.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    (((hash >> 32 ^ hash) & 0x7fff_ffff) as i64).max(1)
}

/// Adds a full run of ids, which ends with this key, to what is found by address and time.
pub(super) fn close_block(db: &Db, last: i64) -> Result<(), StoreError> {
    let run = (last >> BLOCK_BITS << BLOCK_BITS, last);
    db.run(
        "INSERT OR REPLACE INTO archive_times
         SELECT ?2 >> 10, min(at_ms), max(at_ms) FROM archive WHERE key BETWEEN ?1 AND ?2",
        run,
    )?;
    db.run(
        "INSERT OR IGNORE INTO archive_peers
         SELECT peer, key FROM archive WHERE key BETWEEN ?1 AND ?2 AND peer > 0 ORDER BY peer, key",
        run,
    )
    .map(drop)
}

/// Gives the rows of an older schema their hashes, and full runs of ids their entries.
pub(in crate::backend::sqlite) fn fill(conn: &Connection) -> rusqlite::Result<()> {
    const ROWS: usize = 1000;
    let sql = "SELECT a.key, a.flags, s.xml FROM archive a CROSS JOIN stanzas s ON s.number = a.stanza
               WHERE a.key > ?1 ORDER BY a.key LIMIT ?2";
    let mut after = -1;
    loop {
        let mut statement = conn.prepare_cached(sql)?;
        let rows = statement.query_map((after, ROWS as i64), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
        let Some((last, ..)) = rows.last() else { break };
        after = *last;
        for (key, flags, xml) in rows.into_iter().filter(|(_, flags, _)| flags & UNTIL_SEEN == 0) {
            let Some(stanza) = stored::read(&xml) else { continue };
            let peer = hash(super::direction(flags & RECEIVED).peer(&stanza).bare_str());
            conn.prepare_cached("UPDATE archive SET peer = ?2 WHERE key = ?1")?.execute((key, peer))?;
        }
    }
    // Every run but the last of each archive is full; the last one may have lost its rows at the end, so its entries are added as well.
    conn.execute_batch(
        "INSERT INTO archive_times SELECT a.key >> 10, min(a.at_ms), max(a.at_ms) FROM archive a
         WHERE EXISTS (SELECT 1 FROM archive l WHERE l.key >= ((a.key >> 10) + 1) << 10 AND l.key < ((a.key >> 35) + 1) << 35)
         GROUP BY a.key >> 10;
         INSERT INTO archive_peers SELECT peer, key FROM archive WHERE peer > 0 ORDER BY peer, key",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_on_disk_stay_what_they_are() {
        assert_eq!(hash("bob@example.org"), hash("bob@example.org"));
        assert_ne!(hash("bob@example.org"), hash("bob@example.com"));
        assert!((1..=0x7fff_ffff).contains(&hash("")));
        assert_eq!(hash("alice@example.org"), 306875669);
    }
}
