//! Nodes that documents say more about than XEP-0060 does: how such a node is configured where nobody says otherwise. A client that
//! forgets to close a node of secrets, or to open one of public keys, does no harm; what it does say counts.

use crate::config::{AccessModel, Amount, Config, ItemReply, PublishModel, SendLast};

/// The type of nodes with posts (XEP-0472 section 5.1); other types of posts begin with it.
const SOCIAL_FEED: &str = "urn:xmpp:pubsub-social-feed:";

/// Names of nodes, one that ends in `*` for all that begin like it, and what changes in their configuration.
type Profile = (&'static [&'static str], fn(&mut Config));

/// What nodes are by default, by their names.
const BY_NAME: &[Profile] = &[
    // XEP-0223: what is nobody else's business, in one item: bookmarks of XEP-0048, and a key of XEP-0373.
    (&["storage:bookmarks", "urn:xmpp:openpgp:0:secret-key"], private_item),
    // The same with an item for each room, chat or contact: XEP-0402, XEP-0490 and XEP-0292 section 5.2.
    (&["urn:xmpp:bookmarks:1", "urn:xmpp:mds:displayed:0", "urn:xmpp:contacts"], private_list),
    // Keys that everybody needs: XEP-0384, as it is and as most clients have it, and XEP-0373.
    (&["urn:xmpp:omemo:2:devices", "eu.siacs.conversations.axolotl.devicelist"], public),
    (&["urn:xmpp:omemo:2:bundles"], public_list),
    (&["eu.siacs.conversations.axolotl.bundles:*", "urn:xmpp:openpgp:0:public-keys*"], public),
    // XEP-0330: what somebody wants everybody to know of their subscriptions.
    (&["urn:xmpp:pubsub:subscription"], shared_list),
    (&["urn:xmpp:microblog:0"], microblog),
    (&["urn:xmpp:microblog:0:comments/*"], comments),
];

/// What a node of this name is by default, over what all nodes there are.
#[must_use]
pub(crate) fn by_name(node: &str, mut config: Config) -> Config {
    let is_called = |name: &&str| match name.strip_suffix('*') {
        Some(beginning) => node.starts_with(beginning),
        None => *name == node,
    };
    if let Some((_, change)) = BY_NAME.iter().find(|(names, _)| names.iter().any(is_called)) {
        change(&mut config);
    }
    config
}

/// What a node of this type is by default (XEP-0472 section 5).
#[must_use]
pub(crate) fn by_type(kind: &str, mut config: Config) -> Config {
    if kind.starts_with(SOCIAL_FEED) {
        posts(&mut config);
        config.deliver_payloads = false;
    }
    config
}

fn private(config: &mut Config) {
    config.access_model = AccessModel::Whitelist;
    config.persist_items = true;
}

fn private_item(config: &mut Config) {
    private(config);
    config.max_items = Amount::Count(1);
}

fn private_list(config: &mut Config) {
    private(config);
    config.max_items = Amount::Max;
    config.send_last_published_item = SendLast::Never;
    config.notify_retract = true;
}

fn public(config: &mut Config) {
    config.access_model = AccessModel::Open;
    config.persist_items = true;
}

fn public_list(config: &mut Config) {
    public(config);
    config.max_items = Amount::Max;
}

fn shared_list(config: &mut Config) {
    public_list(config);
    config.send_last_published_item = SendLast::Never;
    config.notify_retract = true;
}

fn posts(config: &mut Config) {
    config.notify_retract = true;
    config.max_items = Amount::Max;
    config.persist_items = true;
    config.send_last_published_item = SendLast::Never;
}

/// XEP-0277 section 6.1.
fn microblog(config: &mut Config) {
    posts(config);
    config.r#type = "urn:xmpp:microblog:0".into();
}

/// XEP-0277 section 6.2; whoever may read may comment, and is named (section 10.1).
fn comments(config: &mut Config) {
    posts(config);
    config.access_model = AccessModel::Open;
    config.publish_model = PublishModel::Open;
    config.itemreply = ItemReply::Publisher;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(node: &str) -> Config {
        let account = Config { access_model: AccessModel::Presence, max_items: Amount::Count(1), ..Config::base() };
        by_name(node, account)
    }

    #[test]
    fn nodes_of_secrets_are_closed_and_those_of_public_keys_open() {
        for node in [
            "storage:bookmarks",
            "urn:xmpp:bookmarks:1",
            "urn:xmpp:mds:displayed:0",
            "urn:xmpp:contacts",
            "urn:xmpp:openpgp:0:secret-key",
        ] {
            assert_eq!(of(node).access_model, AccessModel::Whitelist, "{node}");
        }
        for node in [
            "urn:xmpp:omemo:2:devices",
            "urn:xmpp:omemo:2:bundles",
            "eu.siacs.conversations.axolotl.devicelist",
            "eu.siacs.conversations.axolotl.bundles:1234",
            "urn:xmpp:openpgp:0:public-keys",
            "urn:xmpp:openpgp:0:public-keys:AB12",
            "urn:xmpp:pubsub:subscription",
        ] {
            assert_eq!(of(node).access_model, AccessModel::Open, "{node}");
        }
        for node in ["urn:xmpp:avatar:data", "urn:xmpp:bookmarks:10", "urn:xmpp:contacts2", ""] {
            assert_eq!(of(node).access_model, AccessModel::Presence, "{node}");
        }
    }

    #[test]
    fn lists_keep_all_their_items() {
        for node in
            ["urn:xmpp:bookmarks:1", "urn:xmpp:mds:displayed:0", "urn:xmpp:omemo:2:bundles", "urn:xmpp:microblog:0"]
        {
            assert_eq!(of(node).max_items, Amount::Max, "{node}");
        }
        assert_eq!(of("storage:bookmarks").max_items, Amount::Count(1));
        assert!(of("urn:xmpp:bookmarks:1").notify_retract);
    }

    #[test]
    fn everybody_may_comment_and_is_named() {
        let comments = of("urn:xmpp:microblog:0:comments/dd88c9bc");
        assert_eq!((comments.access_model, comments.publish_model), (AccessModel::Open, PublishModel::Open));
        assert_eq!(comments.itemreply, ItemReply::Publisher);
        assert_eq!(of("urn:xmpp:microblog:0").publish_model, PublishModel::Publishers);
    }

    #[test]
    fn posts_are_kept_and_fetched() {
        let feed = by_type("urn:xmpp:pubsub-social-feed:gallery:1", Config::base());
        assert!(feed.notify_retract && feed.persist_items && !feed.deliver_payloads);
        assert_eq!(feed.send_last_published_item, SendLast::Never);
        assert_eq!(by_type("urn:example:x", Config::base()), Config::base());
    }
}
