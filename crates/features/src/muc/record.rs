//! What a room decides, as a record of the store: a room is an account of its service, with the archive of an account.

use std::collections::HashMap;

use metronome_model::{
    Account, AccountId, Op, Record, RoomAffiliation, RoomChange, RoomMember, RoomRedirect, RoomRow,
    RoomSecret, RoomSubject, Visibility,
};
use metronome_muc::config::{Config, PUBLIC};
use metronome_muc::{Affiliated, ArchiveOp, Card, RoomOp, Rows, Subject};
use metronome_proto::jid::Jid;
use metronome_proto::xml::Content;
use metronome_store::rooms::StoredRoom;

use super::{archive, avatar};

/// What the store has of a room.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its account.
    pub id: AccountId,
    /// The accounts of those of its people who had one here when something was said of them.
    pub accounts: HashMap<Jid, AccountId>,
}

impl Stored {
    /// The same for who writes to the archive alone.
    pub fn named(&self) -> Stored {
        Stored { id: self.id, accounts: HashMap::new() }
    }
}

/// A stored room as the machine has it, and what is remembered beside it.
pub fn read(stored: StoredRoom) -> (Rows, Stored) {
    let StoredRoom { id, row, members, .. } = stored;
    let subject = row.subject.map(|subject| Subject {
        content: Content::parse(&subject.content).unwrap_or_default(),
        nick: subject.nick,
        at_ms: subject.at_ms,
    });
    let accounts = members.iter().filter_map(|member| Some((member.jid.clone(), member.account?))).collect();
    let affiliations = members.into_iter().map(|member| {
        let RoomMember { jid, affiliation, nick, reason, more, version, .. } = member;
        (jid, Affiliated::stored(affiliation, nick, reason, &more, version))
    });
    let rows = Rows {
        config: row.config,
        creator: row.creator,
        secret: row.secret.0,
        subject,
        version: row.version,
        affiliations: affiliations.collect(),
    };
    (rows, Stored { id, accounts })
}

/// The record of a decision about the room at an address.
#[derive(Debug)]
pub struct Writing<'a> {
    /// The room.
    pub address: &'a Jid,
    /// What the store has of it; none while nothing is stored.
    pub stored: Option<Stored>,
    /// For a room that is stored from now on.
    pub new_id: AccountId,
    /// Unix time in milliseconds.
    pub at_ms: u64,
    /// The accounts of people of ours who are something to the room from now on.
    pub accounts: HashMap<Jid, AccountId>,
    /// What is written.
    pub record: Record,
}

impl Writing<'_> {
    /// Adds changes of the room's rows.
    pub fn change(&mut self, ops: Vec<RoomOp>) {
        ops.into_iter().for_each(|op| self.add(op));
    }

    /// Adds changes of its archive; a room of which nothing is stored has none.
    pub fn archive(&mut self, ops: Vec<ArchiveOp>) {
        let Some(owner) = self.stored.as_ref().map(|stored| stored.id) else { return };
        archive::ops(owner, ops, self.at_ms).for_each(|op| self.record.push(op));
    }

    fn add(&mut self, op: RoomOp) {
        match op {
            RoomOp::Create { config, creator, secret, at_ms } => self.create(config, creator, secret, at_ms),
            RoomOp::Configure(config) => {
                let visibility = visibility(&config);
                self.room(RoomChange::Configure { config, visibility });
            }
            RoomOp::Subject { content, nick, at_ms } => {
                self.room(RoomChange::SetSubject(Some(RoomSubject { content, nick, at_ms })));
            }
            RoomOp::Affiliate { jid, affiliation, nick, reason, more, version } => {
                let account = None;
                self.affiliate(RoomMember { jid, account, affiliation, nick, reason, more, version });
            }
            RoomOp::Forget { jid, version } => {
                if let Some(stored) = &mut self.stored {
                    stored.accounts.remove(&jid);
                }
                self.room(RoomChange::RemoveMember { jid, version });
            }
            RoomOp::Destroy { alternate, reason } => self.destroy(alternate, reason),
            RoomOp::SetCard(card) => self.set_card(card),
        }
    }

    fn set_card(&mut self, card: Card) {
        if let Some(stored) = &self.stored {
            avatar::ops(stored.id, card).into_iter().for_each(|op| self.record.push(op));
        }
    }

    fn room(&mut self, change: RoomChange) {
        if let Some(stored) = &self.stored {
            self.record.push(Op::Room { owner: stored.id, change: Box::new(change) });
        }
    }

    fn create(&mut self, config: Box<[u8]>, creator: Jid, secret: [u8; 32], at_ms: u64) {
        let (host, name) = (self.address.domain(), self.address.local().unwrap_or_default());
        let account = Account::of_room(self.new_id, host, name, at_ms);
        self.record.push(Op::AddAccount { account: Box::new(account), keys: Vec::new() });
        // Who goes to where the room was that had this name before is to find this one.
        self.record.push(Op::ForgetRedirect { host: host.into(), name: Some(name.into()) });
        self.stored = Some(Stored { id: self.new_id, accounts: HashMap::new() });
        let visibility = visibility(&config);
        let secret = RoomSecret(secret);
        let row = RoomRow {
            config,
            visibility,
            subject: None,
            secret,
            creator,
            created_ms: at_ms,
            used_ms: at_ms,
            version: 0,
        };
        self.room(RoomChange::Create(row));
    }

    /// Of somebody of whom nothing is said the account is forgotten, so that it is not taken for that of whoever has the address later.
    fn affiliate(&mut self, member: RoomMember) {
        let Some(stored) = &mut self.stored else { return };
        let is_nothing = member.affiliation == RoomAffiliation::None && member.nick.is_none() && member.more.is_empty();
        let account = self.accounts.get(&member.jid).copied().filter(|_| !is_nothing);
        match account {
            Some(account) => stored.accounts.insert(member.jid.clone(), account),
            None => stored.accounts.remove(&member.jid),
        };
        self.room(RoomChange::SetMember(RoomMember { account, ..member }));
    }

    fn destroy(&mut self, to: Option<Jid>, reason: Option<Box<str>>) {
        let Some(stored) = self.stored.take() else { return };
        self.record.push(Op::ForgetAccount { id: stored.id });
        if to.is_some() {
            let (host, name) = (self.address.domain().into(), self.address.local().unwrap_or_default().into());
            let redirect = Box::new(RoomRedirect { host, name, to, reason, at_ms: self.at_ms });
            self.record.push(Op::SetRedirect { redirect });
        }
    }
}

fn visibility(config: &[u8]) -> Visibility {
    if Config::decode(config).is_on(&PUBLIC) { Visibility::Listed } else { Visibility::Hidden }
}
