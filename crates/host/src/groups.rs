//! Groups of people who see each other without having asked: read from a file and from the configuration, for one host.
//! Made with the host's snapshot and replaced with it; rosters show their members and nothing of them is stored.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;

use metronome_proto::jid::Jid;
use metronome_proto::subscription::Subscription;

use crate::options::{Kind, Setting, Unfit, Values};

/// A file with groups.
pub const FILE: Setting = Setting::new(
    "groups.file",
    Kind::Path,
    "\"\"",
    "A file with groups of people who see each other: `[Name]` begins a group, `[+Name]` one that everybody of the host sees, and \
     each line below is an address or `address=Display name`. It is read at the start and at a reload.",
)
.per_host();

/// Groups in the configuration itself.
pub const MEMBERS: Setting = Setting::new(
    "groups.members",
    Kind::List,
    "[]",
    "Members of groups of people who see each other, each as `\"Group: address\"` or `\"Group: address = Display name\"`; \
     everybody of the host sees a group that is written `\"+Group: address\"`. They come to those of the file.",
)
.per_host();

/// The settings that groups are made of.
pub const SETTINGS: &[Setting] = &[FILE, MEMBERS];

/// Most bytes of a file with groups.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Most bytes of the name of a group and of a display name.
const NAME_BYTES_MAX: usize = 1023;

/// The groups of one host. Immutable; the members of each are indexed.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// By bare JID: the groups it is a member of, as places in `groups`.
    member_of: HashMap<Jid, Vec<usize>>,
    /// The groups that everybody sees.
    public: Vec<usize>,
}

#[derive(Debug)]
struct Group {
    name: Box<str>,
    shown: Shown,
    /// With the name that is shown for them.
    members: BTreeMap<Jid, Option<Box<str>>>,
    /// Of its name and its members.
    fingerprint: u64,
}

/// Who sees the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shown {
    /// The other members.
    ToMembers,
    /// Everybody of the host. A member sees the other members only.
    ToEverybody,
}

/// Somebody who is in an account's roster because of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupContact {
    /// The bare address.
    pub jid: Jid,
    /// What it is called; the first name that is written for it in the groups that the two share.
    pub name: Option<Box<str>>,
    /// The groups, sorted, none twice.
    pub groups: Vec<Box<str>>,
    /// Both ways between members of a group; `to` alone where the account only sees a group that everybody sees.
    pub subscription: Subscription,
}

/// The groups that a host's options name. Reads the file with blocking calls, so at the start and at a reload only.
pub fn load(values: &Values) -> Result<Groups, Unfit> {
    let mut groups = Groups::default();
    if let Some(path) = values.path(&FILE) {
        let unfit =
            |what: String| Unfit { setting: &FILE, message: format!("{}: {what}", path.display()), hint: FILE_HINT };
        let text = read_file(path).map_err(|what| Unfit { hint: FILE_MISSING_HINT, ..unfit(what) })?;
        groups.add_text(&text).map_err(unfit)?;
    }
    for (at, entry) in values.list(&MEMBERS).iter().enumerate() {
        groups.add_entry(entry).map_err(|what| Unfit {
            setting: &MEMBERS,
            message: format!("entry {}: {what}", at + 1),
            hint: "write it like \"Team: alice@example.org = Alice\"",
        })?;
    }
    Ok(groups.indexed())
}

const FILE_MISSING_HINT: &str = "check the file, and that the user the server runs as may read it";
const FILE_HINT: &str = "write lines like `[Team]` and below `alice@example.org=Alice`";

fn read_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

impl Groups {
    /// Reads groups as a file has them. An error begins with the number of its line.
    pub fn parse(text: &str) -> Result<Groups, String> {
        let mut groups = Groups::default();
        groups.add_text(text)?;
        Ok(groups.indexed())
    }

    /// Whether there is no group at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Everyone whom an account sees because of a group, sorted by address, itself excluded. `bare` is an account of the host.
    pub fn contacts_of(&self, bare: &str) -> Vec<GroupContact> {
        let mut contacts = BTreeMap::<&Jid, GroupContact>::new();
        for (group, from) in self.seen_by(bare) {
            for (jid, name) in group.members.iter().filter(|(jid, _)| jid.as_str() != bare) {
                let contact = contacts.entry(jid).or_insert_with(|| GroupContact {
                    jid: jid.clone(),
                    name: None,
                    groups: Vec::new(),
                    subscription: Subscription { to: true, ..Subscription::NONE },
                });
                contact.name = contact.name.take().or_else(|| name.clone());
                contact.groups.push(group.name.clone());
                contact.subscription.from |= from;
            }
        }
        let sorted = |mut contact: GroupContact| {
            contact.groups.sort_unstable();
            contact
        };
        contacts.into_values().map(sorted).collect()
    }

    /// A number that changes with any group.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.groups.iter().for_each(|group| group.fingerprint.hash(&mut hasher));
        hasher.finish()
    }

    /// Whether `viewer` sees the presence of `owner`, an account of the host, because of a group.
    pub fn may_see(&self, owner: &str, viewer: &str) -> bool {
        let Some(places) = self.member_of.get(owner) else { return false };
        places.iter().any(|&place| {
            let group = &self.groups[place];
            group.members.contains_key(viewer)
                || (group.shown == Shown::ToEverybody && domain_of(owner) == domain_of(viewer))
        })
    }

    /// The names of the groups in which an account of the host sees this contact.
    pub fn shared_with(&self, bare: &str, contact: &str) -> Vec<Box<str>> {
        let seen = self.seen_by(bare).filter(|(group, _)| group.members.contains_key(contact));
        seen.map(|(group, _)| group.name.clone()).collect()
    }

    /// Whether everybody of the host sees this account.
    pub fn is_seen_by_everybody(&self, bare: &str) -> bool {
        let places = self.member_of.get(bare);
        places.is_some_and(|places| places.iter().any(|&place| self.groups[place].shown == Shown::ToEverybody))
    }

    /// A number that changes when what [`Groups::contacts_of`] answers for this account changes; 0 if it sees no group. The
    /// same after a restart, but perhaps another one in another version of the server.
    pub fn fingerprint_of(&self, bare: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut any = false;
        for (group, from) in self.seen_by(bare) {
            (group.fingerprint, from).hash(&mut hasher);
            any = true;
        }
        if any { hasher.finish().max(1) } else { 0 }
    }

    /// The groups that an account sees, in the order of their first lines, and whether their members see it as well.
    fn seen_by(&self, bare: &str) -> impl Iterator<Item = (&Group, bool)> {
        let own = self.member_of.get(bare).map_or(&[][..], Vec::as_slice);
        let mut places: Vec<_> = own.iter().map(|&place| (place, true)).collect();
        places.extend(self.public.iter().filter(|place| !own.contains(place)).map(|&place| (place, false)));
        places.sort_unstable();
        places.into_iter().map(|(place, from)| (&self.groups[place], from))
    }

    fn add_text(&mut self, text: &str) -> Result<(), String> {
        let mut current = None;
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            let result = match line.strip_prefix('[') {
                _ if line.is_empty() || line.starts_with('#') => continue,
                Some(rest) => {
                    let name = rest.strip_suffix(']').ok_or("a group is written as [Name] or [+Name]".to_owned());
                    name.and_then(|name| self.group(name)).map(|place| current = Some(place))
                }
                None => match current {
                    Some(place) => self.add_member(place, line),
                    None => Err("there is an address before the first [group]".to_owned()),
                },
            };
            result.map_err(|what| format!("line {}: {what}", at + 1))?;
        }
        Ok(())
    }

    /// `Group: address = Display name`.
    fn add_entry(&mut self, entry: &str) -> Result<(), String> {
        let (name, member) = entry.split_once(':').ok_or(format!("`{entry}` names no group"))?;
        let place = self.group(name)?;
        self.add_member(place, member)
    }

    /// The group of this name, with or without a plus sign before it; a new one if there is none yet.
    fn group(&mut self, name: &str) -> Result<usize, String> {
        let name = name.trim();
        let (name, shown) = match name.strip_prefix('+') {
            Some(rest) => (rest.trim(), Shown::ToEverybody),
            None => (name, Shown::ToMembers),
        };
        if name.is_empty() {
            return Err("a group has no name".to_owned());
        }
        refuse_unfit_name(name)?;
        match self.groups.iter().position(|group| *group.name == *name) {
            Some(place) if self.groups[place].shown == shown => Ok(place),
            Some(_) => Err(format!("the group {name} is written with a plus sign in one place and without in another")),
            None => {
                self.groups.push(Group { name: name.into(), shown, members: BTreeMap::new(), fingerprint: 0 });
                Ok(self.groups.len() - 1)
            }
        }
    }

    /// `address` or `address=Display name`.
    fn add_member(&mut self, place: usize, member: &str) -> Result<(), String> {
        // A local part may have an equals sign in it, a domain may not.
        let equals = member.find('@').and_then(|at| member[at..].find('=').map(|equals| at + equals));
        let (address, name) = match equals {
            Some(equals) => (member[..equals].trim(), member[equals + 1..].trim()),
            None => (member.trim(), ""),
        };
        let jid = Jid::parse(address).map_err(|why| format!("`{address}` is not an address: {why}"))?;
        if jid.local().is_none() || !jid.is_bare() {
            return Err(format!("`{address}` is not the address of an account, such as alice@example.org"));
        }
        refuse_unfit_name(name)?;
        let group = &mut self.groups[place];
        let name = (!name.is_empty()).then(|| name.into());
        match group.members.insert(jid, name) {
            Some(_) => Err(format!("`{address}` is in the group {} twice", group.name)),
            None => Ok(()),
        }
    }

    fn indexed(mut self) -> Groups {
        for (place, group) in self.groups.iter_mut().enumerate() {
            let mut hasher = DefaultHasher::new();
            (&group.name, group.shown, &group.members).hash(&mut hasher);
            group.fingerprint = hasher.finish();
            if group.shown == Shown::ToEverybody {
                self.public.push(place);
            }
            for jid in group.members.keys() {
                self.member_of.entry(jid.clone()).or_default().push(place);
            }
        }
        self
    }
}

fn refuse_unfit_name(name: &str) -> Result<(), String> {
    match name {
        _ if name.len() > NAME_BYTES_MAX => Err(format!("a name is longer than {NAME_BYTES_MAX} bytes")),
        _ if name.chars().any(char::is_control) => Err("a name has a control character".to_owned()),
        _ => Ok(()),
    }
}

fn domain_of(bare: &str) -> &str {
    bare.rsplit_once('@').map_or(bare, |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}# people\n[Team]\nalice@localhost=Alice \n  bob@localhost\n\n[Chess]\nbob@localhost = Bobby Fischer\n\
                        carol@localhost\n[+Help desk]\ncarol@localhost=Help!\ndave@localhost\n";

    fn groups() -> Groups {
        Groups::parse(TEXT).unwrap()
    }

    /// The contacts in short: address, name, groups, and what is seen.
    fn of(groups: &Groups, bare: &str) -> Vec<String> {
        let shown = |contact: GroupContact| {
            let name = contact.name.as_deref().unwrap_or("-");
            format!("{} {name} {} {}", contact.jid, contact.groups.join("+"), contact.subscription.as_attr())
        };
        groups.contacts_of(bare).into_iter().map(shown).collect()
    }

    #[test]
    fn members_of_a_group_see_each_other_and_nobody_sees_himself() {
        let alice =
            ["bob@localhost - Team both", "carol@localhost Help! Help desk to", "dave@localhost - Help desk to"];
        assert_eq!(of(&groups(), "alice@localhost"), alice);
        let bob = [
            "alice@localhost Alice Team both",
            "carol@localhost Help! Chess+Help desk both",
            "dave@localhost - Help desk to",
        ];
        assert_eq!(of(&groups(), "bob@localhost"), bob);
    }

    #[test]
    fn everybody_sees_a_public_group_and_its_members_see_each_other_only() {
        let groups = groups();
        let nobody = ["carol@localhost Help! Help desk to", "dave@localhost - Help desk to"];
        assert_eq!(of(&groups, "nobody@localhost"), nobody);
        assert_eq!(of(&groups, "dave@localhost"), ["carol@localhost Help! Help desk both"]);
        assert!(groups.is_seen_by_everybody("dave@localhost") && !groups.is_seen_by_everybody("alice@localhost"));
        assert!(!groups.contacts_of("nobody@localhost").is_empty());
        assert!(Groups::parse("[Team]\nalice@localhost").unwrap().contacts_of("nobody@localhost").is_empty());
    }

    #[test]
    fn presence_is_seen_as_the_contacts_say() {
        let groups = groups();
        let all = ["alice@localhost", "bob@localhost", "carol@localhost", "dave@localhost", "nobody@localhost"];
        for viewer in all {
            let contacts = groups.contacts_of(viewer);
            for owner in all.into_iter().filter(|owner| *owner != viewer) {
                let contact = contacts.iter().find(|contact| contact.jid.as_str() == owner);
                assert_eq!(groups.may_see(owner, viewer), contact.is_some(), "{viewer} sees {owner}");
                let back = groups.may_see(viewer, owner);
                assert!(contact.is_none_or(|contact| contact.subscription.from == back), "{owner} sees {viewer}");
            }
        }
        assert!(!groups.may_see("carol@localhost", "carol@elsewhere.example"), "everybody means the host");
    }

    #[test]
    fn the_fingerprint_changes_with_what_an_account_sees_and_with_nothing_else() {
        let before = groups();
        let after = Groups::parse(&TEXT.replace("=Alice", "=Alice Liddell")).unwrap();
        let same = |bare: &str| before.fingerprint_of(bare) == after.fingerprint_of(bare);
        assert!(!same("bob@localhost") && same("carol@localhost") && same("nobody@localhost"));
        let joined = Groups::parse(&format!("{TEXT}nobody@localhost\n")).unwrap();
        assert_ne!(joined.fingerprint_of("nobody@localhost"), before.fingerprint_of("nobody@localhost"));
        assert_eq!(Groups::parse("[Team]\nalice@localhost").unwrap().fingerprint_of("bob@localhost"), 0);
        assert_eq!(Groups::default().fingerprint_of("alice@localhost"), 0);
    }

    #[test]
    fn a_mistake_tells_its_line() {
        for (text, told) in [
            ("alice@localhost", "line 1: there is an address before the first [group]"),
            ("[Team", "line 1: a group is written as [Name] or [+Name]"),
            ("[]", "line 1: a group has no name"),
            ("[+ ]", "line 1: a group has no name"),
            ("[Team]\n\nalice", "line 3: `alice` is not the address of an account"),
            ("[Team]\na@b@c", "line 2: `a@b@c` is not an address"),
            ("[Team]\nalice@localhost/phone", "line 2: `alice@localhost/phone` is not the address of an account"),
            ("[Team]\nalice@localhost\nALICE@localhost=A", "line 3: `ALICE@localhost` is in the group Team twice"),
            ("[Team]\n[+Team]", "line 2: the group Team is written with a plus sign in one place"),
            ("[Team]\nalice@localhost=\u{1}", "line 2: a name has a control character"),
        ] {
            let error = Groups::parse(text).unwrap_err();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }

    #[test]
    fn entries_of_the_configuration_come_to_those_of_the_file() {
        let folder = std::env::temp_dir().join(format!("metronome-groups-{}", std::process::id()));
        std::fs::write(&folder, "[Team]\nalice@localhost\n").unwrap();
        let values = Values::defaults(&[SETTINGS])
            .with("groups.file", &format!("{:?}", folder.display().to_string()))
            .with("groups.members", r#"["Team: bob@localhost = Bob", "+All: a=b@localhost=C=D"]"#);
        let groups = load(&values).unwrap();
        std::fs::remove_file(&folder).unwrap();
        assert_eq!(of(&groups, "alice@localhost"), ["a=b@localhost C=D All to", "bob@localhost Bob Team both"]);
        let gone = load(&values).unwrap_err();
        assert_eq!(gone.setting.key, "groups.file");
        assert!(gone.message.contains("metronome-groups-"), "{}", gone.message);
    }

    #[test]
    fn a_mistake_in_an_entry_tells_its_number() {
        for (entries, told) in [
            (r#"["bob@localhost"]"#, "entry 1: `bob@localhost` names no group"),
            (r#"["Team: bob@localhost", "Team: bob"]"#, "entry 2: `bob` is not the address of an account"),
            (r#"[": bob@localhost"]"#, "entry 1: a group has no name"),
        ] {
            let unfit = load(&Values::defaults(&[SETTINGS]).with("groups.members", entries)).unwrap_err();
            assert!(unfit.setting.key == "groups.members" && unfit.message.starts_with(told), "{}", unfit.message);
        }
    }

    #[test]
    fn no_setting_means_no_groups() {
        assert!(load(&Values::defaults(&[SETTINGS])).unwrap().is_empty());
    }
}
