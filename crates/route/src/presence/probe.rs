//! Probes (RFC 6121 section 4.3): the current presence of an account, for those who may see it and for nobody else.
//! Clients need not send them, since the server does it for them; some do all the same.

use std::sync::Arc;

use metronome_features::roster::may_see;
use metronome_host::effect::Effect;
use metronome_host::envelope::{Destination, Envelope};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;

/// Answers with the presence of the account's sessions; whoever may not see it hears nothing, as if nobody was there.
pub(super) async fn admit(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let Some(to) = env.stanza.to.clone() else { return Err(Refuse::Drop("a probe without an address")) };
    let asked = match env.destination {
        Destination::OwnAccount => Some(env.sender.account),
        Destination::Account(_) => server.sessions.online(to.bare_str()),
        _ => None,
    };
    if let Some(of) = asked
        && may_see(server, of, &env.stanza.from).await?
    {
        for session in server.sessions.of(of) {
            if let (_, Some(announcement)) = session.shown()
                && (to.is_bare() || session.jid == to)
            {
                env.effects.push(Effect::Write(env.sender.clone(), announcement.to(env.sender.jid.as_str())));
            }
        }
    }
    Ok(())
}
