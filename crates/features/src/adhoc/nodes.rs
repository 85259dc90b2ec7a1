//! Commands as nodes: those that XEP-0133 names have its names, the others ours. Each command has one node.

use metronome_host::command::{Command, Field, FieldKind};
use metronome_host::server::Server;
use metronome_proto::ns;

/// What the names of our own nodes begin with.
const OWN: &str = "urn:metronome:commands:";

/// A command as XEP-0133 has it.
#[derive(Debug)]
struct Standard {
    /// Behind `http://jabber.org/protocol/admin#`.
    node: &'static str,
    /// Its name in the table.
    command: &'static str,
    /// Our names of its fields and those of the document.
    fields: &'static [(&'static str, &'static str)],
    many: Many,
}

/// How many accounts a command is about at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Many {
    One,
    /// As many as are given: it is run for each.
    Several,
}

const STANDARD: &[Standard] = &[
    standard("add-user", "user add", &[("jid", "accountjid")], Many::One),
    standard("delete-user", "user delete", &[("jid", "accountjids")], Many::Several),
    standard("disable-user", "user disable", &[("jid", "accountjids")], Many::Several),
    standard("reenable-user", "user enable", &[("jid", "accountjids")], Many::Several),
    standard("end-user-session", "session kill", &[("jid", "accountjids")], Many::Several),
    standard("change-user-password", "user passwd", &[("jid", "accountjid")], Many::One),
];

const fn standard(
    node: &'static str,
    command: &'static str,
    fields: &'static [(&'static str, &'static str)],
    many: Many,
) -> Standard {
    Standard { node, command, fields, many }
}

/// The field in which XEP-0133 wants a new account's password once more.
pub(super) const VERIFY: &str = "password-verify";

/// One command as discovery and forms show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) command: &'static Command,
    standard: Option<&'static Standard>,
}

impl Node {
    /// All of them, in the order of the table.
    pub(super) fn all(server: &Server) -> impl Iterator<Item = Node> + use<> {
        server.registry.commands().map(Node::of)
    }

    /// The one of this name.
    pub(super) fn find(server: &Server, name: &str) -> Option<Node> {
        Node::all(server).find(|node| node.name() == name)
    }

    pub(super) fn of(command: &'static Command) -> Node {
        Node { command, standard: STANDARD.iter().find(|standard| standard.command == command.name) }
    }

    /// Its name in requests.
    pub(super) fn name(&self) -> String {
        match self.standard {
            Some(standard) => format!("{}#{}", ns::ADMIN, standard.node),
            None => format!("{OWN}{}", self.command.name.replace(' ', "-")),
        }
    }

    /// Its name for humans.
    pub(super) fn label(&self) -> &'static str {
        sentence(self.command.about)
    }

    /// What its forms say that they are.
    pub(super) fn form_type(&self) -> &'static str {
        if self.standard.is_some() { ns::ADMIN } else { "urn:metronome:commands" }
    }

    /// The name of a field in forms.
    pub(super) fn var(&self, field: &Field) -> &'static str {
        let fields = self.standard.map_or(&[][..], |standard| standard.fields);
        fields.iter().find(|(ours, _)| *ours == field.name).map_or(field.name, |(_, theirs)| theirs)
    }

    /// Whether a field takes several addresses, for each of which the command is run.
    pub(super) fn takes_many(&self, field: &Field) -> bool {
        let several = self.standard.is_some_and(|standard| standard.many == Many::Several);
        several && matches!(field.kind, FieldKind::Jid | FieldKind::Session)
    }

    /// Whether it goes as XEP-0133 says.
    pub(super) fn is_standard(&self) -> bool {
        self.standard.is_some()
    }

    /// Whether a password is wanted twice.
    pub(super) fn verifies(&self) -> bool {
        self.standard.is_some_and(|standard| standard.node == "add-user")
    }
}

/// What stands alone in a form or a list has no full stop.
pub(super) fn sentence(text: &'static str) -> &'static str {
    text.strip_suffix('.').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use metronome_host::command::Role;

    use super::*;

    fn all() -> impl Iterator<Item = Node> {
        crate::ALL.iter().flat_map(|feature| feature.commands).map(Node::of)
    }

    #[test]
    fn each_command_has_one_node_and_each_node_one_command() {
        let mut names: Vec<String> = all().map(|node| node.name()).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"http://jabber.org/protocol/admin#add-user".to_owned()));
        assert!(names.contains(&"urn:metronome:commands:session-list".to_owned()));
    }

    #[test]
    fn what_the_standard_names_is_in_the_table() {
        for standard in STANDARD {
            let command = all().find(|node| node.command.name == standard.command).unwrap().command;
            for (ours, _) in standard.fields {
                assert!(command.fields.iter().any(|field| field.name == *ours), "{} {ours}", standard.command);
            }
        }
    }

    /// Otherwise it would be about all domains, whoever's administrator asks.
    #[test]
    fn what_an_admin_may_run_is_about_an_account_a_room_or_a_domain() {
        for Node { command, .. } in all().filter(|node| node.command.role == Role::Admin) {
            let fills = |field: &Field| matches!(field.kind, FieldKind::Domain | FieldKind::Service);
            let names = |field: &Field| {
                matches!(field.kind, FieldKind::Jid | FieldKind::Session | FieldKind::Own | FieldKind::Room)
            };
            let narrows = |field: &Field| fills(field) || names(field);
            assert!(command.fields.iter().any(narrows), "{}", command.name);
            let named = command.fields.iter().any(|field| field.required && narrows(field));
            let filled = command.fields.iter().any(fills);
            assert!(named || filled, "{} without arguments is about everybody", command.name);
        }
    }

    #[test]
    fn what_a_user_may_run_is_about_the_own_account() {
        for Node { command, .. } in all().filter(|node| node.command.role == Role::User) {
            assert!(command.fields.iter().any(|field| field.kind == FieldKind::Own), "{}", command.name);
        }
    }

    #[test]
    fn only_a_password_can_be_verified() {
        for node in all().filter(Node::verifies) {
            assert!(node.command.fields.iter().any(|field| field.kind == FieldKind::Password));
        }
    }
}
