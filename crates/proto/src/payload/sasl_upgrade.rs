//! XEP-0480: SASL Upgrade Tasks: what a client with the password tells the server for a mechanism that the account has no keys for.

use crate::ns;
use crate::xml::{Element, Tree};

/// What stands in the stream feature of XEP-0388: the name of a task.
pub fn feature(task: &str) -> Tree {
    Tree::new(ns::SASL_UPGRADE, "upgrade").text(task)
}

/// The tasks that a client asks for inside of `<authenticate/>`.
pub fn asked(authenticate: &Element) -> impl Iterator<Item = String> + '_ {
    let upgrades = authenticate.children().filter(|child| child.is(ns::SASL_UPGRADE, "upgrade"));
    upgrades.map(|upgrade| upgrade.text().trim().to_owned())
}

/// What a client needs for a SCRAM mechanism (section 3); the salt is base64.
pub fn salt(salt: &str, iterations: u32) -> Tree {
    Tree::new(ns::SCRAM_UPGRADE, "salt").attr("iterations", iterations.to_string()).text(salt)
}

/// The salted password in the client's `<task-data/>`, base64.
pub fn hash(task_data: &Element) -> Option<String> {
    task_data.child(ns::SCRAM_UPGRADE, "hash").map(|hash| hash.text().into_owned())
}
