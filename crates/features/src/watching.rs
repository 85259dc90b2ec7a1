//! The metrics of the server, and what programs that watch it start from: a dashboard for Grafana and alerts for Prometheus. The metrics are in
//! `net`, which tells them to those programs too and compares the names. Keeps nothing.

use std::sync::Arc;

use metronome_host::command::{Answer, Command, Does, Failed, Role};
use metronome_host::feature::Feature;
use metronome_host::server::Server;

/// The dashboard, in JSON.
const DASHBOARD: &str = include_str!("../../../packaging/grafana/metronome.json");
/// The alerts, in YAML.
const ALERTS: &str = include_str!("../../../packaging/prometheus/alerts.yml");

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "watching",
    commands: &[
        Command {
            name: "metrics",
            about: "Prints the metrics of this server.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(metrics(server)),
        },
        Command {
            name: "dashboard export",
            about: "Prints a dashboard for Grafana that shows the metrics of this server.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |_, _| Box::pin(std::future::ready(Ok(Answer::text(DASHBOARD.trim_end())))),
        },
        Command {
            name: "alerts export",
            about: "Prints rules for Prometheus that tell of what needs somebody.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |_, _| Box::pin(std::future::ready(Ok(Answer::text(ALERTS.trim_end())))),
        },
    ],
    ..Feature::NONE
};

async fn metrics(server: &Arc<Server>) -> Result<Answer, Failed> {
    let told = server.outside()?.metrics(server).await;
    told.map(|text| Answer::text(text.trim_end())).ok_or_else(|| Failed::problem("nothing is counted here"))
}
