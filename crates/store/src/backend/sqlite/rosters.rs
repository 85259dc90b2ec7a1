//! Rosters in SQLite: a row per contact, neighbours in one tree, and a row with the versions. The groups of a contact are one
//! text, so that a roster of a thousand contacts is one scan and not a join.

use std::sync::Arc;

use metronome_model::{AccountId, Contact, Listed, RosterSize, RosterVersion};
use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::db::Db;
use super::{SqliteBackend, SqliteStore};
use crate::rosters::{RosterWrites, Rosters, RowAbout};
use crate::{Reading, StoreError, stored};

/// Follows each group's name. XML has no way to write it, so no client can have it in a name.
const GROUP_END: char = '\u{1F}';

/// The columns that [`read_contact`] expects; written out so that each statement is one text.
macro_rules! select_contact {
    ($rest:literal) => {
        select_contact!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT c.jid, c.name, c.in_groups, c.subscription, c.listed, c.version, c.request",
            $more,
            " FROM contacts c ",
            $rest
        )
    };
}

/// One statement, and so no transaction around it: this is read at each login. Without contacts it has one row, without a contact.
const ROSTER: &str = "SELECT c.jid, c.name, c.in_groups, c.subscription, c.listed, c.version, c.request, r.current, r.removed \
     FROM accounts a LEFT JOIN rosters r ON r.slot = a.slot LEFT JOIN contacts c ON c.slot = a.slot WHERE a.id = ?1 ORDER BY c.jid";
const BY_JID: &str = select_contact!("WHERE slot = (SELECT slot FROM accounts WHERE id = ?1) AND jid = ?2");
// The cross join is in the order it is written in: from the address to its few rows, and not through all accounts.
const ABOUT: &str = select_contact!(
    ", a.id, a.host, a.name, r.current, r.removed",
    "CROSS JOIN accounts a ON a.slot = c.slot LEFT JOIN rosters r ON r.slot = c.slot WHERE c.jid = ?1 ORDER BY a.id"
);

fn groups_text(groups: &[Box<str>]) -> String {
    let mut text = String::with_capacity(groups.iter().map(|group| group.len() + 1).sum());
    for group in groups {
        text.extend(group.chars().filter(|c| *c != GROUP_END));
        text.push(GROUP_END);
    }
    text
}

fn groups_of(text: &str) -> Vec<Box<str>> {
    text.split_terminator(GROUP_END).map(Box::from).collect()
}

/// `None`, with a line in the log, for a row that is damaged: it must not keep its owner from the others.
fn read_contact(owner: AccountId, row: &Row<'_>) -> rusqlite::Result<Option<Contact>> {
    let Ok(jid) = Jid::parse(row.get_ref(0)?.as_str()?) else {
        tracing::error!(%owner, "the address of a stored contact cannot be read and is passed over");
        return Ok(None);
    };
    let request = row.get_ref(6)?.as_blob_or_null()?.and_then(|xml| {
        let stanza = stored::read(xml);
        if stanza.is_none() {
            tracing::error!(%owner, contact = jid.as_str(), "a stored request for a subscription cannot be read");
        }
        stanza.map(Arc::new)
    });
    Ok(Some(Contact {
        jid,
        name: row.get(1)?,
        groups: groups_of(row.get_ref(2)?.as_str()?),
        subscription: Subscription::from_bits(row.get::<_, i64>(3)? as u8),
        listed: if row.get::<_, i64>(4)? == 1 { Listed::Yes } else { Listed::No },
        request,
        version: row.get::<_, i64>(5)? as u64,
    }))
}

/// The account's slot and the versions of its roster; `None` if it does not exist.
fn read_version(db: &Db, owner: AccountId) -> Result<Option<(i64, RosterVersion)>, StoreError> {
    let sql =
        "SELECT a.slot, r.current, r.removed FROM accounts a LEFT JOIN rosters r ON r.slot = a.slot WHERE a.id = ?1";
    db.first(sql, (owner.as_bytes(),), |row| Ok((row.get(0)?, version_at(row, 1)?)))
}

/// The versions in this column and the next, zero where the roster has none yet.
fn version_at(row: &Row<'_>, at: usize) -> rusqlite::Result<RosterVersion> {
    let number = |at| row.get::<_, Option<i64>>(at).map(|number| number.unwrap_or(0) as u64);
    Ok(RosterVersion { current: number(at)?, removed: number(at + 1)? })
}

fn read_about(row: &Row<'_>) -> rusqlite::Result<Option<RowAbout>> {
    let owner = AccountId::from_bytes(row.get(7)?);
    let Some(contact) = read_contact(owner, row)? else { return Ok(None) };
    Ok(Some(RowAbout { owner, host: row.get(8)?, name: row.get(9)?, version: version_at(row, 10)?, contact }))
}

impl Rosters for SqliteStore {
    fn roster(&self, owner: AccountId) -> Reading<(RosterVersion, Vec<Contact>)> {
        self.read(move |db| {
            let mut version = None;
            let contacts = db.all(ROSTER, (owner.as_bytes(),), |row| {
                if version.is_none() {
                    version = Some(version_at(row, 7)?);
                }
                if row.get_ref(0)? == ValueRef::Null { Ok(None) } else { read_contact(owner, row) }
            })?;
            Ok((version.unwrap_or_default(), contacts.into_iter().flatten().collect()))
        })
    }

    fn roster_version(&self, owner: AccountId) -> Reading<RosterVersion> {
        self.read(move |db| Ok(read_version(db, owner)?.map(|(_, version)| version).unwrap_or_default()))
    }

    fn roster_size(&self, owner: AccountId) -> Reading<RosterSize> {
        self.read(move |db| {
            let sql = "SELECT count(*), count(*) FILTER (WHERE listed = 1) FROM contacts
                       WHERE slot = (SELECT slot FROM accounts WHERE id = ?1)";
            let size = db.first(sql, (owner.as_bytes(),), |row| {
                let (all, listed) = (row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64);
                Ok(RosterSize { listed, waiting: all - listed })
            })?;
            Ok(size.unwrap_or_default())
        })
    }

    fn rows_about(&self, jid: &str) -> Reading<Vec<RowAbout>> {
        let jid = jid.to_owned();
        self.read(move |db| Ok(db.all(ABOUT, (jid,), read_about)?.into_iter().flatten().collect()))
    }

    fn contact(&self, owner: AccountId, jid: &str) -> Reading<Option<Contact>> {
        let jid = jid.to_owned();
        self.read(move |db| Ok(db.first(BY_JID, (owner.as_bytes(), jid), |row| read_contact(owner, row))?.flatten()))
    }
}

impl RosterWrites for SqliteBackend {
    fn set_contact(&mut self, owner: AccountId, contact: &Contact) -> Result<(), StoreError> {
        let slot = self.known_slot(owner)?;
        let db = self.db()?;
        let version = contact.version as i64;
        let sql = "SELECT listed FROM contacts WHERE slot = ?1 AND jid = ?2";
        let was_listed = db.first(sql, (slot, contact.jid.as_str()), |row| row.get::<_, i64>(0))? == Some(1);
        if contact.is_nothing() {
            db.run("DELETE FROM contacts WHERE slot = ?1 AND jid = ?2", (slot, contact.jid.as_str()))?;
        } else {
            write_contact(db, slot, contact)?;
        }
        let sql = match was_listed && contact.listed == Listed::No {
            true => "INSERT INTO rosters VALUES (?1, ?2, ?2) ON CONFLICT DO UPDATE SET current = ?2, removed = ?2",
            false => "INSERT INTO rosters VALUES (?1, ?2, 0) ON CONFLICT DO UPDATE SET current = ?2",
        };
        db.run(sql, (slot, version)).map(drop)
    }
}

fn write_contact(db: &Db, slot: i64, contact: &Contact) -> Result<(), StoreError> {
    let sql = "INSERT INTO contacts (slot, jid, name, in_groups, subscription, listed, version, request)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE
               SET name = excluded.name, in_groups = excluded.in_groups, subscription = excluded.subscription,
               listed = excluded.listed, version = excluded.version, request = excluded.request";
    let Contact { jid, name, groups, subscription, listed, request, version } = contact;
    let (groups, listed) = (groups_text(groups), i64::from(*listed == Listed::Yes));
    let request = request.as_ref().map(|stanza| stanza.to_vec());
    let params = (slot, jid.as_str(), name, groups, subscription.to_bits(), listed, *version as i64, request);
    db.run(sql, params).map(drop)
}

/// Removes up to `rows_max` contacts of an account that is gone, the versions with the last of them, and says how many contacts.
pub(super) fn purge(db: &Db, slot: i64, rows_max: usize) -> Result<usize, StoreError> {
    let sql = "DELETE FROM contacts WHERE slot = ?1 AND jid IN (SELECT jid FROM contacts WHERE slot = ?1 LIMIT ?2)";
    let removed = db.run(sql, (slot, rows_max as i64))?;
    if removed < rows_max {
        db.run("DELETE FROM rosters WHERE slot = ?1", (slot,))?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_about_an_address_are_found_without_a_scan() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("schema/001.sql")).unwrap();
        db.execute_batch(include_str!("schema/002.sql")).unwrap();
        let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {ABOUT}")).unwrap();
        let steps = statement.query_map(["a@example.com"], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert!(steps[0].starts_with("SEARCH c USING INDEX contacts_by_jid"), "{steps:?}");
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{steps:?}");
    }

    #[test]
    fn groups_come_back_as_they_were() {
        for groups in [&[][..], &[""], &["a"], &["Friends", "Work & more", "ÄÖ\n"], &["", "", "x"]] {
            let groups: Vec<Box<str>> = groups.iter().copied().map(Box::from).collect();
            assert_eq!(groups_of(&groups_text(&groups)), groups);
        }
        assert_eq!(groups_of(&groups_text(&["a\u{1F}b".into()])), ["ab".into()], "what no XML can say splits nothing");
    }
}
