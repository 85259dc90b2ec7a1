//! What the server itself asks of a room, or orders: as a superuser, who owns every room.

use metronome_features::muc::settings;
use metronome_host::rooms::{self, Access, Answer, Question, Reader, Shown, ShownOccupant};
use metronome_muc::archive::{self, View};
use metronome_muc::{Affiliated, Decision, Effect, Input, Room, RoomOp, Rows, Standing};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::muc::{Affiliation, OwnerRequest};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};

use super::carry_out::Concerns;
use super::task::Task;

impl Task {
    pub(super) async fn answer(&mut self, question: Question) -> Result<Answer, StanzaError> {
        if let Question::Create { owner, form } = question {
            return self.create(owner, form).await;
        }
        if let Question::Archive(reader) = &question {
            self.forget_predecessor_of(&reader.who).await?;
        }
        let room = self.room.as_ref().ok_or(Condition::ItemNotFound)?;
        match question {
            Question::Show => Ok(Answer::Shown(Box::new(self.shown(room)))),
            Question::Archive(reader) => self.access(room, &reader).map(Answer::Archive),
            Question::Configure(form) => self.order(&Input::Owner(&OwnerRequest::Configure(form))).await,
            Question::Admin(request) => self.order(&Input::Admin(&request)).await,
            Question::Destroy(destroy) => self.order(&Input::Destroy(&destroy)).await,
            Question::Announce(text) => self.order(&Input::Announce(&text)).await,
            Question::Create { .. } => Err(Condition::Conflict.into()),
        }
    }

    /// Who asks from elsewhere is known by the address only.
    async fn forget_predecessor_of(&mut self, who: &Jid) -> Result<(), StanzaError> {
        let unavailable = || StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait);
        let is_ours = who.local().is_some() && self.server.hosts.load().get(who.domain()).is_some();
        if !is_ours {
            return Ok(());
        }
        let facts = self.server.facts.of(&*self.server.store, who).await.map_err(|_| unavailable())?;
        let Some(account) = facts.map(|facts| facts.account.id) else { return Ok(()) };
        self.forget_predecessor(who, account).await.map_err(|_| unavailable())
    }

    async fn order(&mut self, input: &Input<'_>) -> Result<Answer, StanzaError> {
        let by = self.address.domain_jid();
        let room = self.room.as_ref().ok_or(Condition::ItemNotFound)?;
        let decision = metronome_muc::decide(room, &self.facts(&by, Standing::Superuser), input)?;
        self.obey(decision).await
    }

    async fn obey(&mut self, mut decision: Decision) -> Result<Answer, StanzaError> {
        let reply = decision.effects.iter().position(|effect| matches!(effect, Effect::Reply(_)));
        let reply = reply.map(|at| decision.effects.remove(at));
        if !self.carry_out(None, decision, Concerns::All).await {
            return Err(StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait));
        }
        Ok(match reply {
            Some(Effect::Reply(content)) if !content.is_empty() => Answer::Content(content),
            _ => Answer::Done,
        })
    }

    /// A room that somebody owns and nobody is in yet; it is open at once.
    async fn create(&mut self, owner: Jid, form: Option<DataForm>) -> Result<Answer, StanzaError> {
        if self.room.is_some() {
            return Err(Condition::Conflict.into());
        }
        let defaults = settings::defaults(&self.host.values);
        let config = match form {
            Some(form) => settings::table().submit(&defaults, &form, &self.limits)?,
            None => defaults,
        };
        let (owner, secret, at_ms) = (owner.bare(), self.secret(), self.server.clock.unix_ms());
        let affiliated = Affiliated { affiliation: Affiliation::Owner, version: 1, ..Affiliated::default() };
        let affiliations = vec![(owner.clone(), affiliated)];
        let config = config.encode();
        let rows =
            Rows { config: config.clone(), creator: owner.clone(), secret, subject: None, version: 1, affiliations };
        self.room = Some(Room::read(self.address.clone(), rows));
        let affiliation = Affiliation::Owner;
        let ops = vec![
            RoomOp::Create { config, creator: owner.clone(), secret, at_ms },
            RoomOp::Affiliate { jid: owner, affiliation, nick: None, reason: None, more: Box::default(), version: 1 },
        ];
        self.obey(Decision { ops, ..Decision::default() }).await
    }

    fn shown(&self, room: &Room) -> Shown {
        let subject = room.subject().and_then(|subject| subject.content.child(ns::CLIENT, "subject"));
        let occupants = room.occupants().flat_map(|occupant| {
            let (nick, role) = (&occupant.nick, occupant.role);
            occupant.sessions.iter().map(move |session| ShownOccupant {
                nick: nick.clone(),
                jid: session.jid.clone(),
                role,
            })
        });
        Shown {
            id: self.stored.as_ref().map(|stored| stored.id),
            config: settings::table().form(room.config()),
            subject: subject.map(|subject| subject.text().into_owned()),
            occupants: occupants.collect(),
            affiliations: room.affiliations().map(|(jid, row)| (jid.clone(), row.affiliation)).collect(),
        }
    }

    fn access(&self, room: &Room, reader: &Reader) -> Result<Access, StanzaError> {
        let standing = match reader.standing {
            rooms::Standing::Ordinary => Standing::Ordinary,
            rooms::Standing::Superuser => Standing::Superuser,
        };
        let View { sees, with } = archive::view(room, &self.facts(&reader.who, standing), reader.with.as_ref())?;
        let sees = match sees {
            archive::Sees::Addresses => rooms::Sees::Addresses,
            archive::Sees::Nicknames => rooms::Sees::Nicknames,
        };
        Ok(Access { id: self.stored.as_ref().map(|stored| stored.id), sees, with })
    }
}
