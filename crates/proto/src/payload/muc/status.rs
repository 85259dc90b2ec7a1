//! The status codes of XEP-0045 (sections 12 and 16.6): what a room says about what happens in a form that programs read.

/// Section 7.2.3: everybody in the room sees real addresses.
pub const NON_ANONYMOUS: u16 = 100;
/// The affiliation of somebody who is not in the room has changed (section 9).
pub const AFFILIATION_CHANGED: u16 = 101;
/// The room now shows members who are not there.
pub const SHOWS_UNAVAILABLE: u16 = 102;
/// The room no longer shows members who are not there.
pub const HIDES_UNAVAILABLE: u16 = 103;
/// Section 10.2.1: something else was configured anew.
pub const CONFIGURED: u16 = 104;
/// Section 7.2.2: the presence is that of who receives it.
pub const SELF_PRESENCE: u16 = 110;
/// Section 7.2.12: the room is logged where others may read it, or is so from now on.
pub const LOGGED: u16 = 170;
/// Section 10.2.1: the room is logged no more.
pub const NOT_LOGGED: u16 = 171;
/// Section 10.2.1: from now on everybody sees real addresses.
pub const NOW_NON_ANONYMOUS: u16 = 172;
/// Section 10.2.1: from now on only moderators see real addresses.
pub const NOW_SEMI_ANONYMOUS: u16 = 173;
/// Section 10.1.1: the room was created just now.
pub const CREATED: u16 = 201;
/// Section 7.2.2: the room has given or changed the nickname.
pub const NICK_CHANGED: u16 = 210;
/// Section 9.1: banned.
pub const BANNED: u16 = 301;
/// Section 7.6: goes on with the nickname of the item.
pub const NEW_NICK: u16 = 303;
/// Section 8.2: removed by a moderator.
pub const KICKED: u16 = 307;
/// Section 9.4: removed, since it is no member any more.
pub const NOT_AFFILIATED: u16 = 321;
/// Section 10.2.1: removed, since the room is for members only now.
pub const NOT_MEMBER: u16 = 322;
/// Section 11.2: removed, since the service stops.
pub const SHUTDOWN: u16 = 332;
/// Section 11.1: removed, since it could not be reached.
pub const UNREACHABLE: u16 = 333;
