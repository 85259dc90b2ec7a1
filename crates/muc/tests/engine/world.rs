//! A room, its archive and its rows as a caller has them, and the inboxes of those who are in it: every input is decided, committed,
//! applied and sent, in this order.

use std::collections::BTreeMap;

use metronome_muc::archive::{self, View};
use metronome_muc::config::{Config, Table};
use metronome_muc::history::Past;
use metronome_muc::{
    Affiliated, ArchiveOp, Card, Creation, Decision, Effect, Entry, Facts, Input, Limits, Outgoing, Room, RoomOp,
    Stamp, Standing, To, create, decide,
};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::muc::{
    AdminRequest, Join, Moderate, OwnerRequest, RegistrationRequest, UserX, VoiceForm,
};
use metronome_proto::payload::{retract, stanza_id};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{IqType, Kind, MessageType, PresenceType, Stanza};
use metronome_proto::xml::Content;

pub(crate) const ROOM: &str = "coven@chat.shakespeare.lit";

/// What is stored of the room.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stored {
    pub(crate) config: Box<[u8]>,
    pub(crate) version: u64,
    pub(crate) affiliations: BTreeMap<Jid, Affiliated>,
    pub(crate) subject: Option<Box<[u8]>>,
    pub(crate) card: Box<[u8]>,
}

pub(crate) struct World {
    pub(crate) room: Option<Room>,
    pub(crate) stored: Option<Stored>,
    pub(crate) archive: Vec<Past>,
    pub(crate) defaults: Config,
    pub(crate) creation: Creation,
    pub(crate) table: Table,
    pub(crate) limits: Limits,
    pub(crate) standing: Standing,
    pub(crate) now_ms: u64,
    /// What everybody got, as it stands in a stream, oldest first.
    pub(crate) inboxes: BTreeMap<String, Vec<String>>,
}

pub(crate) fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

pub(crate) fn content(xml: &str) -> Content {
    Content::parse(xml.as_bytes()).unwrap()
}

impl World {
    pub(crate) fn new() -> World {
        World {
            room: None,
            stored: None,
            archive: Vec::new(),
            defaults: Config::default(),
            creation: Creation::Instant,
            table: Table::default(),
            limits: Limits::default(),
            standing: Standing::Ordinary,
            now_ms: 1_700_000_000_000,
            inboxes: BTreeMap::new(),
        }
    }

    pub(crate) fn room(&self) -> &Room {
        self.room.as_ref().expect("there is a room")
    }

    /// Everything that somebody got since the last time.
    pub(crate) fn take(&mut self, who: &str) -> Vec<String> {
        self.inboxes.remove(who).unwrap_or_default()
    }

    pub(crate) fn forget(&mut self) {
        self.inboxes.clear();
    }

    fn with<T>(&self, from: &str, act: impl FnOnce(&World, &Facts<'_>) -> T) -> T {
        let from = jid(from);
        let mut random = [0; 16];
        random[..8].copy_from_slice(&self.now_ms.to_be_bytes());
        let facts = Facts {
            from: &from,
            standing: self.standing,
            account: None,
            now_ms: self.now_ms,
            random,
            limits: &self.limits,
            table: &self.table,
        };
        act(self, &facts)
    }

    /// Decides, commits, applies and sends; gives the content of the answer.
    pub(crate) fn input(&mut self, from: &str, input: Input<'_>) -> Result<String, Condition> {
        self.now_ms += 1;
        let decision = self.with(from, |world, facts| decide(world.room(), facts, &input));
        let decision = decision.map_err(|error| error.condition)?;
        Ok(self.carry_out(decision))
    }

    fn carry_out(&mut self, decision: Decision) -> String {
        for op in decision.ops {
            self.commit(op);
        }
        let mut appended = None;
        for op in decision.archive {
            match op {
                ArchiveOp::Append(stanza) => {
                    let id = self.archive.len() as u64 + 1;
                    let stanza_id = format!("id{id}").into_boxed_str();
                    appended.get_or_insert_with(|| stanza_id.clone());
                    self.archive.push(Past { id, stanza_id, at_ms: self.now_ms, stanza });
                }
                ArchiveOp::Replace { id, stanza } => self.archive[id as usize - 1].stanza = stanza,
            }
        }
        if let Some(room) = &mut self.room {
            room.apply(decision.change);
        }
        let mut reply = String::new();
        for effect in decision.effects {
            match effect {
                Effect::Send(outgoing) => self.send(&outgoing, appended.as_deref()),
                Effect::Reply(content) => reply = String::from_utf8(content.bytes().to_vec()).unwrap(),
                Effect::End => {
                    assert!(self.stored.is_none(), "the rows are gone with the room");
                    self.room = None;
                }
            }
        }
        reply
    }

    fn commit(&mut self, op: RoomOp) {
        if let RoomOp::Create { config, .. } = op {
            assert!(self.stored.is_none(), "made once");
            self.stored = Some(Stored { config, ..Stored::default() });
            return;
        }
        let stored = self.stored.as_mut().expect("the room is stored");
        match op {
            RoomOp::Configure(config) => stored.config = config,
            RoomOp::Subject { content, .. } => stored.subject = Some(content),
            RoomOp::Affiliate { jid, affiliation, nick, reason, more, version } => {
                let row = Affiliated::stored(affiliation, nick, reason, &more, version);
                stored.affiliations.insert(jid, row);
                stored.version = stored.version.max(version);
            }
            RoomOp::Forget { jid, version } => {
                stored.affiliations.remove(&jid);
                assert_eq!(stored.version, version, "it is told only which one is the last");
            }
            RoomOp::SetCard(card) => stored.card = card.xml,
            RoomOp::Create { .. } | RoomOp::Destroy { .. } => self.stored = None,
        }
    }

    fn send(&mut self, outgoing: &Outgoing, appended: Option<&str>) {
        let to: Vec<Jid> = match &outgoing.to {
            To::Everyone => self.room().sessions().cloned().collect(),
            To::These(to) => to.clone(),
            To::One(to) => vec![to.clone()],
        };
        let content = match outgoing.stamp {
            Stamp::Archived => outgoing.content.with(&stanza_id::tree(&jid(ROOM), appended.unwrap())),
            Stamp::None => outgoing.content.clone(),
        };
        for to in to {
            let stanza = Stanza {
                id: outgoing.id.clone(),
                lang: outgoing.lang.clone(),
                ..Stanza::new(outgoing.kind, outgoing.from.clone()).with_to(to.clone()).with_content(content.clone())
            };
            let text = String::from_utf8(stanza.to_vec()).unwrap();
            self.inboxes.entry(to.as_str().to_owned()).or_default().push(text);
        }
    }

    /// Enters with this in the `<x/>`, and this beside it; makes the room if there is none.
    pub(crate) fn enter_with(&mut self, from: &str, nick: &str, x: &str, more: &str) -> Result<(), Condition> {
        let x = content(&format!("<x xmlns='http://jabber.org/protocol/muc'>{x}</x>"));
        let join = Join::read(&x.child(ns::MUC, "x").unwrap()).unwrap();
        let presence = content(&format!("{more}<x xmlns='http://jabber.org/protocol/muc'/>"));
        let past = self.archive.clone();
        let entry = Entry { nick, presence: &presence, id: Some("enter"), join: &join, past: &past };
        if self.room.is_some() {
            return self.input(from, Input::Enter(entry)).map(drop);
        }
        self.now_ms += 1;
        let made = self
            .with(from, |world, facts| create(jid(ROOM), facts, (world.creation, &world.defaults), [7; 32], &entry));
        let (room, decision) = made.map_err(|error| error.condition)?;
        self.room = Some(room);
        self.carry_out(decision);
        Ok(())
    }

    pub(crate) fn enter(&mut self, from: &str, nick: &str) -> Result<(), Condition> {
        self.enter_with(from, nick, "", "")
    }

    /// Presence without `<x/>`.
    pub(crate) fn update(&mut self, from: &str, nick: &str, xml: &str) -> Result<(), Condition> {
        let (presence, join) = (content(xml), Join::default());
        let entry = Entry { nick, presence: &presence, id: Some("update"), join: &join, past: &[] };
        self.input(from, Input::Update(entry)).map(drop)
    }

    pub(crate) fn leave(&mut self, from: &str) -> Result<(), Condition> {
        self.input(from, Input::Leave { presence: &content("<status>bye</status>"), id: None }).map(drop)
    }

    pub(crate) fn say(&mut self, from: &str, xml: &str) -> Result<(), Condition> {
        let stanza =
            Stanza::new(Kind::Message(MessageType::Groupchat), jid(from)).with_id("m1").with_content(content(xml));
        let target = retract::target(&stanza.content);
        let target = target.and_then(|id| self.archive.iter().find(|past| *past.stanza_id == *id).cloned());
        self.input(from, Input::Say(&stanza, target.as_ref())).map(drop)
    }

    pub(crate) fn tell(&mut self, from: &str, nick: &str, xml: &str) -> Result<(), Condition> {
        let stanza = Stanza::new(Kind::Message(MessageType::Chat), jid(from)).with_id("p1").with_content(content(xml));
        self.input(from, Input::Tell(nick, &stanza)).map(drop)
    }

    fn admin_request(&mut self, from: &str, kind: IqType, items: &str) -> Result<String, Condition> {
        let query = content(&format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>"));
        let query = query.child(ns::MUC_ADMIN, "query").unwrap();
        let request = AdminRequest::read(kind, &query).map_err(|_| Condition::BadRequest)?;
        self.input(from, Input::Admin(&request))
    }

    pub(crate) fn admin(&mut self, from: &str, items: &str) -> Result<String, Condition> {
        self.admin_request(from, IqType::Set, items)
    }

    pub(crate) fn list(&mut self, from: &str, items: &str) -> Result<String, Condition> {
        self.admin_request(from, IqType::Get, items)
    }

    pub(crate) fn owner(&mut self, from: &str, kind: IqType, inside: &str) -> Result<String, Condition> {
        let query = content(&format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inside}</query>"));
        let request = OwnerRequest::read(kind, &query.child(ns::MUC_OWNER, "query").unwrap());
        let request = request.map_err(|_| Condition::BadRequest)?;
        self.input(from, Input::Owner(&request))
    }

    /// Submits these fields of the configuration.
    pub(crate) fn configure(&mut self, from: &str, fields: &[(&str, &str)]) -> Result<String, Condition> {
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        self.owner(from, IqType::Set, &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
    }

    /// A message to the room with a `<x/>` of the namespace `muc#user`.
    pub(crate) fn mediated(&mut self, from: &str, inside: &str) -> Result<String, Condition> {
        let x = content(&format!("<x xmlns='http://jabber.org/protocol/muc#user'>{inside}</x>"));
        let x = UserX::read(&x.child(ns::MUC_USER, "x").unwrap()).map_err(|_| Condition::BadRequest)?;
        match &x.decline {
            Some(decline) => self.input(from, Input::Decline(decline)),
            None => self.input(from, Input::Invite(&x.invites)),
        }
    }

    pub(crate) fn voice(&mut self, from: &str, fields: &[(&str, &str)]) -> Result<String, Condition> {
        let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        let form = content(&format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"));
        let form = DataForm::read(&form.child(ns::DATA_FORMS, "x").unwrap()).unwrap();
        let form = VoiceForm::read(&form).map_err(|_| Condition::BadRequest)?.unwrap();
        self.input(from, Input::Voice(&form))
    }

    pub(crate) fn register(&mut self, from: &str, nick: &str) -> Result<String, Condition> {
        let query = content(&format!(
            "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>\
             <field var='muc#register_roomnick'><value>{nick}</value></field></x></query>"
        ));
        let request = RegistrationRequest::read(&query.child(ns::REGISTER, "query").unwrap()).unwrap();
        self.input(from, Input::Register(&request))
    }

    /// Asks for the archive: what it would show of each row, or why it shows nothing.
    pub(crate) fn read_archive(&self, from: &str, with: Option<&str>) -> Result<(View, Vec<String>), Condition> {
        let with = with.map(jid);
        let view = self.with(from, |world, facts| archive::view(world.room(), facts, with.as_ref()));
        let view = view.map_err(|error| error.condition)?;
        let shown = |past: &Past| String::from_utf8(view.shown(past.stanza.clone()).to_vec()).unwrap();
        let shown = self.archive.iter().map(shown).collect();
        Ok((view, shown))
    }

    pub(crate) fn set_card(&mut self, from: &str, hashes: &[&str]) -> Result<String, Condition> {
        let hashes = hashes.iter().map(|hash| Box::from(*hash)).collect();
        self.input(from, Input::SetCard(&Card { xml: b"<vCard/>"[..].into(), hashes }))
    }

    pub(crate) fn moderate(&mut self, from: &str, id: &str) -> Result<String, Condition> {
        let xml = content(&format!(
            "<moderate id='{id}' xmlns='urn:xmpp:message-moderate:1'><retract xmlns='urn:xmpp:message-retract:1'/>\
             <reason>rude</reason></moderate>"
        ));
        let request = Moderate::read(&xml.iter().next().unwrap()).unwrap();
        let target = self.archive.iter().find(|past| *past.stanza_id == *id).cloned();
        self.input(from, Input::Moderate(&request, target.as_ref()))
    }
}

/// Whether an unavailable presence, by its start.
pub(crate) fn is_gone(stanza: &str) -> bool {
    stanza.starts_with("<presence")
        && stanza.contains(&format!("type='{}'", PresenceType::Unavailable.as_attr().unwrap()))
}
