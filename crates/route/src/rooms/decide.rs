//! What a stanza leads to: what it takes from the store is read, then the machine decides.

use std::sync::Arc;

use metronome_features::muc::input::Wish;
use metronome_features::muc::{archive, avatar, bits, discovery, hats, logs, settings, standing};
use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::hosts::Host;
use metronome_host::refuse::Refuse;
use metronome_model::AccountId;
use metronome_muc::history::{self, Past, Wanted};
use metronome_muc::{Card, Decision, Effect as Said, Entry, Facts, Input, Room, Standing, State, self_ping};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::commands::Status;
use metronome_proto::payload::disco::{Item, Items};
use metronome_proto::payload::muc::Join;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::stanza::{Kind, MessageType, Stanza, StanzaError};
use metronome_proto::xml::Content;

use super::carry_out::Concerns;
use super::images;
use super::task::Task;
use crate::deliver;

/// What follows from a stanza.
enum Then {
    /// This happens.
    Decided(Decision),
    /// It is answered by its effects, if at all.
    Answered,
}

/// What was read for a decision.
#[derive(Default)]
struct Read {
    past: Arc<[Past]>,
    row: Option<Past>,
    standing: Option<Standing>,
}

impl Task {
    /// One stanza, from its arrival to its end.
    pub(super) async fn stanza(&mut self, mut env: Box<Envelope>) {
        match self.judge(&mut env).await {
            Ok(Then::Decided(decision)) => {
                if env.stanza.kind == Kind::Message(MessageType::Groupchat) {
                    images::take(&self.server, &self.address, &env.stanza);
                }
                let from = env.stanza.from.clone();
                let concerns = match env.stanza.kind {
                    Kind::Presence(_) | Kind::Message(MessageType::Error) => Concerns::One(&from),
                    Kind::Message(MessageType::Groupchat) => Concerns::Nobody,
                    _ => Concerns::All,
                };
                self.carry_out(Some(env), decision, concerns).await;
            }
            Ok(Then::Answered) => {
                self.flush().await;
                env.destination = Destination::Nobody;
                deliver::admitted(&self.server, &mut env);
            }
            Err(refuse) => {
                self.flush().await;
                self.refuse(env, refuse);
            }
        }
    }

    async fn judge(&mut self, env: &mut Envelope) -> Result<Then, Refuse> {
        let wish = Wish::of(&env.stanza)?;
        if let Some(session) = env.sender.as_session() {
            self.forget_predecessor(&session.jid, session.account).await?;
        }
        self.refuse_haste(env, &wish).await?;
        if self.puts_off(&env.stanza, &wish)? {
            return Ok(Then::Answered);
        }
        let Some(room) = &self.room else { return self.at_nobody(env, wish).await };
        let from = &env.stanza.from;
        // A room that waits for its configuration is there for nobody but its creator.
        let is_hidden = room.state() == State::Locked && room.occupant_of(from).is_none();
        if is_hidden && matches!(wish, Wish::Info | Wish::Items | Wish::Commands | Wish::Ping) {
            return Err(Condition::ItemNotFound.into());
        }
        let answer = match &wish {
            Wish::Info => {
                let name = room.address().local().unwrap_or_default();
                let logs = logs::address(&self.server, &self.host, name, room.config());
                Content::from_tree(&discovery::info(room, settings::table(), &[ns::COMMANDS], logs))
            }
            Wish::Commands => Content::from_tree(&hats::items(room.address()).tree()),
            Wish::Hats(command) if command.status == Status::Canceled => command.answer(&Content::empty()),
            Wish::Items => Content::from_tree(&items(room, from).tree()),
            Wish::Ping => Content::empty(),
            Wish::PingOccupant(nick) => match self_ping(room, from, nick) {
                Some(mine) => mine.map(|()| Content::empty())?,
                None => return self.pass_on(env, nick).map(|()| Then::Answered),
            },
            // Section 6.6: who is not there learns nothing of those who are.
            Wish::Query(_) if room.occupant_of(from).is_none() && is_disco(&env.stanza) => {
                return Err(Condition::BadRequest.into());
            }
            Wish::Data => self.data(&env.stanza).ok_or(Condition::ItemNotFound)?,
            Wish::Query(nick) => match self.data(&env.stanza) {
                Some(data) => data,
                None => return self.pass_on(env, nick).map(|()| Then::Answered),
            },
            Wish::Answer => {
                self.pass_back(&env.stanza);
                return Ok(Then::Answered);
            }
            Wish::Failed(error) => return Ok(self.failed(&env.stanza, error.as_ref())),
            Wish::Nothing => return Ok(Then::Answered),
            _ => return self.decide(env, &wish).await.map(Then::Decided),
        };
        env.effects.push(Effect::Reply(env.stanza.result(answer)));
        Ok(Then::Answered)
    }

    /// Section 15.7.2: a session that is not there any more is in the room no more.
    fn failed(&self, stanza: &Stanza, error: Option<&StanzaError>) -> Then {
        let facts = self.facts(&stanza.from, Standing::Ordinary);
        let Some(room) = &self.room else { return Then::Answered };
        let nick = stanza.to.as_ref().and_then(|to| to.resource()).filter(|_| matches!(stanza.kind, Kind::Message(_)));
        let decided = match (error, nick) {
            // Any other error about a private message is for the occupant whose message it was; without what clients say there of addresses.
            (Some(error), Some(nick)) if !metronome_muc::says_gone(error) => {
                let told = StanzaError { by: None, new_address: None, ..error.clone() };
                let stanza = stanza.clone().with_content(Content::from_tree(&told.tree()));
                metronome_muc::decide(room, &facts, &Input::Tell(nick, &stanza))
            }
            (Some(error), None) if !metronome_muc::says_gone(error) => return Then::Answered,
            _ => metronome_muc::decide(room, &facts, &Input::Lose(&stanza.from)),
        };
        decided.map_or(Then::Answered, Then::Decided)
    }

    /// Something that was said with a message, if that is what an occupant asks for and the room has it.
    fn data(&self, request: &Stanza) -> Option<Content> {
        self.room.as_ref()?.occupant_of(&request.from)?;
        let data = bits::asked(&self.server, &self.address, request)?;
        Some(Content::from_tree(&data.tree()))
    }

    async fn decide(&mut self, env: &Envelope, wish: &Wish) -> Result<Decision, Refuse> {
        let is_new = self.note_entry(env, wish)?;
        let decided = self.decide_upon(env, wish).await;
        if let (Err(_), true, Some(session), Some(to)) = (&decided, is_new, env.sender.as_session(), &env.stanza.to) {
            session.forget_directed(to);
            self.inside.remove(&session.jid);
        }
        decided
    }

    async fn decide_upon(&mut self, env: &Envelope, wish: &Wish) -> Result<Decision, Refuse> {
        let read = self.read(env, wish).await?;
        let stanza = &*env.stanza;
        let facts = self.facts(&stanza.from, read.standing.unwrap_or(Standing::Ordinary));
        let facts = Facts { account: account_of(env), ..facts };
        let Some(room) = &self.room else { return Err(Condition::ItemNotFound.into()) };
        let nobody = Join::default();
        let card = match wish {
            Wish::SetCard => card(&self.host, stanza)?,
            _ => Card::default(),
        };
        let input = match wish {
            Wish::Enter(nick, join) => Input::Enter(entry(stanza, nick, join, &read.past)),
            Wish::Update(nick) => Input::Update(entry(stanza, nick, &nobody, &[])),
            Wish::Leave => Input::Leave { presence: &stanza.content, id: stanza.id.as_deref() },
            Wish::Say(_) => Input::Say(stanza, read.row.as_ref()),
            Wish::Tell(nick) => Input::Tell(nick, stanza),
            Wish::Invite(invites) => Input::Invite(invites),
            Wish::Decline(decline) => Input::Decline(decline),
            Wish::Voice(form) => Input::Voice(form),
            Wish::Admin(request) => Input::Admin(request),
            Wish::Owner(request) => Input::Owner(request),
            Wish::AskRegistration => Input::AskRegistration,
            Wish::Register(request) => Input::Register(request),
            Wish::Approve(answer) => Input::Approve(answer),
            Wish::Hats(command) => match &command.request {
                Some(request) => Input::Hats(request),
                None => Input::HatForm(&command.node),
            },
            Wish::AskNick(node) => Input::AskNick(node),
            Wish::Moderate(request) => Input::Moderate(request, read.row.as_ref()),
            Wish::SetCard => Input::SetCard(&card),
            _ => return Err(Condition::ServiceUnavailable.into()),
        };
        let mut decision = metronome_muc::decide(room, &facts, &input)?;
        if let Wish::Hats(command) = wish {
            let replies = decision.effects.iter_mut();
            let replies =
                replies.filter_map(|effect| if let Said::Reply(content) = effect { Some(content) } else { None });
            replies.for_each(|content| *content = command.answer(content));
        }
        Ok(decision)
    }

    /// What the decision takes from outside. It must see what is on its way to the store.
    async fn read(&mut self, env: &Envelope, wish: &Wish) -> Result<Read, Refuse> {
        let mut read = Read::default();
        if let Wish::Enter(..)
        | Wish::Admin(_)
        | Wish::Owner(_)
        | Wish::Moderate(_)
        | Wish::SetCard
        | Wish::Hats(_)
        | Wish::Approve(_) = wish
        {
            read.standing = Some(standing::of(&self.server, env, &self.host).await?);
        }
        let named = match wish {
            Wish::Say(Some(id)) => Some(id),
            Wish::Moderate(request) => Some(&request.id),
            _ => None,
        };
        let is_entry = matches!(wish, Wish::Enter(..));
        let Some(owner) = self.stored.as_ref().map(|stored| stored.id).filter(|_| named.is_some() || is_entry) else {
            return Ok(read);
        };
        self.flush().await;
        if let Some(id) = named {
            read.row = archive::row(&self.server, owner, id).await?;
        }
        if let (Wish::Enter(_, join), Some(room)) = (wish, &self.room) {
            let wanted = history::wanted(room, &join.history, &self.limits, self.server.clock.unix_ms());
            read.past = self.past(owner, wanted).await?;
        }
        Ok(read)
    }

    /// What was said before somebody enters. Those who come at the same moment are shown the same, which is read once.
    async fn past(&mut self, owner: AccountId, wanted: Wanted) -> Result<Arc<[Past]>, Refuse> {
        if let Some((known, past)) = &self.past
            && *known == wanted
        {
            return Ok(past.clone());
        }
        let past: Arc<[Past]> = archive::past(&self.server, owner, wanted).await?.into();
        self.past = Some((wanted, past.clone()));
        Ok(past)
    }

    /// A session that enters hears of the room's end of it whatever becomes of it from now on; true if it did not before.
    fn note_entry(&mut self, env: &Envelope, wish: &Wish) -> Result<bool, Refuse> {
        let (Wish::Enter(..), Some(session), Some(to)) = (wish, env.sender.as_session(), &env.stanza.to) else {
            return Ok(false);
        };
        if self.inside.contains_key(&session.jid) {
            return Ok(false);
        }
        if !session.note_directed(to) {
            let text = "This client is in too many rooms";
            return Err(StanzaError::new(Condition::ResourceConstraint).with_text(text).into());
        }
        self.inside.insert(session.jid.clone(), to.clone());
        Ok(true)
    }

    /// There is no room at this address: whoever enters makes one, if they may (section 10.1).
    async fn at_nobody(&mut self, env: &mut Envelope, wish: Wish) -> Result<Then, Refuse> {
        match &wish {
            Wish::Leave | Wish::Failed(_) | Wish::Answer | Wish::Nothing => Ok(Then::Answered),
            Wish::Enter(nick, join) => {
                standing::refuse_creation(&self.server, env, &self.host).await?;
                let is_new = self.note_entry(env, &wish)?;
                let made = self.make(env, nick, join);
                if let (Err(_), true, Some(session), Some(to)) =
                    (&made, is_new, env.sender.as_session(), &env.stanza.to)
                {
                    session.forget_directed(to);
                    self.inside.remove(&session.jid);
                }
                Ok(Then::Decided(made?))
            }
            _ => Err(Condition::ItemNotFound.into()),
        }
    }

    fn make(&mut self, env: &Envelope, nick: &str, join: &Join) -> Result<Decision, StanzaError> {
        let stanza = &*env.stanza;
        let values = &self.host.values;
        let creation = (settings::creation(values), &settings::defaults(values));
        let facts = Facts { account: account_of(env), ..self.facts(&stanza.from, Standing::Ordinary) };
        let secret = self.secret();
        let entry = entry(stanza, nick, join, &[]);
        let (room, decision) = metronome_muc::create(self.address.clone(), &facts, creation, secret, &entry)?;
        self.room = Some(room);
        Ok(decision)
    }

    /// What a new room's occupants' ids are made with.
    pub(super) fn secret(&self) -> [u8; 32] {
        let mut secret = [0; 32];
        secret[..16].copy_from_slice(&self.server.rng.bytes16());
        secret[16..].copy_from_slice(&self.server.rng.bytes16());
        secret
    }

    /// An account has changed: if it is gone, nothing that was said of it counts for its address any more.
    pub(super) async fn account_changed(&mut self, jid: &Jid) {
        let known = self.stored.as_ref().and_then(|stored| stored.accounts.get(jid.bare_str())).copied();
        let Some(known) = known else { return };
        // What cannot be read now is looked at when somebody comes from that address.
        let Ok(facts) = self.server.facts.of(&*self.server.store, jid).await else { return };
        if facts.is_some_and(|facts| facts.account.id == known) {
            return;
        }
        self.flush().await;
        let Some(room) = &self.room else { return };
        if let Ok(decision) = metronome_muc::decide(room, &self.facts(jid, Standing::Ordinary), &Input::Forget(jid)) {
            self.carry_out(None, decision, Concerns::All).await;
            self.end_if_orphaned().await;
        }
    }

    /// What was said of an address while another account had it does not count for the one that has it now: that is forgotten before
    /// anything is decided, or nothing is.
    pub(super) async fn forget_predecessor(&mut self, who: &Jid, account: AccountId) -> Result<(), Refuse> {
        let known = self.stored.as_ref().and_then(|stored| stored.accounts.get(who.bare_str()));
        let (Some(room), true) = (&self.room, known.is_some_and(|known| *known != account)) else { return Ok(()) };
        let decision = metronome_muc::decide(room, &self.facts(who, Standing::Ordinary), &Input::Forget(&who.bare()))?;
        match self.carry_out(None, decision, Concerns::All).await {
            true => Ok(()),
            false => Err(StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait).into()),
        }
    }
}

/// The account of who sends a stanza, if it is one of this server.
fn account_of(env: &Envelope) -> Option<[u8; 16]> {
    env.sender.as_session().map(|session| *session.account.as_bytes())
}

fn is_disco(stanza: &Stanza) -> bool {
    [ns::DISCO_INFO, ns::DISCO_ITEMS].iter().any(|ns| stanza.has(ns, "query"))
}

fn card(host: &Host, stanza: &Stanza) -> Result<Card, StanzaError> {
    let card = stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    avatar::read(&host.values, &card)
}

fn entry<'a>(stanza: &'a Stanza, nick: &'a str, join: &'a Join, past: &'a [Past]) -> Entry<'a> {
    Entry { nick, presence: &stanza.content, id: stanza.id.as_deref(), join, past }
}

/// Section 6.5: those who are in the room see who is there anyway.
fn items(room: &Room, from: &Jid) -> Items {
    let occupants = room.occupants().filter(|_| room.occupant_of(from).is_some());
    let jids = occupants.filter_map(|occupant| room.address().with_resource(&occupant.nick).ok());
    Items { node: None, items: jids.map(|jid| Item { jid, node: None, name: None }).collect() }
}
