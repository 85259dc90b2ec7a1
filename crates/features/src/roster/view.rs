//! The roster as clients see it: stored rows and shared groups as one list, and the text of its version (RFC 6121 section 2.6).

use std::collections::BTreeMap;

use metronome_host::groups::GroupContact;
use metronome_model::{AccountId, Contact, Listed};
use metronome_proto::jid::Jid;
use metronome_proto::payload::roster::Item;
use metronome_proto::subscription::Subscription;
use metronome_proto::xml::Tree;

/// The text of a version. It begins with the account, so that a later one with the same name never says what this one said, and
/// ends with what the shared groups were.
pub(super) fn version(account: AccountId, current: u64, groups: u64) -> String {
    let [a, b, c, d, ..] = *account.as_bytes();
    match groups {
        0 => format!("{a:02x}{b:02x}{c:02x}{d:02x}-{current}"),
        _ => format!("{a:02x}{b:02x}{c:02x}{d:02x}-{current}-{groups:x}"),
    }
}

/// The number in a version that this account was told, if its groups are still the same.
pub(super) fn since(text: &str, account: AccountId, groups: u64) -> Option<u64> {
    let number = text.split('-').nth(1)?.parse().ok()?;
    (version(account, number, groups) == text).then_some(number)
}

/// All items: the rows that are listed, and the members of shared groups.
pub(super) fn all(rows: &[Contact], groups: &[GroupContact]) -> Vec<Tree> {
    let mut members: BTreeMap<&str, &GroupContact> =
        groups.iter().map(|member| (member.jid.as_str(), member)).collect();
    let mut items = Vec::with_capacity(rows.len() + groups.len());
    for row in rows {
        let member = members.remove(row.jid.as_str());
        if row.listed == Listed::Yes || member.is_some() {
            items.push(item(row, member));
        }
    }
    items.extend(members.into_values().map(|member| item(&Contact::unknown(member.jid.clone()), Some(member))));
    items
}

/// One item, as the row and the groups together make it.
pub(super) fn item(row: &Contact, member: Option<&GroupContact>) -> Tree {
    let Some(member) = member else {
        return tree(&row.jid, row.name.as_deref(), &row.groups, row.subscription);
    };
    let mut groups: Vec<Box<str>> = row.groups.iter().chain(&member.groups).cloned().collect();
    groups.sort_unstable();
    groups.dedup();
    let Subscription { to, from, .. } = member.subscription;
    let shown =
        Subscription { to: to || row.subscription.to, from: from || row.subscription.from, ..Subscription::NONE };
    tree(&row.jid, row.name.as_deref().or(member.name.as_deref()), &groups, shown)
}

fn tree(jid: &Jid, name: Option<&str>, groups: &[Box<str>], subscription: Subscription) -> Tree {
    Item { jid, name, groups, subscription }.tree()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn a_version_counts_for_its_account_and_its_groups_only() {
        let account = AccountId::from_bytes([7; 16]);
        assert_eq!(since(&version(account, 12, 0), account, 0), Some(12));
        assert_eq!(since(&version(account, 12, 9), account, 9), Some(12));
        assert_eq!(since(&version(account, 12, 9), account, 8), None);
        assert_eq!(since(&version(account, 12, 9), account, 0), None);
        assert_eq!(since(&version(AccountId::from_bytes([8; 16]), 12, 0), account, 0), None);
        for text in ["", "12", "-", "07070707-", "07070707-x", "07070707-12-", "07070707-012", "07070707-+12"] {
            assert_eq!(since(text, account, 0), None, "{text}");
        }
    }

    #[test]
    fn groups_and_rows_are_one_list() {
        let row = |address: &str, listed| Contact { listed, ..Contact::unknown(jid(address)) };
        let rows =
            [row("asked@localhost", Listed::No), row("bob@localhost", Listed::Yes), row("eve@localhost", Listed::No)];
        let member = |address: &str| GroupContact {
            jid: jid(address),
            name: Some("N".into()),
            groups: vec!["G".into()],
            subscription: Subscription { to: true, from: true, ..Subscription::NONE },
        };
        let items = all(&rows, &[member("carol@localhost"), member("eve@localhost")]);
        let shown: Vec<_> =
            items.iter().map(|item| (item.get_attr("jid").unwrap(), item.get_attr("subscription").unwrap())).collect();
        assert_eq!(shown, [("bob@localhost", "none"), ("eve@localhost", "both"), ("carol@localhost", "both")]);
    }
}
