//! Who is told, as deliveries ask for it: subscribers and those who see the owner's presence, judged by the rosters of that moment.

use std::sync::Arc;

use metronome_host::effect::{Effect, Effects};
use metronome_host::notify::{self, Notify, Says, Told};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::stanza::message::MessageType;
use metronome_pubsub::config::NotificationType;
use metronome_pubsub::{Audience, ByPresence, Notification, Recipient, Subscribers, When};

use super::place::{Kind, Place};
use super::trust::{Live, Wants};

/// Notifications as effects.
pub(super) async fn notify(
    server: &Arc<Server>,
    effects: &mut Effects,
    place: &Place,
    notifications: Vec<Notification>,
    reply_to: Option<Jid>,
) -> Result<(), Refuse> {
    for notification in notifications {
        if let Some(notify) = message(server, place, notification, reply_to.clone(), Only::Everybody).await? {
            effects.push(Effect::Notify(Box::new(notify)));
        }
    }
    Ok(())
}

/// A notification for one client alone, whose address is full.
pub(super) async fn for_client(
    server: &Server,
    place: &Place,
    notification: Notification,
    client: &Jid,
) -> Result<Option<Notify>, Refuse> {
    message(server, place, notification, None, Only::Client(client.clone())).await
}

/// A notification for one person alone, whose address is bare.
pub(super) async fn for_contact(
    server: &Server,
    place: &Place,
    notification: Notification,
    contact: &Jid,
) -> Result<Option<Notify>, Refuse> {
    message(server, place, notification, None, Only::Contact(contact.bare())).await
}

/// Who is meant of all whom a notification is for.
#[derive(Debug)]
enum Only {
    Everybody,
    /// One client, whose address is full.
    Client(Jid),
    /// The clients of one person, whose address is bare.
    Contact(Jid),
}

impl Only {
    fn includes(&self, who: &Jid) -> bool {
        match self {
            Only::Everybody => true,
            Only::Client(client) => client == who,
            Only::Contact(contact) => contact.same_bare(who),
        }
    }
}

async fn message(
    server: &Server,
    place: &Place,
    notification: Notification,
    reply_to: Option<Jid>,
    only: Only,
) -> Result<Option<Notify>, Refuse> {
    let Some(owner) = place.owner else { return Ok(None) };
    let audience: Box<dyn notify::Audience> = match notification.to {
        Audience::These(jids) => Box::new(These(jids)),
        Audience::Subscribers(subscribers) => Box::new(Everybody::of(server, place, subscribers, only).await?),
    };
    let kind = match notification.style {
        NotificationType::Normal => MessageType::Normal,
        NotificationType::Headline => MessageType::Headline,
    };
    let content = notification.content.into();
    let id = server.rng.token().into();
    Ok(Some(Notify { owner, from: place.address.clone(), kind, id, content, reply_to, audience }))
}

/// Those to whom something is said that concerns them.
#[derive(Debug)]
struct These(Vec<Jid>);

impl notify::Audience for These {
    fn each(&self, _: &Server, tell: &mut dyn FnMut(&Told<'_>)) {
        for jid in &self.0 {
            tell(&Told { jid, extra: &[], says: Says::Nothing, when: notify::When::Always });
        }
    }

    fn len_max(&self) -> usize {
        self.0.len()
    }

    fn node(&self) -> Option<&str> {
        None
    }

    fn may_read(&self, _: &Server, _: &Jid) -> bool {
        false
    }
}

/// Whoever wants to hear of a node, and may.
#[derive(Debug)]
struct Everybody {
    subscribers: Subscribers,
    rosters: Live,
    contacts: Vec<Jid>,
    address: Option<Jid>,
    only: Only,
}

impl Everybody {
    async fn of(
        server: &Server,
        place: &Place,
        subscribers: Subscribers,
        only: Only,
    ) -> Result<Everybody, Refuse> {
        let by_presence = subscribers.by_presence == ByPresence::Subscribes;
        let is_away = place.owner.is_none_or(|owner| server.sessions.contacts(owner).is_none());
        let wants = match by_presence && is_away && place.kind == Kind::Account {
            true => Wants::Contacts,
            false => Wants::Subscribers,
        };
        let nodes = [Some(subscribers.judged()), subscribers.before.as_ref()].into_iter().flatten();
        let models: Vec<_> = nodes.map(|node| node.config.access_model).collect();
        let rosters = Live::of(server, place, subscribers.judged(), &models, wants).await?;
        let contacts = if wants == Wants::Contacts { rosters.contacts() } else { Vec::new() };
        let address = (place.kind == Kind::Account).then(|| place.address.clone());
        Ok(Everybody { subscribers, rosters, contacts, address, only })
    }
}

impl notify::Audience for Everybody {
    fn each(&self, server: &Server, tell: &mut dyn FnMut(&Told<'_>)) {
        let now_ms = server.clock.unix_ms();
        let trust = |_: &metronome_pubsub::Node, who: &Jid| self.rosters.trust(server, who);
        let each = |recipient: Recipient<'_>| {
            let extra = recipient.tail();
            let when = match recipient.when {
                When::Always => notify::When::Always,
                When::Available => notify::When::Available,
                When::Shows(shows) => notify::When::Shows(shows),
            };
            let says = if recipient.body.is_some() { Says::Words } else { Says::Nothing };
            tell(&Told { jid: recipient.jid, extra: &extra, says, when });
        };
        match &self.only {
            Only::Client(client) => self.subscribers.for_client(client, now_ms, trust, each),
            Only::Contact(contact) => self.subscribers.for_contact(contact, now_ms, trust, each),
            Only::Everybody => self.subscribers.for_each(now_ms, trust, each),
        }
    }

    fn len_max(&self) -> usize {
        self.subscribers.len_max()
    }

    fn node(&self) -> Option<&str> {
        (self.subscribers.by_presence == ByPresence::Subscribes).then_some(&*self.subscribers.node.name)
    }

    fn may_read(&self, server: &Server, who: &Jid) -> bool {
        if !self.only.includes(who) {
            return false;
        }
        // The owner's own clients always could.
        if self.address.as_ref().is_some_and(|address| address.same_bare(who)) {
            return self.subscribers.before.is_none();
        }
        self.subscribers.may_read(who, server.clock.unix_ms(), |_, who| self.rosters.trust(server, who))
    }

    fn contacts(&self) -> &[Jid] {
        &self.contacts
    }
}
