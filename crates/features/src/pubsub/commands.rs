//! Nodes as administrators see and change them: those of an account, of a domain, or of a service, by their address.

use std::sync::Arc;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::{Affiliation, NodeKind, Outcome};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field as FormField, FormType};
use metronome_proto::payload::delay::format_time;
use metronome_proto::payload::pubsub::OwnerRequest;
use metronome_pubsub::Node;
use metronome_pubsub::config::Config;
use metronome_store::nodes::ListedNode;

use super::asked::Asked;
use super::change::{self, Who};
use super::nodes;
use super::place::Place;

/// Most nodes in one answer.
const LISTED_MAX: usize = 10_000;

const ADDRESS: Field = Field::required(
    "address",
    FieldKind::Text,
    "Whose nodes: a service such as pubsub.example.org, a domain, or an account.",
)
.positional();
const NODE: Field = Field::required("node", FieldKind::Text, "The name of the node.").positional();

/// The commands.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "node list",
        about: "Lists the nodes of a pubsub service, of a domain, or of an account.",
        role: Role::Operator,
        does: Does::Tells,
        fields: &[ADDRESS],
        run: |server, given| Box::pin(list(server, given)),
    },
    Command {
        name: "node show",
        about: "Shows a node: its configuration, who may do what, and how much is in it.",
        role: Role::Operator,
        does: Does::Tells,
        fields: &[ADDRESS, NODE],
        run: |server, given| Box::pin(show(server, given)),
    },
    Command {
        name: "node configure",
        about: "Changes one setting of a node, as an owner may.",
        role: Role::Operator,
        does: Does::Changes,
        fields: &[
            ADDRESS,
            NODE,
            Field::required("field", FieldKind::Text, "The setting, such as access_model or max_items.").positional(),
            Field::required("value", FieldKind::Text, "Its value.").positional(),
        ],
        run: |server, given| Box::pin(configure(server, given)),
    },
    Command {
        name: "node purge",
        about: "Removes all items of a node.",
        role: Role::Operator,
        does: Does::Ends,
        fields: &[ADDRESS, NODE],
        run: |server, given| Box::pin(purge(server, given)),
    },
    Command {
        name: "node delete",
        about: "Removes a node with all that is in it.",
        role: Role::Operator,
        does: Does::Ends,
        fields: &[ADDRESS, NODE],
        run: |server, given| Box::pin(delete(server, given)),
    },
];

async fn list(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let place = place(server, &given).await?;
    let (mut rows, mut after): (Vec<_>, Option<Box<str>>) = (Vec::new(), None);
    while let Some(owner) = place.owner.filter(|_| rows.len() < LISTED_MAX) {
        let page = server.store.nodes(owner, after.as_deref(), 1000).await.map_err(unreadable)?;
        let Some(last) = page.last() else { break };
        after = Some(last.row.name.clone());
        let is_there = |node: &ListedNode| Config::decode(&node.row.config).moved.is_empty();
        rows.extend(page.into_iter().filter(is_there).map(|node| {
            vec![
                Cell::text(&*node.row.name),
                Cell::text(node.row.kind.as_str()),
                Cell::text(node.row.creator.as_str()),
                Cell::Count(node.size.items),
                Cell::Bytes(node.size.bytes),
            ]
        }));
    }
    Ok(Answer::Table { columns: &["node", "kind", "creator", "items", "bytes"], rows })
}

async fn show(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let (place, node) = find(server, &given).await?;
    let owner = place.owner.ok_or_else(|| absent(&given))?;
    let stored = server.store.node(owner, &node.name).await.map_err(unreadable)?.ok_or_else(|| absent(&given))?;
    let people = |affiliation| {
        let jids: Vec<_> = node.affiliated(affiliation).map(|jid| jid.as_str().to_owned()).collect();
        if jids.is_empty() { Cell::None } else { Cell::text(jids.join(" ")) }
    };
    let config = &node.config;
    let words = |text: &str| if text.is_empty() { Cell::None } else { Cell::text(text) };
    Ok(Answer::Facts(vec![
        ("node", Cell::text(&*node.name)),
        ("kind", Cell::text(node.kind.as_str())),
        ("title", words(&config.title)),
        ("type", words(&config.r#type)),
        ("creator", Cell::text(node.creator.as_str())),
        ("created", Cell::text(format_time(node.created_ms as i64))),
        ("access_model", Cell::text(config.access_model.as_str())),
        ("publish_model", Cell::text(config.publish_model.as_str())),
        ("persist_items", Cell::Flag(config.persist_items)),
        ("items", Cell::Count(stored.size.items)),
        ("bytes", Cell::Bytes(stored.size.bytes)),
        ("subscriptions", Cell::Count(node.subscribers().len() as u64)),
        ("owners", people(Affiliation::Owner)),
        ("publishers", people(Affiliation::Publisher)),
        ("members", people(Affiliation::Member)),
        ("outcasts", people(Affiliation::Outcast)),
        ("collection", Cell::Flag(node.kind == NodeKind::Collection)),
    ]))
}

async fn configure(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let field = given.text("field");
    let var = if field.contains('#') { field.to_owned() } else { format!("pubsub#{field}") };
    let values: Vec<&str> = given.text("value").split(' ').filter(|value| !value.is_empty()).collect();
    let is_list = ["contact", "roster_groups_allowed", "collection", "children"].contains(&field);
    let value = FormField::untyped(var);
    let value = if is_list { value.values(values) } else { value.value(given.text("value")) };
    let form = DataForm::new(FormType::Submit).field(FormField::hidden_form_type(ns::PUBSUB_NODE_CONFIG)).field(value);
    let request = OwnerRequest::Configure { node: given.text("node").into(), form };
    act(server, &given, request).await?;
    Ok(Answer::text(format!("{} is configured", given.text("node"))))
}

async fn purge(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    act(server, &given, OwnerRequest::Purge { node: given.text("node").into() }).await?;
    Ok(Answer::text(format!("{} is empty", given.text("node"))))
}

async fn delete(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    act(server, &given, OwnerRequest::Delete { node: given.text("node").into(), redirect: None }).await?;
    Ok(Answer::text(format!("{} is deleted", given.text("node"))))
}

/// What an owner may do as well; subscribers are told as they would be then.
async fn act(server: &Arc<Server>, given: &Arguments, request: OwnerRequest) -> Result<(), Failed> {
    let (place, _) = find(server, given).await?;
    let acted = change::act(server, &place, &Asked::Owner(request), &Who::owner(&place)).await;
    let acted = acted.map_err(|stopped| refused(&stopped.into()))?;
    match acted.commit(server).await {
        Outcome::Done { .. } => Ok(()),
        outcome => Err(Failed::problem(format!("nothing was changed: {outcome:?}"))),
    }
}

async fn place(server: &Arc<Server>, given: &Arguments) -> Result<Place, Failed> {
    let text = given.text("address");
    let jid = Jid::parse(text).map_err(|why| Failed::usage(format!("`address`: {why}")))?.bare();
    let unknown = || Failed::problem(format!("{jid} has no nodes here")).with_hint("metronomectl host list shows the services");
    if jid.local().is_none() {
        let host = server.hosts.load().answering(jid.domain()).cloned().ok_or_else(unknown)?;
        return Place::at(server, &host).await.map_err(|refuse| refused(&refuse));
    }
    let facts = server.facts.of(&*server.store, &jid).await.map_err(unreadable)?.ok_or_else(unknown)?;
    Place::of_account(server, facts.account.id, &jid).map_err(|refuse| refused(&refuse))
}

async fn find(server: &Arc<Server>, given: &Arguments) -> Result<(Place, Arc<Node>), Failed> {
    let place = place(server, given).await?;
    let owner = place.owner.ok_or_else(|| absent(given))?;
    let node = nodes::node(server, owner, given.text("node")).await.map_err(|refuse| refused(&refuse))?;
    Ok((place, node.ok_or_else(|| absent(given))?))
}

fn absent(given: &Arguments) -> Failed {
    let (node, address) = (given.text("node"), given.text("address"));
    Failed::problem(format!("{address} has no node `{node}`")).with_hint(format!("metronomectl node list {address}"))
}

fn refused(refuse: &Refuse) -> Failed {
    match refuse {
        Refuse::Bounce(error) => {
            let reasons: Vec<&str> = error.application.iter().map(|reason| reason.name()).collect();
            let why = error.text.clone().unwrap_or_else(|| reasons.join(" "));
            Failed::problem(format!("refused: {} {why}", error.condition.name()).trim_end().to_owned())
        }
        Refuse::Drop(why) => Failed::problem(*why),
    }
}

fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}
