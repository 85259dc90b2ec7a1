//! What people switch on and off for themselves by commands: what an idle device is spared (XEP-0352), and what push services learn
//! (XEP-0357). Stores the switches of `host::switches`; who goes by them reads the account's facts.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Offered, Role};
use metronome_host::effect::Effect;
use metronome_host::feature::Feature;
use metronome_host::server::Server;
use metronome_host::switches::{Position, Switch, Switches};
use metronome_model::{AccountId, Drawer, Op, Outcome, Record};
use metronome_proto::jid::Jid;

use crate::accounts;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "switches",
    commands: &[
        Command {
            name: "switch list",
            about: "Lists what an account has switched on or off for itself.",
            role: Role::User,
            does: Does::Tells,
            fields: &[Field::own()],
            run: |server, given| Box::pin(list(server, given)),
        },
        Command {
            name: "switch set",
            about: "Chooses what can wait while a device is idle, and what push services learn.",
            role: Role::User,
            does: Does::Changes,
            fields: &[
                Field::own(),
                field(Switch::PushSender).offering(|server, jid| Box::pin(offered(server, jid, Switch::PushSender))),
                field(Switch::PushBody).offering(|server, jid| Box::pin(offered(server, jid, Switch::PushBody))),
                field(Switch::InactiveChatStates)
                    .offering(|server, jid| Box::pin(offered(server, jid, Switch::InactiveChatStates))),
                field(Switch::InactiveRooms).offering(|server, jid| Box::pin(offered(server, jid, Switch::InactiveRooms))),
            ],
            run: |server, given| Box::pin(set(server, given)),
        },
    ],
    ..Feature::NONE
};

/// What a switch can be; the first is as the server has it for everybody.
const POSITIONS: &[&str] = &["usual", "on", "off"];

const fn field(switch: Switch) -> Field {
    let (name, about) = match switch {
        Switch::PushSender => ("push-sender", "Push services learn who wrote (where the server tells them at all)."),
        Switch::PushBody => ("push-body", "Push services learn what was written (where the server tells them at all)."),
        Switch::InactiveChatStates => ("chat-states", "Who is writing is told to an idle device later (on), or never (off)."),
        Switch::InactiveRooms => ("rooms", "Messages in rooms that do not mention you wait for an idle device (on), or wake it (off)."),
        // What administrators have, by a command of its own.
        Switch::OwnsRooms => ("owns-rooms", "An administrator is an owner of all rooms of its domain."),
    };
    Field::optional(name, FieldKind::Choice(POSITIONS), about)
}

fn word(position: Option<Position>) -> &'static str {
    match position {
        None => "usual",
        Some(Position::On) => "on",
        Some(Position::Off) => "off",
    }
}

async fn switches(server: &Server, account: AccountId) -> Result<Switches, Failed> {
    let documents = server.store.documents(account, &[Drawer::Switches]).await;
    documents.map(|documents| Switches::from_documents(&documents)).map_err(|error| {
        tracing::error!(%error, "the switches of an account could not be read");
        Failed::problem("the store cannot be read")
    })
}

async fn offered(server: &Arc<Server>, jid: Jid, switch: Switch) -> Result<Offered, Failed> {
    let (_, account) = accounts::find(server, &jid).await?;
    let now = switches(server, account.id).await?.get(switch);
    Ok(Offered { choices: Vec::new(), current: Some(word(now).to_owned()) })
}

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let (_, account) = accounts::find(server, &given.jid("jid")).await?;
    let now = switches(server, account.id).await?;
    let row = |switch: &Switch| {
        let Field { name, about, .. } = field(*switch);
        vec![Cell::text(name), Cell::text(word(now.get(*switch))), Cell::text(about)]
    };
    Ok(Answer::Table { columns: &["switch", "is", "about"], rows: Switch::OF_PEOPLE.iter().map(row).collect() })
}

async fn set(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let jid = given.jid("jid");
    let (_, account) = accounts::find(server, &jid).await?;
    if account.id.is_guest() {
        return Err(Failed::problem("a guest has no switches"));
    }
    let _locked = server.owners.lock(&[account.id]).await;
    let before = switches(server, account.id).await?;
    let mut record = Record::default();
    for switch in Switch::OF_PEOPLE {
        let wanted = match given.text_if_given(field(switch).name) {
            Some("on") => Some(Position::On),
            Some("off") => Some(Position::Off),
            Some(_) => None,
            None => continue,
        };
        if wanted != before.get(switch) {
            record.push(Op::SetDocument { owner: account.id, document: Box::new(switch.document(wanted)) });
        }
    }
    if record.is_empty() {
        return Ok(Answer::text("everything is as it was"));
    }
    match server.commit_with(record, vec![Effect::Forget(jid.bare())]).await {
        Outcome::Done { .. } => {}
        _ => return Err(Failed::problem("it cannot be stored now")),
    }
    // Whoever only looks at what is in memory finds the new ones.
    let _ = server.facts.of(&*server.store, &jid).await;
    Ok(Answer::text("it counts from the next time a device is idle, and from the next push"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_has_a_field_of_its_own() {
        let set = FEATURE.commands.iter().find(|command| command.name == "switch set").unwrap();
        for switch in Switch::OF_PEOPLE {
            assert_eq!(set.fields.iter().filter(|shown| shown.name == field(switch).name).count(), 1, "{switch:?}");
        }
        assert_eq!(set.fields.len(), 1 + Switch::OF_PEOPLE.len());
    }
}
