//! A store with its writer, driven from a test: records go in, outcomes come out, reads block.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use metronome_model::{
    Account, AccountId, AccountState, ArchivedRow, Contact, Direction, Document, Drawer, Item as PublishedItem, Keep,
    KeyHash, LastSeen, Listed, NodeChange, NodeKind, Op, Outcome, Record, Role, RosterVersion, StoredKeys,
};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::{Received, Stanza};
use metronome_proto::xml::{Item, Limits, Scanner};
use metronome_store::backend::faults::Faults;
use metronome_store::backend::{memory, split, sqlite};
use metronome_store::{Opened, Permit, Reading, Store, StoreError, Writer, WriterLimits};

pub(crate) const HOST: &str = "example.org";

/// Small enough for a test to reach it.
pub(crate) const UNSEEN_MAX: u64 = 20;

/// How many rows a test's removal of an account may take at most, in commits.
const PURGE_COMMITS_MAX: usize = 10_000;

/// What the removal of accounts and nodes has left to do.
const LEFT_TO_REMOVE: &str = "SELECT (SELECT count(*) FROM tombstones) + (SELECT count(*) FROM node_remains)
    + (SELECT count(*) FROM node_trims)";

thread_local! {
    /// Whether [`id`] makes ids of guests; each test has a thread of its own.
    static GUESTS: Cell<bool> = const { Cell::new(false) };
}

/// Where a world keeps its data.
#[derive(Clone, Copy)]
enum Kind {
    Memory,
    Sqlite(sqlite::Options),
    /// SQLite, and memory for guests.
    Split,
}

impl Kind {
    fn open(self, folder: Option<&Path>) -> Opened {
        let file = |options| sqlite::open(&folder.unwrap().join("store.sqlite"), options).unwrap();
        match self {
            Kind::Memory => memory::open(),
            Kind::Sqlite(options) => file(options),
            Kind::Split => split::open(file(sqlite::Options::default())),
        }
    }
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) faults: Faults,
    pub(crate) writer: Option<Writer<usize>>,
    decided: mpsc::Receiver<(usize, Outcome, Permit)>,
    next: usize,
    folder: Option<tempfile::TempDir>,
    kind: Kind,
}

impl World {
    pub(crate) fn memory() -> World {
        World::start(memory::open(), None, Kind::Memory)
    }

    pub(crate) fn sqlite() -> World {
        World::sqlite_with(sqlite::Options::default())
    }

    pub(crate) fn sqlite_with(options: sqlite::Options) -> World {
        World::open(Kind::Sqlite(options), tempfile::tempdir().unwrap())
    }

    /// SQLite with memory for guests.
    pub(crate) fn split() -> World {
        World::open(Kind::Split, tempfile::tempdir().unwrap())
    }

    /// A store in which all accounts that the test makes are guests.
    pub(crate) fn guests() -> World {
        GUESTS.set(true);
        World::over(split::open(memory::open()))
    }

    /// A store that cannot be opened again.
    pub(crate) fn over(opened: Opened) -> World {
        World::start(opened, None, Kind::Memory)
    }

    /// Opens a copy of a store's files, as they would be found after a crash.
    pub(crate) fn sqlite_in(folder: tempfile::TempDir) -> World {
        World::open(Kind::Sqlite(sqlite::Options::default()), folder)
    }

    fn open(kind: Kind, folder: tempfile::TempDir) -> World {
        World::start(kind.open(Some(folder.path())), Some(folder), kind)
    }

    fn start(opened: Opened, folder: Option<tempfile::TempDir>, kind: Kind) -> World {
        let (Opened { store, backend }, faults) = Faults::wrap(opened);
        let (tell, decided) = mpsc::channel();
        let limits = WriterLimits { unseen_max: UNSEEN_MAX, heads_bytes_max: 1024, ..WriterLimits::default() };
        let writer = Writer::start(backend, limits, move |batch| {
            for committed in batch {
                // A test that is over listens no more.
                let _ = tell.send((committed.load, committed.outcome, committed.permit));
            }
        });
        World { store, faults, writer: Some(writer.unwrap()), decided, next: 0, folder, kind }
    }

    pub(crate) fn file(&self) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.path().join("store.sqlite"))
    }

    /// Stops and opens the store again; one in memory just goes on.
    pub(crate) fn reopen(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        self.writer = None;
        self.store = memory::open().store;
        *self = World::open(self.kind, folder);
    }

    /// Copies the files as a crash would leave them.
    pub(crate) fn files_as_after_a_crash(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(self.folder.as_ref().unwrap().path(), copy.path());
        copy
    }

    pub(crate) fn submit(&mut self, record: Record) -> usize {
        let writer = self.writer.as_ref().unwrap();
        writer.submit(writer.try_permit(100).unwrap(), record, self.next);
        self.next += 1;
        self.next - 1
    }

    /// The next outcome, with the number `submit` gave.
    pub(crate) fn decided(&self) -> (usize, Outcome) {
        let (load, outcome, _) = self.decided.recv().unwrap();
        (load, outcome)
    }

    pub(crate) fn commit(&mut self, record: Record) -> Outcome {
        let number = self.submit(record);
        let (decided, outcome) = self.decided();
        assert_eq!(decided, number);
        outcome
    }

    pub(crate) fn one(&mut self, op: Op) -> Outcome {
        self.commit(Record::of(op))
    }

    /// Commits all of them in one batch.
    pub(crate) fn batch(&mut self, records: Vec<Record>) -> Vec<Outcome> {
        self.faults.stall();
        self.submit(Record::of(Op::SetMeta { key: "batch", value: Box::default() }));
        self.faults.wait_until_stalled();
        let count = records.len();
        records.into_iter().for_each(|record| {
            self.submit(record);
        });
        self.faults.release();
        self.decided();
        (0..count).map(|_| self.decided().1).collect()
    }

    pub(crate) fn add(&mut self, name: &str, n: u32) -> AccountId {
        assert_eq!(self.one(add(name, n)), done(&[]));
        id(n)
    }

    pub(crate) fn forget(&mut self, id: AccountId) {
        assert_eq!(self.one(Op::ForgetAccount { id }), done(&[]));
    }

    /// Lets the writer go on until all rows of forgotten accounts are removed.
    pub(crate) fn finish_purge(&mut self) {
        for n in 0..PURGE_COMMITS_MAX {
            self.one(Op::SetMeta { key: "purge", value: Box::default() });
            let Some(file) = self.file() else {
                // Nobody can look into memory; a commit removes at least 64 rows.
                if n < 100 { continue } else { return }
            };
            let raw = rusqlite::Connection::open(&file).unwrap();
            let left: i64 = raw.query_row(LEFT_TO_REMOVE, [], |row| row.get(0)).unwrap();
            if left == 0 {
                return;
            }
        }
        panic!("the purge does not end");
    }

    pub(crate) fn account(&self, name: &str) -> Option<Account> {
        read(self.store.account(HOST, name))
    }

    /// Everything an archive holds, as text.
    pub(crate) fn archive(&self, owner: AccountId) -> Vec<String> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page = read(self.store.rows(owner, vec![(after + 1, u64::MAX)], 7));
            let Some(last) = page.last() else { return all };
            after = last.id;
            all.extend(page.iter().map(show));
        }
    }

    /// A roster's versions and its contacts' addresses.
    pub(crate) fn roster(&self, owner: AccountId) -> (RosterVersion, Vec<String>) {
        let (version, contacts) = read(self.store.roster(owner));
        (version, contacts.iter().map(|contact| contact.jid.to_string()).collect())
    }

    /// A document as text.
    pub(crate) fn document(&self, owner: AccountId, drawer: Drawer, ns: &str, name: &str) -> Option<String> {
        let xml = read(self.store.document(owner, drawer, ns, name))?;
        Some(String::from_utf8(xml.into_vec()).unwrap())
    }

    pub(crate) fn unseen(&self, owner: AccountId) -> Vec<u64> {
        ids(&read(self.store.unseen(owner, 0, 1000)))
    }
}

pub(crate) fn copy_files(from: &Path, to: &Path) {
    for name in ["store.sqlite", "store.sqlite-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

pub(crate) fn try_read<T>(reading: Reading<T>) -> Result<T, StoreError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(reading)
}

pub(crate) fn read<T>(reading: Reading<T>) -> T {
    try_read(reading).unwrap()
}

pub(crate) fn id(n: u32) -> AccountId {
    let bytes = u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes();
    if GUESTS.get() { AccountId::guest(bytes) } else { AccountId::ordinary(bytes) }
}

pub(crate) fn done(ids: &[u64]) -> Outcome {
    Outcome::Done { ids: ids.into() }
}

pub(crate) fn account(name: &str, n: u32) -> Account {
    Account {
        id: id(n),
        host: HOST.into(),
        name: name.into(),
        role: Role::User,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: 1_700_000_000_000 + u64::from(n),
    }
}

pub(crate) fn keys(hash: KeyHash, n: u8) -> StoredKeys {
    let key = vec![n; hash.key_bytes()];
    StoredKeys { hash, salt: [n; 16].into(), iterations: 4096, stored_key: key.clone().into(), server_key: key.into() }
}

pub(crate) fn add(name: &str, n: u32) -> Op {
    Op::AddAccount { account: Box::new(account(name, n)), keys: vec![keys(KeyHash::Sha256, n as u8)] }
}

pub(crate) fn message(text: &str) -> Arc<Stanza> {
    let xml = format!("<message from='alice@example.org/a' to='bob@example.org' id='m'><body>{text}</body></message>");
    Arc::new(stanza(&xml))
}

pub(crate) fn stanza(xml: &str) -> Stanza {
    let limits = Limits { stanza_bytes: xml.len(), ..Limits::CLIENT };
    let mut input = xml.as_bytes();
    let Ok(Some(Item::Element(element))) = Scanner::elements(limits).next(&mut input) else { panic!("{xml}") };
    let received = Received::read(element, "jabber:client").unwrap();
    let from = received.from.clone().unwrap();
    received.stamp(from)
}

/// A row the owner received and has not seen.
pub(crate) fn received(owner: AccountId, text: &str) -> Op {
    let (direction, keep) = (Direction::Received, Keep::Archive);
    Op::Append { owner, at_ms: 1_700_000_000_000, direction, keep, unseen: true, stanza: message(text) }
}

/// The same for an owner whose archive is switched off.
pub(crate) fn kept_until_seen(owner: AccountId, text: &str) -> Op {
    let (direction, keep) = (Direction::Received, Keep::UntilSeen);
    Op::Append { owner, at_ms: 1_700_000_000_000, direction, keep, unseen: true, stanza: message(text) }
}

/// One message: both sides share the stanza.
pub(crate) fn sent(from: AccountId, to: AccountId, text: &str) -> Record {
    let (stanza, at_ms, keep) = (message(text), 1_700_000_000_000, Keep::Archive);
    let mut record = Record::default();
    let copy = Arc::clone(&stanza);
    record.push(Op::Append { owner: from, at_ms, direction: Direction::Sent, keep, unseen: false, stanza: copy });
    record.push(Op::Append { owner: to, at_ms, direction: Direction::Received, keep, unseen: true, stanza });
    record
}

/// The same record with rows that count for nobody's quota.
pub(crate) fn without_unseen(mut record: Record) -> Record {
    for op in &mut record.ops {
        if let Op::Append { unseen, .. } = op {
            *unseen = false;
        }
    }
    record
}

pub(crate) fn seen(owner: AccountId, ids: &[(u64, u64)]) -> Op {
    Op::Seen { owner, ids: ids.to_vec() }
}

/// A listed contact without anything else.
pub(crate) fn contact(jid: &str, version: u64) -> Contact {
    Contact { listed: Listed::Yes, version, ..Contact::unknown(Jid::parse(jid).unwrap()) }
}

/// A contact whose row is to go.
pub(crate) fn no_contact(jid: &str, version: u64) -> Contact {
    Contact { version, ..Contact::unknown(Jid::parse(jid).unwrap()) }
}

pub(crate) fn set_contact(owner: AccountId, contact: Contact) -> Op {
    Op::SetContact { owner, contact: Box::new(contact) }
}

pub(crate) fn set_document(owner: AccountId, document: Document) -> Op {
    Op::SetDocument { owner, document: Box::new(document) }
}

pub(crate) fn document(drawer: Drawer, ns: &str, name: &str, xml: &str) -> Document {
    Document { drawer, ns: ns.into(), name: name.into(), xml: xml.as_bytes().into() }
}

pub(crate) fn card(xml: &str) -> Document {
    document(Drawer::Card, "vcard-temp", "vCard", xml)
}

pub(crate) fn last_seen(owner: AccountId, at_ms: u64, status: &str) -> Op {
    Op::SetLastSeen { owner, last: Box::new(LastSeen { at_ms, status: status.into() }) }
}

pub(crate) fn node_op(owner: AccountId, name: &str, change: NodeChange) -> Op {
    Op::Node { owner, name: name.into(), change: Box::new(change) }
}

pub(crate) fn create_node(owner: AccountId, name: &str) -> Op {
    let (kind, config, collections) = (NodeKind::Leaf, Box::default(), Vec::new());
    let creator = Jid::parse("alice@example.org").unwrap();
    node_op(owner, name, NodeChange::Create { kind, config, collections, creator, at_ms: 5 })
}

/// An item that all of whose texts are short.
pub(crate) fn item(id: &str, payload: &str) -> PublishedItem {
    let publisher = Jid::parse("alice@example.org/a").unwrap();
    PublishedItem { id: id.into(), publisher, created_ms: 0, updated_ms: 0, payload: payload.as_bytes().into() }
}

pub(crate) fn publish(owner: AccountId, name: &str, item: PublishedItem) -> Op {
    node_op(owner, name, NodeChange::Publish { item, keep: u64::MAX })
}

pub(crate) fn ids(rows: &[ArchivedRow]) -> Vec<u64> {
    rows.iter().map(|row| row.id).collect()
}

pub(crate) fn xml(row: &ArchivedRow) -> String {
    let mut xml = Vec::new();
    row.stanza.write(&mut xml);
    String::from_utf8(xml).unwrap()
}

pub(crate) fn body(row: &ArchivedRow) -> String {
    let xml = xml(row);
    let (_, rest) = xml.split_once("<body>").unwrap();
    rest.split_once("</body>").unwrap().0.to_owned()
}

pub(crate) fn show(row: &ArchivedRow) -> String {
    let ArchivedRow { id, at_ms, direction, unseen, keep, .. } = row;
    format!("{id} {at_ms} {direction:?} unseen={unseen} {keep:?} {}", xml(row))
}

/// Every value of every table of a database file that is this blob, as `table.column`.
pub(crate) fn places_of(file: &Path, blob: &[u8]) -> Vec<String> {
    let raw = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'";
    let mut statement = raw.prepare(sql).unwrap();
    let columns = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut found = Vec::new();
    for (table, column) in columns.map(Result::unwrap) {
        let sql = format!("SELECT count(*) FROM {table} WHERE instr(CAST({column} AS BLOB), ?1) > 0");
        if raw.query_row(&sql, [blob], |row| row.get::<_, i64>(0)).unwrap() > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// How many rows each table of a database file has.
pub(crate) fn table_sizes(file: &Path) -> HashMap<String, i64> {
    let raw = rusqlite::Connection::open(file).unwrap();
    let mut statement = raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count = |name: &String| raw.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
    names.iter().map(|name| (name.clone(), count(name))).collect()
}
