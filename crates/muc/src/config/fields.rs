//! The fields that every service has: those of the registry (section 15.5.3), and those that have become usual.

use super::field::{Field, Shape, Shown};

/// Nothing special; the others name what differs.
const FLAG: Field =
    Field { var: "", label: "", shape: Shape::Flag, default: &["0"], shown: Shown::Nowhere, refuse: None };

const ROLES: &[(&str, &str)] = &[("moderator", "Moderators"), ("participant", "Participants"), ("visitor", "Visitors")];

/// The name of the room, for humans.
pub const NAME: Field = Field {
    var: "muc#roomconfig_roomname",
    label: "Name of the room",
    shape: Shape::Line(256),
    default: &[""],
    ..FLAG
};

/// What the room is about.
pub const DESCRIPTION: Field = Field {
    var: "muc#roomconfig_roomdesc",
    label: "What the room is about",
    shape: Shape::Line(2048),
    default: &[""],
    shown: Shown::Info("muc#roominfo_description"),
    ..FLAG
};

/// The language that is spoken there, as a tag.
pub const LANGUAGE: Field = Field {
    var: "muc#roomconfig_lang",
    label: "Language of the conversation",
    shape: Shape::Line(64),
    default: &[""],
    shown: Shown::Info("muc#roominfo_lang"),
    ..FLAG
};

/// Whether it stays when nobody is in it.
pub const PERSISTENT: Field = Field {
    var: "muc#roomconfig_persistentroom",
    label: "Keep the room when the last one leaves",
    shown: Shown::Feature("muc_persistent", "muc_temporary"),
    ..FLAG
};

/// Whether it is in the list of rooms.
pub const PUBLIC: Field = Field {
    var: "muc#roomconfig_publicroom",
    label: "Show the room in the list of rooms",
    default: &["1"],
    shown: Shown::Feature("muc_public", "muc_hidden"),
    ..FLAG
};

/// Whether one has to be a member to enter.
pub const MEMBERS_ONLY: Field = Field {
    var: "muc#roomconfig_membersonly",
    label: "Only members may enter",
    shown: Shown::Feature("muc_membersonly", "muc_open"),
    ..FLAG
};

/// Whether those who enter have to be given voice.
pub const MODERATED: Field = Field {
    var: "muc#roomconfig_moderatedroom",
    label: "Only those who were given voice may speak",
    shown: Shown::Feature("muc_moderated", "muc_unmoderated"),
    ..FLAG
};

/// Whether those who enter a moderated room have voice until a moderator takes it; the name that ejabberd gave it.
pub const VOICE_BY_DEFAULT: Field = Field {
    var: "members_by_default",
    label: "In a moderated room, those who enter may speak until that is taken from them",
    ..FLAG
};

/// Whether one needs a password to enter.
pub const PASSWORD_PROTECTED: Field = Field {
    var: "muc#roomconfig_passwordprotectedroom",
    label: "A password is needed to enter",
    shown: Shown::Feature("muc_passwordprotected", "muc_unsecured"),
    refuse: Some(|config, _| {
        let is_blank = config.is_on(&PASSWORD_PROTECTED) && config.text(&SECRET).is_empty();
        if is_blank { Err("a room with a password needs one") } else { Ok(()) }
    }),
    ..FLAG
};

/// The password.
pub const SECRET: Field =
    Field { var: "muc#roomconfig_roomsecret", label: "Password", shape: Shape::Secret(256), default: &[""], ..FLAG };

/// Who sees the real addresses of occupants.
pub const WHOIS: Field = Field {
    var: "muc#roomconfig_whois",
    label: "Who may see the addresses of occupants",
    shape: Shape::One(&[("moderators", "Moderators"), ("anyone", "Everybody")]),
    default: &["moderators"],
    ..FLAG
};

/// Whether participants may change the subject.
pub const CHANGE_SUBJECT: Field = Field {
    var: "muc#roomconfig_changesubject",
    label: "Participants may change the subject",
    shown: Shown::Info("muc#roominfo_subjectmod"),
    ..FLAG
};

/// Whether everybody may invite.
pub const ALLOW_INVITES: Field =
    Field { var: "muc#roomconfig_allowinvites", label: "Occupants may invite others", default: &["1"], ..FLAG };

/// Who may send private messages.
pub const ALLOW_PM: Field = Field {
    var: "muc#roomconfig_allowpm",
    label: "Who may send private messages",
    shape: Shape::One(&[
        ("anyone", "Everybody"),
        ("participants", "Participants and moderators"),
        ("moderators", "Moderators"),
        ("none", "Nobody"),
    ]),
    default: &["anyone"],
    ..FLAG
};

/// Whose presence everybody sees; moderators see that of all.
pub const PRESENCE_BROADCAST: Field = Field {
    var: "muc#roomconfig_presencebroadcast",
    label: "Whose presence everybody sees",
    shape: Shape::Some(ROLES),
    default: &["moderator", "participant", "visitor"],
    ..FLAG
};

/// Who may have the lists of members, admins and owners.
pub const GET_MEMBER_LIST: Field = Field {
    var: "muc#roomconfig_getmemberlist",
    label: "Who may see the list of members, besides admins",
    shape: Shape::Some(ROLES),
    default: &["moderator", "participant"],
    ..FLAG
};

/// Most occupants; none stands for what the service allows.
pub const MAX_USERS: Field = Field {
    var: "muc#roomconfig_maxusers",
    label: "Most occupants",
    shape: Shape::Number(1_000_000),
    default: &[""],
    shown: Shown::Info("muc#roominfo_maxusers"),
    ..FLAG
};

/// So many messages of the past are sent to those who enter, unless they want fewer.
pub const HISTORY_LENGTH: Field = Field {
    var: "muc#roomconfig_historylength",
    label: "Messages of the past for those who enter",
    shape: Shape::Number(1000),
    default: &["20"],
    ..FLAG
};

/// Most messages of the past for those who enter, even if they want more; the name that Prosody gave it.
pub const MAX_HISTORY: Field = Field {
    var: "muc#maxhistoryfetch",
    label: "Most messages of the past for those who enter",
    shape: Shape::Number(1000),
    default: &["100"],
    shown: Shown::Info("muc#maxhistoryfetch"),
    ..FLAG
};

/// Whether everybody who enters is told that the room is recorded, where others may read it.
pub const LOGGING: Field =
    Field { var: "muc#roomconfig_enablelogging", label: "Conversations are recorded in public", ..FLAG };

/// Since when that is so and the room is open to all, in Unix milliseconds (`logs`). Nobody says it, so no form has this field.
pub(crate) const LOGGED_SINCE: Field =
    Field { var: "x-muc#logged_since", label: "Public since", shape: Shape::Line(0), default: &[""], ..FLAG };

/// Whether messages stay in the room's archive.
pub const ARCHIVING: Field = Field {
    var: "muc#roomconfig_enablearchiving",
    label: "Messages are kept for occupants to look up",
    default: &["1"],
    ..FLAG
};

/// Whether visitors may ask for voice.
pub const VOICE_REQUESTS: Field =
    Field { var: "muc#roomconfig_allowvoicerequests", label: "Visitors may ask for voice", default: &["1"], ..FLAG };

/// Least time between two requests for voice.
pub const VOICE_INTERVAL: Field = Field {
    var: "muc#roomconfig_voicerequestmininterval",
    label: "Least time between two requests for voice, in seconds",
    shape: Shape::Number(86_400),
    default: &["60"],
    ..FLAG
};

/// Whether visitors may change what their presence says.
pub const VISITOR_STATUS: Field =
    Field { var: "muc#roomconfig_allowvisitorstatus", label: "Visitors may show a status", default: &["1"], ..FLAG };

/// Whether visitors may change their nickname.
pub const VISITOR_NICK: Field = Field {
    var: "muc#roomconfig_allowvisitornickchange",
    label: "Visitors may change their nickname",
    default: &["1"],
    ..FLAG
};

/// Whether those with a reserved nickname have that one only.
pub const RESERVED_NICK: Field =
    Field { var: "x-muc#roomconfig_reservednick", label: "Members use the nickname they have registered", ..FLAG };

/// Whether occupants may change their nickname at all.
pub const CHANGE_NICK: Field = Field {
    var: "x-muc#roomconfig_canchangenick",
    label: "Occupants may change their nickname",
    default: &["1"],
    ..FLAG
};

/// Whether people may make themselves members.
pub const REGISTRATION: Field =
    Field { var: "x-muc#roomconfig_registration", label: "People may register as members", ..FLAG };

/// Whether admins decide on those who register.
pub const APPROVAL: Field =
    Field { var: "x-muc#roomconfig_registrationapproval", label: "Admins decide on those who register", ..FLAG };

/// Whether members with a nickname of their own are shown while they are not there.
pub const SHOW_ABSENT: Field =
    Field { var: "x-muc#roomconfig_showabsent", label: "Show members who are not there", ..FLAG };

/// While so many are there, the presence of those who come and do not moderate goes to nobody; 0 shows everybody.
pub const QUIET_ABOVE: Field = Field {
    var: "x-muc#roomconfig_quietabove",
    label: "With so many occupants, further ones are heard and not shown",
    shape: Shape::Number(1_000_000),
    default: &["1000"],
    ..FLAG
};

/// The publish-subscribe node that belongs to the room, as an XMPP URI.
pub const PUBSUB: Field = Field {
    var: "muc#roomconfig_pubsub",
    label: "Publish-subscribe node of the room",
    shape: Shape::Line(1023),
    default: &[""],
    shown: Shown::Info("muc#roominfo_pubsub"),
    ..FLAG
};

/// The hats that there are (XEP-0317). They are made with commands, so no form has this field.
pub(crate) const HATS: Field =
    Field { var: "urn:xmpp:hats:0", label: "Hats", shape: Shape::Line(0), default: &[], ..FLAG };

/// Seconds that have to pass between two messages of the same account (XEP-0500); 0 is none.
pub const SLOW_MODE: Field = Field {
    var: "muc#roomconfig_slow_mode_duration",
    label: "Seconds between two messages of the same person",
    shape: Shape::Number(86_400),
    shown: Shown::Info("muc#roominfo_slow_mode_duration"),
    ..FLAG
};

/// All of them, in the order in which a form shows them.
pub(super) const ALL: &[Field] = &[
    NAME,
    DESCRIPTION,
    LANGUAGE,
    PERSISTENT,
    PUBLIC,
    MEMBERS_ONLY,
    MODERATED,
    VOICE_BY_DEFAULT,
    PASSWORD_PROTECTED,
    SECRET,
    MAX_USERS,
    WHOIS,
    PRESENCE_BROADCAST,
    GET_MEMBER_LIST,
    CHANGE_SUBJECT,
    ALLOW_INVITES,
    ALLOW_PM,
    VOICE_REQUESTS,
    VOICE_INTERVAL,
    VISITOR_STATUS,
    VISITOR_NICK,
    CHANGE_NICK,
    RESERVED_NICK,
    REGISTRATION,
    APPROVAL,
    SHOW_ABSENT,
    QUIET_ABOVE,
    HISTORY_LENGTH,
    MAX_HISTORY,
    ARCHIVING,
    LOGGING,
    SLOW_MODE,
    PUBSUB,
];
