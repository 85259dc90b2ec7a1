//! Values of the server in SQLite.

use super::{SqliteBackend, SqliteStore};
use crate::meta::{Meta, MetaWrites};
use crate::{Reading, StoreError};

impl Meta for SqliteStore {
    fn meta(&self, key: &'static str) -> Reading<Option<Box<[u8]>>> {
        self.read(move |db| db.first("SELECT value FROM meta WHERE key = ?1", (key,), |row| row.get(0)))
    }
}

impl MetaWrites for SqliteBackend {
    fn set_meta(&mut self, key: &'static str, value: &[u8]) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        self.db()?.run(sql, (key, value)).map(drop)
    }
}
