//! Accounts in SQLite.

use metronome_model::{Account, AccountId, AccountState, KeyHash, Role, StoredKeys};
use rusqlite::Row;

use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::accounts::{AccountWrites, Accounts, Credentials};
use crate::{Reading, StoreError};

/// The columns that [`read_account`] expects; written out so that each statement is one text.
macro_rules! select_account {
    ($rest:literal) => {
        concat!("SELECT slot, id, host, name, role, state, auth_epoch, created_ms FROM accounts ", $rest)
    };
}

// Nobody finds a domain's own account by its name, which is empty.
const BY_ADDRESS: &str = select_account!("WHERE host = ?1 AND name = ?2 AND ?2 <> ''");
const OF_DOMAIN: &str = select_account!("WHERE host = ?1 AND name = ''");
const BY_ID: &str = select_account!("WHERE id = ?1");
/// One statement, and so no transaction around it: this is read at each login.
const CREDENTIALS: &str = "SELECT a.slot, a.id, a.host, a.name, a.role, a.state, a.auth_epoch, a.created_ms, \
     k.hash, k.salt, k.iterations, k.stored_key, k.server_key \
     FROM accounts a LEFT JOIN account_keys k ON k.slot = a.slot WHERE a.host = ?1 AND a.name = ?2 AND ?2 <> '' \
     ORDER BY k.hash";
const LIST: &str = select_account!("WHERE host = ?1 AND name > ?2 ORDER BY name LIMIT ?3");

/// An account's slot; nothing for one that is gone.
pub(super) fn slot(db: &Db, id: AccountId) -> Result<Option<i64>, StoreError> {
    db.first("SELECT slot FROM accounts WHERE id = ?1", (id.as_bytes(),), |row| row.get(0))
}

/// An account with its slot.
pub(super) fn read_account(row: &Row<'_>) -> rusqlite::Result<(i64, Account)> {
    let account = Account {
        id: AccountId::from_bytes(row.get(1)?),
        host: row.get(2)?,
        name: row.get(3)?,
        role: role_of(row.get(4)?),
        state: state_of(row.get(5)?),
        auth_epoch: row.get(6)?,
        created_ms: row.get::<_, i64>(7)? as u64,
    };
    Ok((row.get(0)?, account))
}

fn read_keys(db: &Db, slot: i64) -> Result<Vec<StoredKeys>, StoreError> {
    let sql = "SELECT hash, salt, iterations, stored_key, server_key FROM account_keys WHERE slot = ?1 ORDER BY hash";
    db.all(sql, (slot,), |row| keys_at(row, 0)).map(|keys| keys.into_iter().flatten().collect())
}

/// The keys in this column and the next four; none where there are none, or of a hash that is not known.
fn keys_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<StoredKeys>> {
    let Some(hash) = row.get::<_, Option<i64>>(at)?.and_then(hash_of) else { return Ok(None) };
    let (salt, iterations) = (row.get(at + 1)?, row.get(at + 2)?);
    Ok(Some(StoredKeys { hash, salt, iterations, stored_key: row.get(at + 3)?, server_key: row.get(at + 4)? }))
}

fn role_number(role: Role) -> i64 {
    match role {
        Role::User => 0,
        Role::Admin => 1,
    }
}

/// What is not known gives no rights.
fn role_of(number: i64) -> Role {
    if number == 1 { Role::Admin } else { Role::User }
}

fn state_number(state: AccountState) -> i64 {
    match state {
        AccountState::Active => 0,
        AccountState::Disabled => 1,
        AccountState::Locked => 2,
        AccountState::LockedAndDisabled => 3,
    }
}

/// What is not known lets nobody in.
fn state_of(number: i64) -> AccountState {
    match number {
        0 => AccountState::Active,
        2 => AccountState::Locked,
        3 => AccountState::LockedAndDisabled,
        _ => AccountState::Disabled,
    }
}

fn hash_number(hash: KeyHash) -> i64 {
    match hash {
        KeyHash::Sha1 => 1,
        KeyHash::Sha256 => 2,
        KeyHash::Sha384 => 3,
        KeyHash::Sha512 => 4,
    }
}

fn hash_of(number: i64) -> Option<KeyHash> {
    KeyHash::ALL.into_iter().find(|hash| hash_number(*hash) == number)
}

impl Accounts for SqliteStore {
    fn account(&self, host: &str, name: &str) -> Reading<Option<Account>> {
        let (host, name) = (host.to_owned(), name.to_owned());
        self.read(move |db| Ok(db.first(BY_ADDRESS, (host, name), read_account)?.map(|(_, account)| account)))
    }

    fn account_of_domain(&self, host: &str) -> Reading<Option<Account>> {
        let host = host.to_owned();
        self.read(move |db| Ok(db.first(OF_DOMAIN, (host,), read_account)?.map(|(_, account)| account)))
    }

    fn account_by_id(&self, id: AccountId) -> Reading<Option<Account>> {
        self.read(move |db| Ok(db.first(BY_ID, (id.as_bytes(),), read_account)?.map(|(_, account)| account)))
    }

    fn credentials(&self, host: &str, name: &str) -> Reading<Option<Credentials>> {
        let (host, name) = (host.to_owned(), name.to_owned());
        self.read(move |db| {
            let mut account = None;
            let keys = db.all(CREDENTIALS, (host, name), |row| {
                if account.is_none() {
                    account = Some(read_account(row)?.1);
                }
                keys_at(row, 8)
            })?;
            Ok(account.map(|account| Credentials { account, keys: keys.into_iter().flatten().collect() }))
        })
    }

    fn keys(&self, id: AccountId, hash: KeyHash) -> Reading<Option<StoredKeys>> {
        self.read(move |db| {
            db.at_once(|db| {
                let Some(slot) = slot(db, id)? else { return Ok(None) };
                Ok(read_keys(db, slot)?.into_iter().find(|keys| keys.hash == hash))
            })
        })
    }

    fn list(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Account>> {
        let (host, after) = (host.to_owned(), after.unwrap_or_default().to_owned());
        self.read(move |db| db.all(LIST, (host, after, limit as i64), |row| Ok(read_account(row)?.1)))
    }
}

impl SqliteBackend {
    fn write_keys(&self, slot: i64, keys: &[StoredKeys]) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO account_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        for StoredKeys { hash, salt, iterations, stored_key, server_key } in keys {
            self.db()?.run(sql, (slot, hash_number(*hash), salt, iterations, stored_key, server_key))?;
        }
        Ok(())
    }

    /// The slot of an account that the writer has found.
    pub(super) fn known_slot(&self, id: AccountId) -> Result<i64, StoreError> {
        slot(self.db()?, id)?.ok_or_else(|| self.missing(id))
    }

    /// The writer has checked that the account is there.
    fn missing(&self, id: AccountId) -> StoreError {
        StoreError::Damaged { file: self.file.to_path_buf(), detail: format!("account {id} has vanished") }
    }
}

impl AccountWrites for SqliteBackend {
    fn in_use(&mut self, account: &Account) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?1)
                   OR EXISTS (SELECT 1 FROM tombstones WHERE id = ?1)
                   OR EXISTS (SELECT 1 FROM accounts WHERE host = ?2 AND name = ?3)";
        let params = (account.id.as_bytes(), &account.host, &account.name);
        Ok(self.db()?.first(sql, params, |row| row.get(0))?.unwrap_or(false))
    }

    fn add_account(&mut self, account: &Account, keys: &[StoredKeys]) -> Result<(), StoreError> {
        let db = self.db()?;
        let Account { id, host, name, role, state, auth_epoch, created_ms } = account;
        let sql = "INSERT INTO accounts (id, host, name, role, state, auth_epoch, created_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (role, state, created_ms) = (role_number(*role), state_number(*state), *created_ms as i64);
        db.run(sql, (id.as_bytes(), host, name, role, state, auth_epoch, created_ms))?;
        let slot = db.with(|conn| Ok(conn.last_insert_rowid()))?;
        if slot > super::archive::SLOT_MAX {
            let detail = "it has had as many accounts as it can number".to_owned();
            return Err(StoreError::DiskFull { file: self.file.to_path_buf(), detail });
        }
        self.write_keys(slot, keys)
    }

    fn set_keys(&mut self, id: AccountId, keys: &[StoredKeys]) -> Result<(), StoreError> {
        let slot = self.known_slot(id)?;
        let db = self.db()?;
        db.run("DELETE FROM account_keys WHERE slot = ?1", (slot,))?;
        db.run("UPDATE accounts SET auth_epoch = auth_epoch + 1 WHERE slot = ?1", (slot,))?;
        self.write_keys(slot, keys)
    }

    fn add_keys(&mut self, id: AccountId, keys: &StoredKeys) -> Result<(), StoreError> {
        let slot = self.known_slot(id)?;
        let StoredKeys { hash, salt, iterations, stored_key, server_key } = keys;
        let sql = "INSERT OR IGNORE INTO account_keys VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.db()?.run(sql, (slot, hash_number(*hash), salt, iterations, stored_key, server_key)).map(drop)
    }

    fn set_role(&mut self, id: AccountId, role: Role) -> Result<(), StoreError> {
        self.db()?.run("UPDATE accounts SET role = ?2 WHERE id = ?1", (id.as_bytes(), role_number(role))).map(drop)
    }

    fn set_state(&mut self, id: AccountId, state: AccountState) -> Result<(), StoreError> {
        // What stands on the right is the row as it was; 0 and 2 are the states that are not disabled.
        let sql = "UPDATE accounts SET state = ?2, auth_epoch = auth_epoch + (?3 AND state IN (0, 2)) WHERE id = ?1";
        self.db()?.run(sql, (id.as_bytes(), state_number(state), state.is_disabled())).map(drop)
    }

    fn forget(&mut self, id: AccountId) -> Result<(), StoreError> {
        let slot = self.known_slot(id)?;
        let db = self.db()?;
        db.run("INSERT INTO tombstones VALUES (?1, ?2)", (slot, id.as_bytes()))?;
        db.run("DELETE FROM account_keys WHERE slot = ?1", (slot,))?;
        db.run("DELETE FROM accounts WHERE slot = ?1", (slot,)).map(drop)
    }
}
