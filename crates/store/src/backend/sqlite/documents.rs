//! Documents in SQLite, and when accounts were last there.

use metronome_model::{AccountId, Document, Drawer, DrawerSize, LastSeen};

use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::documents::{DocumentWrites, Documents};
use crate::{Reading, StoreError};

fn drawer_number(drawer: Drawer) -> i64 {
    match drawer {
        Drawer::Private => 1,
        Drawer::Card => 2,
        Drawer::Blocking => 3,
        Drawer::Archiving => 4,
        Drawer::Push => 5,
        Drawer::Tokens => 6,
        Drawer::Certificates => 7,
        Drawer::Switches => 8,
    }
}

fn drawer_of(number: i64) -> Option<Drawer> {
    Drawer::ALL.into_iter().find(|drawer| drawer_number(*drawer) == number)
}

impl Documents for SqliteStore {
    fn document(&self, owner: AccountId, drawer: Drawer, ns: &str, name: &str) -> Reading<Option<Box<[u8]>>> {
        let (ns, name) = (ns.to_owned(), name.to_owned());
        self.read(move |db| {
            let sql = "SELECT xml FROM documents WHERE slot = (SELECT slot FROM accounts WHERE id = ?1)
                       AND drawer = ?2 AND ns = ?3 AND name = ?4";
            db.first(sql, (owner.as_bytes(), drawer_number(drawer), ns, name), |row| row.get(0))
        })
    }

    fn documents(&self, owner: AccountId, drawers: &'static [Drawer]) -> Reading<Vec<Document>> {
        self.read(move |db| {
            let sql =
                "SELECT drawer, ns, name, xml FROM documents WHERE slot = (SELECT slot FROM accounts WHERE id = ?1)
                       AND drawer BETWEEN ?2 AND ?3 ORDER BY drawer, ns, name";
            let numbers = || drawers.iter().map(|drawer| drawer_number(*drawer));
            let all = db.all(sql, (owner.as_bytes(), numbers().min(), numbers().max()), |row| {
                let Some(drawer) = drawer_of(row.get(0)?).filter(|drawer| drawers.contains(drawer)) else {
                    return Ok(None);
                };
                Ok(Some(Document { drawer, ns: row.get(1)?, name: row.get(2)?, xml: row.get(3)? }))
            })?;
            Ok(all.into_iter().flatten().collect())
        })
    }

    fn drawer_size(&self, owner: AccountId, drawer: Drawer) -> Reading<DrawerSize> {
        self.read(move |db| {
            let sql = "SELECT count(*), ifnull(sum(bytes), 0) FROM documents
                       WHERE slot = (SELECT slot FROM accounts WHERE id = ?1) AND drawer = ?2";
            let size = db.first(sql, (owner.as_bytes(), drawer_number(drawer)), |row| {
                Ok(DrawerSize { count: row.get::<_, i64>(0)? as u64, bytes: row.get::<_, i64>(1)? as u64 })
            })?;
            Ok(size.unwrap_or_default())
        })
    }

    fn last_seen(&self, owner: AccountId) -> Reading<Option<LastSeen>> {
        self.read(move |db| {
            let sql = "SELECT at_ms, status FROM last_seen WHERE slot = (SELECT slot FROM accounts WHERE id = ?1)";
            db.first(sql, (owner.as_bytes(),), |row| {
                Ok(LastSeen { at_ms: row.get::<_, i64>(0)? as u64, status: row.get(1)? })
            })
        })
    }
}

impl DocumentWrites for SqliteBackend {
    fn set_document(&mut self, owner: AccountId, document: &Document) -> Result<(), StoreError> {
        let slot = self.known_slot(owner)?;
        let db = self.db()?;
        let Document { drawer, ns, name, xml } = document;
        let drawer = drawer_number(*drawer);
        if xml.is_empty() {
            let sql = "DELETE FROM documents WHERE slot = ?1 AND drawer = ?2 AND ns = ?3 AND name = ?4";
            return db.run(sql, (slot, drawer, ns, name)).map(drop);
        }
        let sql = "INSERT INTO documents (slot, drawer, ns, name, bytes, xml) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT DO UPDATE SET bytes = excluded.bytes, xml = excluded.xml";
        db.run(sql, (slot, drawer, ns, name, document.len_bytes() as i64, xml)).map(drop)
    }

    fn set_last_seen(&mut self, owner: AccountId, last: &LastSeen) -> Result<(), StoreError> {
        let slot = self.known_slot(owner)?;
        let sql = "INSERT INTO last_seen VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                   SET at_ms = excluded.at_ms, status = excluded.status";
        self.db()?.run(sql, (slot, last.at_ms as i64, &last.status)).map(drop)
    }
}

/// Removes up to `documents_max` documents of an account that is gone, and says how many; with the last of them it also forgets when
/// the account was last there.
pub(super) fn purge(db: &Db, slot: i64, documents_max: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM documents WHERE number IN (SELECT number FROM documents WHERE slot = ?1 LIMIT ?2)";
    let removed = db.run(sql, (slot, documents_max as i64))?;
    if removed < documents_max {
        db.run("DELETE FROM last_seen WHERE slot = ?1", (slot,))?;
    }
    Ok(removed)
}
