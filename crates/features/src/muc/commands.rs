//! Rooms as administrators see and change them: over `metronomectl` and by ad-hoc commands. Everything that a room does because of them is
//! done by the room itself, in its order, as if an owner had asked for it.

mod change;
mod end;
mod list;
mod show;

use std::sync::Arc;

use metronome_host::command::{Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::feature::At;
use metronome_host::hosts::Host;
use metronome_host::rooms::{Answer as Answered, Question, Shown};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, Field as FormField, FormType};
use metronome_proto::ns;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;

use super::{NAME, defaults};

const ROOM: Field = Field::required("room", FieldKind::Room, "The room, such as coven@rooms.example.org.").positional();
const AFFILIATIONS: &[&str] = &["owner", "admin", "member", "none", "outcast"];

/// The commands.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "room list",
        about: "Lists the rooms of a domain, or of all domains.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[
            Field::optional("host", FieldKind::Service, "The domain, or its service with the rooms.").positional(),
            Field::optional("destroyed", FieldKind::Flag, "Those that were destroyed in favour of others."),
        ],
        run: |server, given| Box::pin(list::run(server, given)),
    },
    Command {
        name: "room show",
        about: "Shows a room: its configuration, who is in it, and how much is in its archive.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[ROOM],
        run: |server, given| Box::pin(show::show(server, given)),
    },
    Command {
        name: "room occupants",
        about: "Lists who is in a room, with their real addresses.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[ROOM],
        run: |server, given| Box::pin(show::occupants(server, given)),
    },
    Command {
        name: "room affiliations",
        about: "Lists what people are to a room: its owners, admins, members and outcasts.",
        role: Role::Admin,
        does: Does::Tells,
        fields: &[ROOM],
        run: |server, given| Box::pin(show::affiliations(server, given)),
    },
    Command {
        name: "room create",
        about: "Makes a room that stays when nobody is in it.",
        role: Role::Admin,
        does: Does::Changes,
        fields: &[
            ROOM,
            Field::required("owner", FieldKind::Text, "The bare address of its owner, here or elsewhere.").positional(),
            Field::optional("config", FieldKind::Lines, "What differs from the service's defaults, a line `field = value` for each."),
        ],
        run: |server, given| Box::pin(change::create(server, given)),
    },
    Command {
        name: "room set",
        about: "Changes one field of a room's configuration, as an owner may.",
        role: Role::Admin,
        does: Does::Changes,
        fields: &[
            ROOM,
            Field::required("field", FieldKind::Text, "The field, such as membersonly or maxusers.").positional(),
            Field::optional("value", FieldKind::Text, "Its value; several with spaces between them, nothing for none.").positional(),
        ],
        run: |server, given| Box::pin(change::set(server, given)),
    },
    Command {
        name: "room affiliation",
        about: "Makes somebody an owner, admin, member or outcast of a room, or nothing in particular.",
        role: Role::Admin,
        does: Does::Changes,
        fields: &[
            ROOM,
            Field::required("who", FieldKind::Text, "A bare address, or a domain to ban it.").positional(),
            Field::required("affiliation", FieldKind::Choice(AFFILIATIONS), "What they are from now on.").positional(),
            Field::optional("reason", FieldKind::Text, "Why, for those in the room."),
        ],
        run: |server, given| Box::pin(change::affiliation(server, given)),
    },
    Command {
        name: "room purge",
        about: "Removes messages from a room's archive: all of them, or those older than some days.",
        role: Role::Admin,
        does: Does::Ends,
        fields: &[ROOM, Field::optional("days", FieldKind::Count, "Only messages older than this many days.")],
        run: |server, given| Box::pin(end::purge(server, given)),
    },
    Command {
        name: "room destroy",
        about: "Ends a room with everything that is stored of it, with announcements beforehand if there are any.",
        role: Role::Admin,
        does: Does::Ends,
        fields: &[
            ROOM,
            Field::optional("alternate", FieldKind::Text, "The room to go to instead; who comes later is sent there too."),
            Field::optional("reason", FieldKind::Text, "Why, for those in the room."),
            Field::optional(
                "announce",
                FieldKind::Lines,
                "What the room says beforehand: lines of seconds and a text, each said so long after the one before it.",
            ),
        ],
        run: |server, given| Box::pin(end::destroy(server, given)),
    },
    Command {
        name: "room superuser",
        about: "Makes an administrator an owner of all rooms of its domain, or ends that.",
        role: Role::Admin,
        does: Does::Changes,
        fields: &[
            Field::own(),
            Field::required("state", FieldKind::Choice(&["on", "off"]), "Whether it owns them.").positional(),
        ],
        run: |server, given| Box::pin(change::superuser(server, given)),
    },
    Command {
        name: "room fields",
        about: "Lists the fields of a room's configuration.",
        role: Role::Operator,
        does: Does::Tells,
        fields: &[],
        run: |_, _| Box::pin(std::future::ready(Ok(show::fields()))),
    },
    Command {
        name: "room expire",
        about: "Ends rooms that nobody uses or owns now, and not within the hour.",
        role: Role::Operator,
        does: Does::Ends,
        fields: &[],
        run: |server, _| Box::pin(end::expire(server)),
    },
];

/// The service that a room belongs to.
fn service(server: &Server, room: &Jid) -> Result<Arc<Host>, Failed> {
    let hosts = server.hosts.load();
    let service = hosts.service(room.domain()).filter(|host| host.at() == At::Service(NAME)).cloned();
    service.ok_or_else(|| {
        Failed::problem(format!("{} is no service with rooms of this server", room.domain()))
            .with_hint("metronomectl host list shows the services")
    })
}

/// Asks a room; what it refuses is told in words.
async fn ask(server: &Server, room: &Jid, question: Question) -> Result<Answered, Failed> {
    service(server, room)?;
    server.rooms.ask(room, question).await.map_err(|error| refused(room, &error))
}

async fn shown(server: &Server, room: &Jid) -> Result<Shown, Failed> {
    match ask(server, room, Question::Show).await? {
        Answered::Shown(shown) => Ok(*shown),
        _ => Err(Failed::problem(format!("{room} does not say what it is"))),
    }
}

fn refused(room: &Jid, error: &StanzaError) -> Failed {
    match (error.condition, &error.text) {
        (Condition::ItemNotFound, _) => absent(room),
        (_, Some(text)) => Failed::problem(text.clone()),
        (Condition::Conflict, None) => Failed::problem(format!("{room} keeps an owner")),
        (condition, None) => Failed::problem(format!("{room} refuses it: {}", condition.name())),
    }
}

fn absent(room: &Jid) -> Failed {
    Failed::problem(format!("there is no room {room}")).with_hint(format!("metronomectl room list {}", room.domain()))
}

fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}

/// A form with these fields, each by its name and its value.
fn form<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<DataForm, Failed> {
    let mut form = DataForm::new(FormType::Submit).field(FormField::hidden_form_type(ns::MUC_ROOMCONFIG));
    for (name, value) in given {
        let field = defaults::field(name).ok_or_else(|| {
            let names: Vec<_> = defaults::table().fields().iter().map(|field| defaults::short(field.var)).collect();
            Failed::usage(format!("no room has a field `{name}`")).with_hint(format!("there are {}", names.join(", ")))
        })?;
        form = form.field(defaults::submitted(field, value));
    }
    Ok(form)
}
