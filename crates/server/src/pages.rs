//! The generated pages of the documentation: options from the settings, specifications and commands from the features.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metronome_features::adhoc;
use metronome_host::command::{Command, Field, Role};

use crate::config;
use crate::tables::{commands as tables, settings};

/// `docs/options.md`.
pub fn options() -> String {
    config::reference(settings())
}

/// `docs/xeps.md`.
pub fn xeps() -> String {
    let mut rows = BTreeMap::new();
    for feature in metronome_features::ALL {
        for xep in feature.xeps {
            rows.insert(xep.number, (xep, feature.name));
        }
    }
    let mut page = "# Implemented XEPs\n\nGenerated from the features' own declarations.\n\n\
                    | XEP | title | version | feature |\n|---|---|---|---|\n"
        .to_owned();
    for (number, (xep, feature)) in rows {
        let _ = writeln!(
            page,
            "| [{number:04}](https://xmpp.org/extensions/xep-{number:04}.html) | {} | {} | {feature} |",
            xep.title, xep.version
        );
    }
    page
}

/// `docs/commands.md`.
pub fn commands() -> String {
    let mut page = "# Commands\n\nGenerated from the commands' own declarations. `metronomectl COMMAND --help` tells the same; how they are \
                    run with a chat client is told in [Running the server](admin/commands.md).\n\n\
                    | command | takes | does | class | node (XEP-0050) |\n|---|---|---|---|---|\n"
        .to_owned();
    for command in tables().iter().copied().flatten() {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | `{}` |",
            command.name,
            takes(command),
            command.about,
            class(command.role),
            adhoc::node_of(command)
        );
    }
    page
}

fn takes(command: &Command) -> String {
    let field = |field: &Field| match field.required {
        true => field.name.to_owned(),
        false => format!("[{}]", field.name),
    };
    command.fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn class(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Admin => "admin",
        Role::Operator => "operator",
    }
}
