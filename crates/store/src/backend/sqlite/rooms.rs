//! Rooms in SQLite. Their rows name the service and the room once more, so that lists of the public ones and of those with saved
//! occupants pass no other; whether a room is still there is seen from its account.

use metronome_model::{
    AccountId, RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRole, RoomRow, RoomSecret, RoomSubject,
    SavedOccupant, Visibility,
};
use metronome_proto::jid::Jid;
use rusqlite::Row;

use super::db::Db;
use super::nodes::jid_at;
use super::{SqliteBackend, SqliteStore};
use crate::archive::PAGE_BYTES_MAX;
use crate::rooms::{ListedRoom, RoomWrites, Rooms, RoomsListed, StoredRoom};
use crate::{Reading, StoreError};

fn visibility_number(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Hidden => 0,
        Visibility::Listed => 1,
    }
}

fn visibility_of(number: i64) -> Visibility {
    if number == 1 { Visibility::Listed } else { Visibility::Hidden }
}

fn affiliation_number(affiliation: RoomAffiliation) -> i64 {
    match affiliation {
        RoomAffiliation::Outcast => 0,
        RoomAffiliation::None => 1,
        RoomAffiliation::Member => 2,
        RoomAffiliation::Admin => 3,
        RoomAffiliation::Owner => 4,
    }
}

/// What is not known lets nobody in.
fn affiliation_of(number: i64) -> RoomAffiliation {
    let all = RoomAffiliation::ALL.into_iter();
    all.rev().find(|affiliation| affiliation_number(*affiliation) == number).unwrap_or(RoomAffiliation::Outcast)
}

fn role_number(role: RoomRole) -> i64 {
    match role {
        RoomRole::None => 0,
        RoomRole::Visitor => 1,
        RoomRole::Participant => 2,
        RoomRole::Moderator => 3,
    }
}

/// What is not known may do nothing.
fn role_of(number: i64) -> RoomRole {
    RoomRole::ALL.into_iter().find(|role| role_number(*role) == number).unwrap_or(RoomRole::None)
}

/// As SQLite compares it.
fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The columns that [`room_at`] expects; written out so that each statement is one text.
macro_rules! select_room {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, r.slot, r.name, r.config, r.visibility, r.subject, r.subject_nick, r.subject_ms, r.secret, \
             r.creator, r.created_ms, r.used_ms, r.version FROM ",
            $rest
        )
    };
}

const FIND: &str = select_room!("accounts a CROSS JOIN rooms r ON r.slot = a.slot WHERE a.host = ?1 AND a.name = ?2");
const LIST: &str = select_room!(
    "rooms r CROSS JOIN accounts a ON a.slot = r.slot WHERE r.host = ?1 AND r.name > ?2 ORDER BY r.name LIMIT ?3"
);
const LIST_PUBLIC: &str = select_room!(
    "rooms r CROSS JOIN accounts a ON a.slot = r.slot
     WHERE r.host = ?1 AND r.name > ?2 AND r.visibility = 1 ORDER BY r.name LIMIT ?3"
);
const COUNT: &str = "SELECT count(*) FROM rooms r CROSS JOIN accounts a ON a.slot = r.slot WHERE r.host = ?1";
const OCCUPIED: &str = "SELECT r.name FROM rooms r CROSS JOIN accounts a ON a.slot = r.slot
     WHERE r.host = ?1 AND r.name > ?2 AND r.occupants > 0 ORDER BY r.name LIMIT ?3";
const MEMBERS: &str = "SELECT jid, account, affiliation, nick, reason, more, version FROM room_members
     WHERE slot = ?1 ORDER BY jid";
const OCCUPANTS: &str = "SELECT jid, nick, account, role, joined_ms, presence FROM room_occupants
     WHERE slot = ?1 ORDER BY place";
const ROOMS_OF: &str = "SELECT r.name, m.affiliation FROM room_members m CROSS JOIN rooms r ON r.slot = m.slot
     CROSS JOIN accounts a ON a.slot = r.slot WHERE m.jid = ?2 AND r.host = ?1 AND r.name > ?3 ORDER BY r.name LIMIT ?4";
const REDIRECT: &str = "SELECT target, host, name, reason, at_ms FROM room_redirects WHERE host = ?1 AND name = ?2";
const REDIRECTS: &str = "SELECT target, host, name, reason, at_ms FROM room_redirects
     WHERE host = ?1 AND name > ?2 ORDER BY name LIMIT ?3";

/// A room and its slot; `None` for one that is damaged.
fn room_at(row: &Row<'_>) -> rusqlite::Result<Option<(i64, ListedRoom)>> {
    let Some(creator) = jid_at(row, 9)? else { return Ok(None) };
    let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
    let subject = match row.get::<_, Option<Box<[u8]>>>(5)? {
        Some(content) => Some(RoomSubject { content, nick: row.get(6)?, at_ms: number(7)? }),
        None => None,
    };
    let room = RoomRow {
        config: row.get(3)?,
        visibility: visibility_of(row.get(4)?),
        subject,
        secret: RoomSecret(row.get(8)?),
        creator,
        created_ms: number(10)?,
        used_ms: number(11)?,
        version: number(12)?,
    };
    Ok(Some((row.get(1)?, ListedRoom { id: AccountId::from_bytes(row.get(0)?), name: row.get(2)?, row: room })))
}

fn account_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<AccountId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(AccountId::from_bytes))
}

fn member_at(row: &Row<'_>) -> rusqlite::Result<Option<RoomMember>> {
    let Some(jid) = jid_at(row, 0)? else { return Ok(None) };
    Ok(Some(RoomMember {
        jid,
        account: account_at(row, 1)?,
        affiliation: affiliation_of(row.get(2)?),
        nick: row.get(3)?,
        reason: row.get(4)?,
        more: row.get(5)?,
        version: row.get::<_, i64>(6)? as u64,
    }))
}

fn occupant_at(row: &Row<'_>) -> rusqlite::Result<Option<SavedOccupant>> {
    let Some(jid) = jid_at(row, 0)? else { return Ok(None) };
    Ok(Some(SavedOccupant {
        jid,
        nick: row.get(1)?,
        account: account_at(row, 2)?,
        role: role_of(row.get(3)?),
        since_ms: row.get::<_, i64>(4)? as u64,
        presence: row.get(5)?,
    }))
}

fn redirect_at(row: &Row<'_>) -> rusqlite::Result<RoomRedirect> {
    let to = match row.get_ref(0)? {
        rusqlite::types::ValueRef::Null => None,
        _ => jid_at(row, 0)?,
    };
    let at_ms = row.get::<_, i64>(4)? as u64;
    Ok(RoomRedirect { host: row.get(1)?, name: row.get(2)?, to, reason: row.get(3)?, at_ms })
}

fn read_room(db: &Db, host: &str, name: &str) -> Result<Option<StoredRoom>, StoreError> {
    let Some((slot, ListedRoom { id, row, .. })) = db.first(FIND, (host, name), room_at)?.flatten() else {
        return Ok(None);
    };
    let members = db.all(MEMBERS, (slot,), member_at)?.into_iter().flatten().collect();
    let occupants = db.all(OCCUPANTS, (slot,), occupant_at)?.into_iter().flatten().collect();
    Ok(Some(StoredRoom { id, row, members, occupants }))
}

fn list(db: &Db, sql: &str, host: &str, after: &str, limit: usize) -> Result<Vec<ListedRoom>, StoreError> {
    db.with(|conn| {
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query((host, after, bound(limit)))?;
        let (mut rooms, mut bytes) = (Vec::new(), 0);
        while bytes < PAGE_BYTES_MAX {
            let Some(row) = rows.next()? else { break };
            let Some((_, room)) = room_at(row)? else { continue };
            bytes += room.row.len_bytes();
            rooms.push(room);
        }
        Ok(rooms)
    })
}

/// Every name is behind the empty one.
fn first(after: Option<&str>) -> String {
    after.unwrap_or_default().to_owned()
}

impl Rooms for SqliteStore {
    fn room(&self, host: &str, name: &str) -> Reading<Option<StoredRoom>> {
        let (host, name) = (host.to_owned(), name.to_owned());
        self.read(move |db| db.at_once(|db| read_room(db, &host, &name)))
    }

    fn rooms(&self, host: &str, listed: RoomsListed, after: Option<&str>, limit: usize) -> Reading<Vec<ListedRoom>> {
        let (host, after) = (host.to_owned(), first(after));
        let sql = match listed {
            RoomsListed::All => LIST,
            RoomsListed::Public => LIST_PUBLIC,
        };
        self.read(move |db| list(db, sql, &host, &after, limit))
    }

    fn rooms_count(&self, host: &str) -> Reading<u64> {
        let host = host.to_owned();
        self.read(move |db| {
            let count = db.first(COUNT, (host,), |row| row.get::<_, i64>(0))?;
            Ok(count.unwrap_or_default() as u64)
        })
    }

    fn rooms_of(
        &self,
        host: &str,
        bare: &Jid,
        after: Option<&str>,
        limit: usize,
    ) -> Reading<Vec<(Box<str>, RoomAffiliation)>> {
        let (host, bare, after) = (host.to_owned(), bare.as_str().to_owned(), first(after));
        self.read(move |db| {
            db.all(ROOMS_OF, (host, bare, after, bound(limit)), |row| Ok((row.get(0)?, affiliation_of(row.get(1)?))))
        })
    }

    fn rooms_with_occupants(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<Box<str>>> {
        let (host, after) = (host.to_owned(), first(after));
        self.read(move |db| db.all(OCCUPIED, (host, after, bound(limit)), |row| row.get(0)))
    }

    fn redirect(&self, host: &str, name: &str) -> Reading<Option<RoomRedirect>> {
        let (host, name) = (host.to_owned(), name.to_owned());
        self.read(move |db| db.first(REDIRECT, (host, name), redirect_at))
    }

    fn redirects(&self, host: &str, after: Option<&str>, limit: usize) -> Reading<Vec<RoomRedirect>> {
        let (host, after) = (host.to_owned(), first(after));
        self.read(move |db| db.all(REDIRECTS, (host, after, bound(limit)), redirect_at))
    }
}

impl RoomWrites for SqliteBackend {
    fn is_room(&mut self, owner: AccountId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM accounts a CROSS JOIN rooms r ON r.slot = a.slot WHERE a.id = ?1)";
        Ok(self.db()?.first(sql, (owner.as_bytes(),), |row| row.get(0))?.unwrap_or(false))
    }

    fn change_room(&mut self, owner: AccountId, change: &RoomChange) -> Result<(), StoreError> {
        let slot = self.known_slot(owner)?;
        let db = self.db()?;
        match change {
            RoomChange::Create(row) => create(db, slot, row),
            RoomChange::Configure { config, visibility } => {
                let sql = "UPDATE rooms SET config = ?2, visibility = ?3 WHERE slot = ?1";
                db.run(sql, (slot, config, visibility_number(*visibility))).map(drop)
            }
            RoomChange::SetSubject(subject) => set_subject(db, slot, subject.as_ref()),
            RoomChange::SetMember(member) => set_member(db, slot, member),
            RoomChange::RemoveMember { jid, version } => {
                db.run("DELETE FROM room_members WHERE slot = ?1 AND jid = ?2", (slot, jid.as_str()))?;
                set_version(db, slot, *version)
            }
            RoomChange::Use { at_ms } => {
                db.run("UPDATE rooms SET used_ms = ?2 WHERE slot = ?1", (slot, *at_ms as i64)).map(drop)
            }
            RoomChange::SaveOccupants(occupants) => save_occupants(db, slot, occupants),
        }
    }

    fn set_redirect(&mut self, redirect: &RoomRedirect) -> Result<(), StoreError> {
        let RoomRedirect { host, name, to, reason, at_ms } = redirect;
        let sql =
            "INSERT OR REPLACE INTO room_redirects (host, name, target, reason, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.db()?.run(sql, (host, name, to.as_ref().map(Jid::as_str), reason, *at_ms as i64)).map(drop)
    }

    fn forget_redirect(&mut self, host: &str, name: Option<&str>) -> Result<(), StoreError> {
        let db = self.db()?;
        match name {
            Some(name) => db.run("DELETE FROM room_redirects WHERE host = ?1 AND name = ?2", (host, name)).map(drop),
            None => db.run("DELETE FROM room_redirects WHERE host = ?1", (host,)).map(drop),
        }
    }
}

fn create(db: &Db, slot: i64, row: &RoomRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO rooms (slot, host, name, visibility, occupants, version, created_ms, used_ms, creator, secret, config)
               SELECT slot, host, name, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8 FROM accounts WHERE slot = ?1";
    let RoomRow { config, visibility, subject, secret, creator, created_ms, used_ms, version } = row;
    let (version, created_ms, used_ms) = (*version as i64, *created_ms as i64, *used_ms as i64);
    let visibility = visibility_number(*visibility);
    db.run(sql, (slot, visibility, version, created_ms, used_ms, creator.as_str(), secret.0, config))?;
    match subject {
        Some(subject) => set_subject(db, slot, Some(subject)),
        None => Ok(()),
    }
}

fn set_subject(db: &Db, slot: i64, subject: Option<&RoomSubject>) -> Result<(), StoreError> {
    let sql = "UPDATE rooms SET subject = ?2, subject_nick = ?3, subject_ms = ?4 WHERE slot = ?1";
    let (content, nick) = (subject.map(|subject| &subject.content), subject.map(|subject| &subject.nick));
    db.run(sql, (slot, content, nick, subject.map(|subject| subject.at_ms as i64))).map(drop)
}

fn set_member(db: &Db, slot: i64, member: &RoomMember) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO room_members (slot, jid, account, affiliation, version, nick, reason, more)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let RoomMember { jid, account, affiliation, nick, reason, more, version } = member;
    let account = account.as_ref().map(AccountId::as_bytes);
    let affiliation = affiliation_number(*affiliation);
    db.run(sql, (slot, jid.as_str(), account, affiliation, *version as i64, nick, reason, more))?;
    set_version(db, slot, *version)
}

fn set_version(db: &Db, slot: i64, version: u64) -> Result<(), StoreError> {
    db.run("UPDATE rooms SET version = ?2 WHERE slot = ?1", (slot, version as i64)).map(drop)
}

fn save_occupants(db: &Db, slot: i64, occupants: &[SavedOccupant]) -> Result<(), StoreError> {
    db.run("DELETE FROM room_occupants WHERE slot = ?1", (slot,))?;
    let sql = "INSERT INTO room_occupants (slot, place, nick, jid, account, role, joined_ms, presence)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    for (place, SavedOccupant { nick, jid, account, role, since_ms, presence }) in occupants.iter().enumerate() {
        let (role, since_ms) = (role_number(*role), *since_ms as i64);
        let account = account.as_ref().map(AccountId::as_bytes);
        db.run(sql, (slot, place as i64, nick, jid.as_str(), account, role, since_ms, presence))?;
    }
    db.run("UPDATE rooms SET occupants = ?2 WHERE slot = ?1", (slot, occupants.len() as i64)).map(drop)
}

/// Removes up to so many rows of a room whose account is gone, and says how many.
pub(super) fn purge(db: &Db, slot: i64, rows_max: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM room_members WHERE slot = ?1 AND jid IN
               (SELECT jid FROM room_members WHERE slot = ?1 LIMIT ?2)";
    let mut removed = db.run(sql, (slot, bound(rows_max)))?;
    let sql = "DELETE FROM room_occupants WHERE slot = ?1 AND place IN
               (SELECT place FROM room_occupants WHERE slot = ?1 LIMIT ?2)";
    removed += db.run(sql, (slot, bound(rows_max - removed)))?;
    if removed < rows_max {
        removed += db.run("DELETE FROM rooms WHERE slot = ?1", (slot,))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_found_and_listed_without_a_scan() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        crate::backend::sqlite::schema::make(&db).unwrap();
        let all = [FIND, LIST, LIST_PUBLIC, COUNT, OCCUPIED, MEMBERS, OCCUPANTS, ROOMS_OF, REDIRECT, REDIRECTS];
        for sql in all {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let params = rusqlite::params_from_iter((1..=statement.parameter_count()).map(|n| n as i64));
            let steps = statement.query_map(params, |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{sql}: {steps:?}");
            // Those of one person are few, and are sorted by the names of the rooms.
            let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
            assert!(!sorts || sql == ROOMS_OF, "{sql}: {steps:?}");
        }
        for (sql, index) in [(LIST_PUBLIC, "rooms_listed"), (OCCUPIED, "rooms_occupied")] {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let params = rusqlite::params_from_iter((1..=statement.parameter_count()).map(|n| n as i64));
            let steps = statement.query_map(params, |row| row.get::<_, String>(3)).unwrap();
            assert!(steps.map(Result::unwrap).any(|step| step.contains(index)), "{sql}");
        }
    }
}
