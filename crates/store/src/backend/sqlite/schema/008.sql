-- What somebody is subscribed to is asked for with an owner and without one.
DROP INDEX node_subscriptions_by_jid;
CREATE INDEX node_subscriptions_by_jid ON node_subscriptions (bare, slot);
