//! Nodes of publish-subscribe: that somebody reaches them.

use metronome_host::command::{Failed, Finding};
use metronome_host::server::Server;

use crate::pubsub::upkeep;

const AREA: &str = "nodes";

/// Services of earlier names that have nodes; nothing where all is well. With a domain, only those below it.
pub(super) async fn check(server: &Server, domain: Option<&str>) -> Result<Vec<Finding>, Failed> {
    let unread = |error| Failed::problem(format!("the nodes cannot be read: {error}"));
    let found = upkeep::unreachable(server).await.map_err(unread)?;
    let is_below = |name: &str, domain: &str| name.strip_suffix(domain).is_some_and(|label| label.is_empty() || label.ends_with('.'));
    let is_meant = |name: &str| domain.is_none_or(|domain| is_below(name, domain));
    let finding = |(name, nodes): (Box<str>, u64)| {
        let mend = "give a service that name again with pubsub.service, a whole name with a dot in it";
        Finding::warning(AREA, format!("{name}: nobody reaches its {nodes} nodes, since nothing here has that name"), mend)
    };
    Ok(found.into_iter().filter(|(name, _)| is_meant(name)).map(finding).collect())
}
