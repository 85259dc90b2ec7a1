//! A slot (XEP-0363 section 4): who may have one, for which file, and whether there is room for it. What keeps somebody from it is said in
//! numbers, with the time at which it may be tried again.

use std::sync::Arc;

use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::hosts::Host;
use metronome_host::options::{Values, write_bytes};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_host::uploads::{Given, Slot};
use metronome_proto::ns;
use metronome_proto::payload::http_upload::{self, Purpose, Request, file_too_large};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::{Condition, ErrorType};
use metronome_proto::xml::Content;
use metronome_store::uploads::{About, Entry, UploadId};

use super::room::{self, Full};
use super::settings::{self, FREE, OFTEN, TOTAL, TYPES};
use super::{PATH, base, essence, is_allowed, name, on_disk};
use crate::disco::asked_host;

/// How long a slot waits for its file (section 8 recommends about that).
const SLOT_MS: u64 = 300_000;

/// When somebody may try again where nobody knows when there will be room.
const LATER_MS: u64 = 3_600_000;

/// Answers a request for a slot.
pub(super) async fn give(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    let session = user(env, &host)?.clone();
    let base = base(server, &host).ok_or(Condition::ServiceUnavailable)?;
    let request = env.stanza.content.child(ns::UPLOAD, "request").ok_or(Condition::BadRequest)?;
    let request = Request::read(&request)?;
    let now_ms = server.clock.unix_ms();
    let media_type = judge_file(&host.values, &request, now_ms)?;
    let often = host.values.frequency(&OFTEN);
    if !server.throttles.uploads.take(session.account, often, server.clock.steady_ms()) {
        let text = format!("Only {often} files may be uploaded");
        return Err(wait(text, now_ms + often.per.as_millis() as u64).into());
    }
    let id = UploadId(server.rng.bytes16());
    let entry = Entry { id, purpose: request.purpose, size: request.size, created_ms: now_ms };
    let name = name::tidy(&request.name);
    let url = format!("{base}{PATH}{id}/{}", name::encode(&name));
    let about = About { owner: session.account, entry, media_type: media_type.into(), name: name.into() };
    // It has its place before it is known whether there is one: others who ask at this moment count it.
    let given = server.uploads.give(Slot { about, until_ms: now_ms + SLOT_MS }, now_ms);
    let given = given.map_err(|_| wait("There are too many uploads under way", now_ms + SLOT_MS))?;
    judge_room(server, &host, &given, &entry, now_ms).await?;
    let headers = vec![("Authorization", format!("Bearer {}", given.hand_out()))];
    let slot = http_upload::Slot { put: url.clone(), headers, get: url };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&slot.tree()))));
    Ok(())
}

/// Accounts of the domain have files, and nobody else.
fn user<'e>(env: &'e Envelope, host: &Host) -> Result<&'e Arc<Session>, Refuse> {
    let session = env.sender.session()?;
    let is_own = host.beside.as_ref().is_some_and(|beside| beside.domain.domain() == session.jid.domain());
    match is_own && !session.is_guest() && !session.is_locked() {
        true => Ok(session),
        false => Err(Condition::Forbidden.into()),
    }
}

/// Whether a file of this kind and size may be uploaded at all; answers its type, which is empty if the client did not say it.
fn judge_file(values: &Values, request: &Request, now_ms: u64) -> Result<String, Refuse> {
    let limits = settings::limits(values, request.purpose);
    if limits.quota == 0 {
        let text = format!("No files are kept for the purpose `{}`", request.purpose.as_str());
        return Err(StanzaError::new(Condition::NotAcceptable).with_text(text).into());
    }
    if request.size > limits.size {
        let text = format!("File too large. The maximum file size is {} bytes", limits.size);
        let error = StanzaError::new(Condition::NotAcceptable).with_text(text);
        return Err(error.with_application(file_too_large(limits.size)).into());
    }
    if matches!(request.purpose, Purpose::Ephemeral(until_ms) if until_ms <= now_ms) {
        return Err(StanzaError::new(Condition::NotAcceptable).with_text("The file would be over already").into());
    }
    let Some(said) = &request.media_type else { return Ok(String::new()) };
    match essence(said) {
        Some(essence) if is_allowed(&essence, values.list(&TYPES)) => Ok(essence.into_owned()),
        Some(essence) => {
            let text = format!("Files of the type {essence} may not be uploaded here");
            Err(StanzaError::new(Condition::NotAcceptable).with_text(text).into())
        }
        None => Err(StanzaError::new(Condition::BadRequest).with_text("The content type is none").into()),
    }
}

/// Whether the account and the disk have room beside what there is and what slots hold that were given before.
async fn judge_room(server: &Server, host: &Host, given: &Given, file: &Entry, now_ms: u64) -> Result<(), Refuse> {
    let held = given.held_before(now_ms);
    let owner = given.owner();
    let found = on_disk(server, move |uploads| Ok((uploads.entries(owner)?, uploads.total(), uploads.free_bytes()?))).await;
    let (files, total, free) = found.map_err(|error| {
        tracing::error!(%error, "the folder of uploads cannot be read");
        StanzaError::new(Condition::InternalServerError).with_type(ErrorType::Wait)
    })?;
    // A file that was finished meanwhile has no slot any more.
    let is_under_way = |id: UploadId| !files.iter().any(|entry| entry.id == id);
    let own = held.own.iter().filter(|(id, ..)| is_under_way(*id)).map(|(_, purpose, bytes)| (*purpose, *bytes));
    let own: Vec<_> = own.collect();
    if let Err(full) = room::judge(&host.values, &files, &own, (file.purpose, file.size), now_ms) {
        return Err(wait(words(&full), full.again_ms.unwrap_or(now_ms + LATER_MS)).into());
    }
    let wanted = held.all_bytes.saturating_add(file.size);
    let (most, stays) = (host.values.bytes(&TOTAL), host.values.bytes(&FREE));
    if (most > 0 && total.bytes.saturating_add(wanted) > most) || free < wanted.saturating_add(stays) {
        tracing::warn!(bytes = total.bytes, free, "there is no room for uploads; see `upload.total` and `upload.free`");
        return Err(wait("The server has no room for files", now_ms + LATER_MS).into());
    }
    Ok(())
}

fn words(full: &Full) -> String {
    let Full { used, quota, again_ms } = full;
    let number = (used.files >= room::FILES_MAX as u64).then(|| format!("{} files of at most {}", used.files, room::FILES_MAX));
    let what = number.unwrap_or_else(|| format!("{} of {}", write_bytes(used.bytes), write_bytes(*quota)));
    let hint = if again_ms.is_some() { "older files make room by then" } else { "delete some files" };
    format!("Quota reached: you have {what}; {hint}")
}

/// It may be tried again at that Unix time in milliseconds (section 6).
fn wait(text: impl Into<String>, at_ms: u64) -> StanzaError {
    StanzaError::new(Condition::ResourceConstraint).with_text(text).with_application(http_upload::retry(at_ms))
}
