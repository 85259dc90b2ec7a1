//! Domains in SQLite.

use metronome_model::{HostOrigin, HostState, StoredHost};
use rusqlite::Row;

use super::{SqliteBackend, SqliteStore};
use crate::hosts::{HostWrites, StoredHosts};
use crate::{Reading, StoreError};

fn origin_number(origin: HostOrigin) -> i64 {
    match origin {
        HostOrigin::Configuration => 0,
        HostOrigin::Command => 1,
    }
}

fn state_number(state: HostState) -> i64 {
    match state {
        HostState::Enabled => 0,
        HostState::Disabled => 1,
    }
}

/// What is not known was not added, and is not served.
fn read_host(row: &Row<'_>) -> rusqlite::Result<StoredHost> {
    let origin = if row.get::<_, i64>(1)? == 1 { HostOrigin::Command } else { HostOrigin::Configuration };
    let state = if row.get::<_, i64>(2)? == 0 { HostState::Enabled } else { HostState::Disabled };
    Ok(StoredHost { name: row.get(0)?, origin, state })
}

impl StoredHosts for SqliteStore {
    fn hosts(&self) -> Reading<Vec<StoredHost>> {
        self.read(|db| db.all("SELECT name, origin, state FROM hosts ORDER BY name", (), read_host))
    }
}

impl HostWrites for SqliteBackend {
    fn set_host(&mut self, host: &StoredHost) -> Result<(), StoreError> {
        let sql = "INSERT INTO hosts VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                   SET origin = excluded.origin, state = excluded.state";
        self.db()?.run(sql, (&host.name, origin_number(host.origin), state_number(host.state))).map(drop)
    }

    fn forget_host(&mut self, name: &str) -> Result<(), StoreError> {
        self.db()?.run("DELETE FROM hosts WHERE name = ?1", (name,)).map(drop)
    }
}
