//! What a stanza to a room, or to one of its occupants, means: the room's task goes by it. Nothing is decided here.

use metronome_proto::ns;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::payload::disco;
use metronome_proto::payload::muc::{
    AdminRequest, Decline, Invite, Join, Moderate, OwnerRequest, RegistrationDecision, RegistrationRequest, UserX, VoiceForm,
};
use metronome_proto::payload::retract;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::{IqType, Kind, MessageType, PresenceType, Stanza, StanzaError};
use metronome_proto::xml::Child;

use super::hats;

/// What somebody wants of a room.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// To enter, with this nickname.
    Enter(Box<str>, Box<Join>),
    /// To be shown otherwise, or to have this nickname.
    Update(Box<str>),
    /// To leave.
    Leave,
    /// That everybody hears a message; with the id of the one that it takes back, if it does.
    Say(Option<Box<str>>),
    /// That the occupant with this nickname hears it.
    Tell(Box<str>),
    /// To invite.
    Invite(Vec<Invite>),
    /// Not to come.
    Decline(Decline),
    /// Something about voice.
    Voice(VoiceForm),
    /// Something about people.
    Admin(AdminRequest),
    /// Something that is for owners.
    Owner(OwnerRequest),
    /// To know the own registration.
    AskRegistration,
    /// To register.
    Register(RegistrationRequest),
    /// That somebody registers, or does not.
    Approve(RegistrationDecision),
    /// Something about hats.
    Hats(Box<hats::Command>),
    /// To know which commands there are.
    Commands,
    /// To know the own reserved nickname, by this node.
    AskNick(String),
    /// To take back what somebody else has said.
    Moderate(Moderate),
    /// That the room has another card.
    SetCard,
    /// Something that was said with a message (XEP-0231).
    Data,
    /// To know what the room is.
    Info,
    /// To know what is in it.
    Items,
    /// To know that it is there.
    Ping,
    /// A request to the occupant with this nickname.
    Query(Box<str>),
    /// The same, and it is a ping: maybe to whoever sends it (XEP-0410).
    PingOccupant(Box<str>),
    /// The answer of an occupant to a request that the room has passed on.
    Answer,
    /// Nothing more: something that was sent has come back with an error.
    Failed(Option<StanzaError>),
    /// Nothing.
    Nothing,
}

/// The node at which somebody asks for the own reserved nickname (section 7.12).
const OWN_NICK: &str = "x-roomuser-item";
/// The node at which a room would tell which payloads it passes on (section 15.2).
const TRAFFIC: &str = "http://jabber.org/protocol/muc#traffic";

impl Wish {
    /// Reads a stanza whose `to` is a room or an occupant.
    pub fn of(stanza: &Stanza) -> Result<Wish, StanzaError> {
        let nick = stanza.to.as_ref().and_then(|to| to.resource()).map(Box::<str>::from);
        match stanza.kind {
            Kind::Presence(kind) => of_presence(stanza, kind, nick),
            Kind::Message(MessageType::Error) => Ok(Wish::Failed(StanzaError::read(&stanza.content))),
            Kind::Message(kind) => of_message(stanza, kind, nick),
            Kind::Iq(kind) => of_iq(stanza, kind, nick),
        }
    }
}

/// Section 7.2: a nickname is needed to enter; it is not to leave.
fn of_presence(stanza: &Stanza, kind: PresenceType, nick: Option<Box<str>>) -> Result<Wish, StanzaError> {
    match (kind, nick) {
        (PresenceType::Available, None) => Err(Condition::JidMalformed.into()),
        (PresenceType::Available, Some(nick)) => match stanza.child(ns::MUC, "x") {
            Some(x) => Ok(Wish::Enter(nick, Box::new(Join::read(&x).map_err(StanzaError::from)?))),
            None => Ok(Wish::Update(nick)),
        },
        (PresenceType::Unavailable, _) => Ok(Wish::Leave),
        (PresenceType::Error, _) => Ok(Wish::Failed(StanzaError::read(&stanza.content))),
        _ => Ok(Wish::Nothing),
    }
}

fn of_message(stanza: &Stanza, kind: MessageType, nick: Option<Box<str>>) -> Result<Wish, StanzaError> {
    if let Some(nick) = nick {
        return Ok(Wish::Tell(nick));
    }
    if kind == MessageType::Groupchat {
        return Ok(Wish::Say(retract::target(&stanza.content).map(|id| (*id).into())));
    }
    if let Some(x) = stanza.child(ns::MUC_USER, "x") {
        let x = UserX::read(&x).map_err(StanzaError::from)?;
        if let Some(decline) = x.decline {
            return Ok(Wish::Decline(decline));
        }
        if !x.invites.is_empty() {
            return Ok(Wish::Invite(x.invites));
        }
    }
    if let Some(form) = stanza.child(ns::DATA_FORMS, "x")
        && let Ok(form) = DataForm::read(&form)
    {
        if VoiceForm::is(&form) {
            return Ok(VoiceForm::read(&form).map_err(StanzaError::from)?.map_or(Wish::Nothing, Wish::Voice));
        }
        if form.form_type() == Some(ns::MUC_REGISTER) {
            let decided = RegistrationDecision::read(&form).map_err(StanzaError::from)?;
            return Ok(decided.map_or(Wish::Nothing, Wish::Approve));
        }
    }
    Err(Condition::BadRequest.into())
}

fn of_iq(stanza: &Stanza, kind: IqType, nick: Option<Box<str>>) -> Result<Wish, StanzaError> {
    if !kind.is_request() {
        return Ok(if nick.is_some() { Wish::Answer } else { Wish::Nothing });
    }
    let payload = stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    match nick {
        Some(nick) if payload.is(ns::PING, "ping") && kind == IqType::Get => Ok(Wish::PingOccupant(nick)),
        Some(nick) => Ok(Wish::Query(nick)),
        None => of_request(&payload, kind),
    }
}

fn of_request(payload: &Child<'_>, kind: IqType) -> Result<Wish, StanzaError> {
    let wish = match (kind, payload.ns(), payload.name()) {
        (_, ns::MUC_ADMIN, "query") => AdminRequest::read(kind, payload).map(Wish::Admin),
        (_, ns::MUC_OWNER, "query") => OwnerRequest::read(kind, payload).map(Wish::Owner),
        (IqType::Get, ns::REGISTER, "query") => Ok(Wish::AskRegistration),
        (IqType::Set, ns::REGISTER, "query") => RegistrationRequest::read(payload).map(Wish::Register),
        (IqType::Get, ns::DISCO_INFO, "query") => return of_disco(payload, Wish::Info),
        (IqType::Get, ns::DISCO_ITEMS, "query") => return of_disco(payload, Wish::Items),
        (IqType::Set, ns::COMMANDS, "command") => {
            return hats::Command::read(payload).map(|command| Wish::Hats(Box::new(command)));
        }
        (IqType::Get, ns::PING, "ping") => Ok(Wish::Ping),
        (IqType::Get, ns::BOB, "data") => Ok(Wish::Data),
        (IqType::Set, ns::VCARD, "vCard") => Ok(Wish::SetCard),
        (IqType::Set, ..) if Moderate::is(payload) => Moderate::read(payload).map(Wish::Moderate),
        _ => return Err(Condition::ServiceUnavailable.into()),
    };
    wish.map_err(StanzaError::from)
}

/// A room has no nodes, but for the one that tells the own nickname. That nothing is left out of what occupants say is told by the
/// error of section 15.2.
fn of_disco(query: &Child<'_>, wish: Wish) -> Result<Wish, StanzaError> {
    match disco::node(query).filter(|node| !node.is_empty()) {
        None => Ok(wish),
        Some(node) if node == ns::COMMANDS && wish == Wish::Items => Ok(Wish::Commands),
        Some(node) if node == OWN_NICK && wish == Wish::Info => Ok(Wish::AskNick(node)),
        Some(node) if node == TRAFFIC && wish == Wish::Info => Err(Condition::ServiceUnavailable.into()),
        Some(_) => Err(Condition::ItemNotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use metronome_proto::jid::Jid;
    use metronome_proto::xml::Content;

    use super::*;

    fn stanza(kind: Kind, to: &str, content: &str) -> Stanza {
        let from = Jid::parse("hag66@shakespeare.lit/pda").unwrap();
        let content = Content::parse(content.as_bytes()).unwrap();
        Stanza::new(kind, from).with_to(Jid::parse(to).unwrap()).with_content(content)
    }

    fn wish(kind: Kind, to: &str, content: &str) -> Result<Wish, Condition> {
        Wish::of(&stanza(kind, to, content)).map_err(|error| error.condition)
    }

    const ROOM: &str = "coven@chat.shakespeare.lit";
    const OCCUPANT: &str = "coven@chat.shakespeare.lit/thirdwitch";

    #[test]
    fn presence_enters_with_an_x_and_is_news_without() {
        let available = Kind::Presence(PresenceType::Available);
        let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
        assert_eq!(wish(available, OCCUPANT, x), Ok(Wish::Enter("thirdwitch".into(), Box::default())));
        assert_eq!(wish(available, OCCUPANT, ""), Ok(Wish::Update("thirdwitch".into())));
        assert_eq!(wish(available, ROOM, x), Err(Condition::JidMalformed));
        for to in [ROOM, OCCUPANT] {
            assert_eq!(wish(Kind::Presence(PresenceType::Unavailable), to, ""), Ok(Wish::Leave));
        }
        assert_eq!(wish(Kind::Presence(PresenceType::Subscribe), ROOM, ""), Ok(Wish::Nothing));
    }

    #[test]
    fn a_message_is_for_all_or_for_one_or_asks_for_something() {
        let kind = |kind| Kind::Message(kind);
        let body = "<body>hi</body>";
        assert_eq!(wish(kind(MessageType::Groupchat), ROOM, body), Ok(Wish::Say(None)));
        assert_eq!(wish(kind(MessageType::Chat), OCCUPANT, body), Ok(Wish::Tell("thirdwitch".into())));
        assert_eq!(wish(kind(MessageType::Chat), ROOM, body), Err(Condition::BadRequest));
        let invite = "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='hecate@shakespeare.lit'/></x>";
        assert!(matches!(wish(kind(MessageType::Normal), ROOM, invite), Ok(Wish::Invite(invites)) if invites.len() == 1));
        let decline = "<x xmlns='http://jabber.org/protocol/muc#user'><decline to='crone1@shakespeare.lit'/></x>";
        assert!(matches!(wish(kind(MessageType::Normal), ROOM, decline), Ok(Wish::Decline(_))));
        let voice = "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request\
                     </value></field><field var='muc#role'><value>participant</value></field></x>";
        assert!(matches!(wish(kind(MessageType::Normal), ROOM, voice), Ok(Wish::Voice(VoiceForm::Ask(_)))));
        let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='7'/>";
        assert_eq!(wish(kind(MessageType::Groupchat), ROOM, retract), Ok(Wish::Say(Some("7".into()))));
    }

    #[test]
    fn a_request_is_for_the_room_or_for_an_occupant() {
        let (get, set) = (Kind::Iq(IqType::Get), Kind::Iq(IqType::Set));
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        assert_eq!(wish(get, ROOM, info), Ok(Wish::Info));
        assert_eq!(wish(get, OCCUPANT, info), Ok(Wish::Query("thirdwitch".into())));
        let nick = "<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>";
        assert_eq!(wish(get, ROOM, nick), Ok(Wish::AskNick("x-roomuser-item".into())));
        let traffic = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{TRAFFIC}'/>");
        assert_eq!(wish(get, ROOM, &traffic), Err(Condition::ServiceUnavailable));
        let ping = "<ping xmlns='urn:xmpp:ping'/>";
        assert_eq!(wish(get, OCCUPANT, ping), Ok(Wish::PingOccupant("thirdwitch".into())));
        assert_eq!(wish(Kind::Iq(IqType::Result), OCCUPANT, ""), Ok(Wish::Answer));
        assert_eq!(wish(Kind::Iq(IqType::Result), ROOM, ""), Ok(Wish::Nothing));
        assert_eq!(wish(get, ROOM, "<query xmlns='urn:example:unknown'/>"), Err(Condition::ServiceUnavailable));
        assert_eq!(wish(set, ROOM, "<query xmlns='http://jabber.org/protocol/muc#admin'/>"), Err(Condition::BadRequest));
        let moderate = "<moderate xmlns='urn:xmpp:message-moderate:1' id='7'><retract xmlns='urn:xmpp:message-retract:1'/></moderate>";
        assert!(matches!(wish(set, ROOM, moderate), Ok(Wish::Moderate(_))));
    }
}
