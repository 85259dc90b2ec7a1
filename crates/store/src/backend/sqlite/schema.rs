//! The schema and its history. Each version is one file; a database goes forward through them when it is opened, and
//! never back.

use rusqlite::Connection;

use super::db::Db;
use crate::StoreError;

/// All versions, oldest first. A released one is never edited.
const VERSIONS: [&str; 8] = [
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
];

/// The version that gave archived messages the hash of their address.
const PEERS: usize = 3;

/// Marks a database file as one of ours ("Metr").
const APPLICATION_ID: i64 = 0x4d65_7472;

/// Refuses what is not ours or too new, and brings the rest to the newest version, all of it or nothing.
pub(super) fn migrate(db: &Db) -> Result<(), StoreError> {
    let file = db.file().to_owned();
    let pragma =
        |conn: &Connection, name: &str| conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let known = VERSIONS.len() as u32;
    db.with(|conn| {
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let (mark, found) = (pragma(conn, "application_id")?, pragma(conn, "user_version")?);
        if mark != APPLICATION_ID && (mark != 0 || found != 0 || tables != 0) {
            return Ok(Err(StoreError::Foreign { file: file.clone() }));
        }
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if found > known {
            return Ok(Err(StoreError::Newer { file: file.clone(), found, known }));
        }
        if found < known {
            forward(conn, found as usize)?;
        }
        Ok(Ok(()))
    })?
}

fn forward(conn: &Connection, found: usize) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    for (at, version) in VERSIONS.iter().enumerate().skip(found) {
        transaction.execute_batch(version)?;
        if at + 1 == PEERS {
            super::archive::peers::fill(&transaction)?;
        }
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSIONS.len() as i64)?;
    transaction.commit()
}

/// All tables of the newest version, for tests that look at plans.
#[cfg(test)]
pub(super) fn make(conn: &Connection) -> rusqlite::Result<()> {
    VERSIONS.iter().try_for_each(|version| conn.execute_batch(version))
}
