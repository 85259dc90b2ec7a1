//! The generated pages of the documentation: options from the settings, specifications and commands from the features, metrics from their table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use metronome_features::adhoc;
use metronome_host::command::{Command, Field, Role};
use metronome_net::metrics::{Metric, TABLE};

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

/// `docs/metrics.md`.
pub fn metrics() -> String {
    let mut page = "# Metrics\n\nGenerated from the metrics' own declarations. They are at `/metrics` of `listen.metrics`, in the text format of OpenMetrics 1.0 (or \
                    the one of Prometheus before it, for those who ask for that); [The metrics](admin/metrics.md) tells how to use them.\n\n\
                    | metric | type | unit | labels | what it says |\n|---|---|---|---|---|\n"
        .to_owned();
    let code =
        |names: &mut dyn Iterator<Item = &str>| names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for metric in TABLE {
        let Metric { kind, unit, labels, help, .. } = metric;
        let samples = metric.samples();
        let (names, labels) = (code(&mut samples.iter().map(String::as_str)), code(&mut labels.iter().copied()));
        let _ = writeln!(page, "| {names} | {} | {} | {labels} | {help} |", kind.as_str(), unit.unwrap_or_default());
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
