//! Uploads under way (XEP-0363): slots that were given and not used yet, each of which holds its place in the quota, and accounts whose files
//! are to go. Slots end with the process; the files themselves are in `store::uploads`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metronome_model::AccountId;
use metronome_proto::payload::http_upload::Purpose;
use metronome_sasl::{Hash, Secret};
use metronome_store::uploads::{About, Entry, UploadId};
use tokio::sync::Notify;

use crate::sync::Mutex;

/// Most slots of one account that wait or are being used.
pub const SLOTS_OF_ACCOUNT_MAX: usize = 20;

/// Most slots of all accounts together.
pub const SLOTS_MAX: usize = 20_000;

/// Most accounts whose files wait to be removed; of more, a round finds them.
const GONE_MAX: usize = 10_000;

/// Where files are, and what is on its way there.
#[derive(Debug)]
pub struct Uploads {
    folder: OnceLock<Arc<metronome_store::uploads::Uploads>>,
    slots: Mutex<Slots>,
    gone: Mutex<Vec<AccountId>>,
    has_gone: Notify,
    key: [u8; 32],
}

/// The right to upload one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Whose file it will be, what it is called, how large it is and what for. Without a media type the one that comes with it counts.
    pub about: About,
    /// When it ends: Unix time in milliseconds.
    pub until_ms: u64,
}

#[derive(Debug, Default)]
struct Slots {
    /// Each with its number: they are given one after the other.
    all: HashMap<UploadId, (u64, State)>,
    /// How many were given.
    given: u64,
}

#[derive(Debug)]
enum State {
    Waits(Slot),
    /// Somebody sends the file.
    IsUsed(AccountId, Purpose, u64),
}

impl State {
    /// Whose it is, what for, and for how many bytes.
    fn holds(&self) -> (AccountId, Purpose, u64) {
        match self {
            State::Waits(Slot { about: About { owner, entry, .. }, .. }) => (*owner, entry.purpose, entry.size),
            State::IsUsed(owner, purpose, size) => (*owner, *purpose, *size),
        }
    }

    /// Whether nobody can use it any more.
    fn is_over(&self, now_ms: u64) -> bool {
        matches!(self, State::Waits(slot) if slot.until_ms <= now_ms)
    }
}

/// There are too many slots; of this account, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// A slot that holds its place while it is found out whether there is room for its file. Nobody can use it yet, and if this is dropped
/// before it is handed out there was none.
#[derive(Debug)]
pub struct Given {
    uploads: Arc<Uploads>,
    id: UploadId,
    owner: AccountId,
    number: u64,
    signed: Secret<Box<[u8]>>,
    is_out: bool,
}

/// What slots stand for, as if their files were there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Those of the same account: the file, what it is for, and its bytes.
    pub own: Vec<(UploadId, Purpose, u64)>,
    /// The bytes of all accounts together.
    pub all_bytes: u64,
}

/// A slot that somebody uses. It is over when this is dropped, whatever became of the file.
#[derive(Debug)]
pub struct Using {
    uploads: Arc<Uploads>,
    slot: Slot,
}

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            folder: OnceLock::new(),
            slots: Mutex::default(),
            gone: Mutex::default(),
            has_gone: Notify::new(),
            key: metronome_sasl::token(),
        }
    }
}

impl Uploads {
    /// Says where files are; once, before anybody asks.
    pub fn set_folder(&self, folder: metronome_store::uploads::Uploads) {
        let _ = self.folder.set(Arc::new(folder));
    }

    /// Where files are; none where the server keeps none.
    pub fn folder(&self) -> Option<Arc<metronome_store::uploads::Uploads>> {
        self.folder.get().cloned()
    }

    /// Gives a slot, which counts for all that are given after it.
    pub fn give(self: &Arc<Self>, slot: Slot, now_ms: u64) -> Result<Given, TooMany> {
        let mut slots = self.slots.lock();
        slots.all.retain(|_, (_, state)| !state.is_over(now_ms));
        let (id, owner) = (slot.about.entry.id, slot.about.owner);
        let own = slots.all.values().filter(|(_, state)| state.holds().0 == owner).count();
        if own >= SLOTS_OF_ACCOUNT_MAX || slots.all.len() >= SLOTS_MAX {
            return Err(TooMany);
        }
        let signed = self.signed(&slot);
        let number = slots.given;
        slots.given += 1;
        slots.all.insert(id, (number, State::Waits(slot)));
        Ok(Given { uploads: self.clone(), id, owner, number, signed, is_out: false })
    }

    /// The slot that `proof` is for, if it waits and has not ended.
    pub fn find(&self, id: UploadId, proof: &str, now_ms: u64) -> Option<Slot> {
        let slots = self.slots.lock();
        let Some((_, State::Waits(slot))) = slots.all.get(&id) else { return None };
        self.fits(slot, proof, now_ms).then(|| slot.clone())
    }

    /// The same, and nobody else uses it any more.
    pub fn take(self: &Arc<Self>, id: UploadId, proof: &str, now_ms: u64) -> Option<Using> {
        let mut slots = self.slots.lock();
        let (_, state) = slots.all.get_mut(&id)?;
        let State::Waits(slot) = &*state else { return None };
        if !self.fits(slot, proof, now_ms) {
            return None;
        }
        let slot = slot.clone();
        let (owner, purpose, size) = state.holds();
        *state = State::IsUsed(owner, purpose, size);
        Some(Using { uploads: self.clone(), slot })
    }

    /// An account has ended: its slots with it, and its files soon.
    pub fn forget(&self, owner: AccountId) {
        let is_gone = |state: &State| matches!(state, State::Waits(slot) if slot.about.owner == owner);
        self.slots.lock().all.retain(|_, (_, state)| !is_gone(state));
        let mut gone = self.gone.lock();
        if gone.len() < GONE_MAX {
            gone.push(owner);
        }
        self.has_gone.notify_one();
    }

    /// Waits until accounts have ended, and takes them out.
    pub async fn gone(&self) -> Vec<AccountId> {
        loop {
            let gone = std::mem::take(&mut *self.gone.lock());
            if !gone.is_empty() {
                return gone;
            }
            self.has_gone.notified().await;
        }
    }

    /// Bytes that slots take, the texts in them aside.
    pub fn memory_usage(&self) -> usize {
        self.slots.lock().all.capacity() * size_of::<(UploadId, (u64, State))>()
    }

    fn fits(&self, slot: &Slot, proof: &str, now_ms: u64) -> bool {
        let proof = URL_SAFE_NO_PAD.decode(proof).unwrap_or_default();
        self.signed(slot).ct_eq(&proof) && now_ms < slot.until_ms
    }

    /// Everything that a slot is bound to.
    fn signed(&self, slot: &Slot) -> Secret<Box<[u8]>> {
        let Slot { about: About { owner, entry, media_type, name }, until_ms } = slot;
        let Entry { id, purpose, size, created_ms } = entry;
        let numbers = [*size, *created_ms, *until_ms, media_type.len() as u64, name.len() as u64].map(u64::to_be_bytes);
        let texts = [purpose.as_str(), media_type, name].map(str::as_bytes);
        let parts =
            [&[&owner.as_bytes()[..], &id.0][..], &numbers.each_ref().map(|number| &number[..]), &texts].concat();
        Hash::Sha256.hmac(&self.key, &parts)
    }
}

impl Given {
    /// Whose it is.
    pub fn owner(&self) -> AccountId {
        self.owner
    }

    /// What the slots stand for that were given before this one. Ask for it before looking at files: what is finished meanwhile is then in
    /// both, and not in neither.
    pub fn held_before(&self, now_ms: u64) -> Held {
        let slots = self.uploads.slots.lock();
        let counts = |number: u64, state: &State| number < self.number && !state.is_over(now_ms);
        let mut held = Held::default();
        for (id, (_, state)) in slots.all.iter().filter(|(_, (number, state))| counts(*number, state)) {
            let (owner, purpose, bytes) = state.holds();
            held.all_bytes = held.all_bytes.saturating_add(bytes);
            held.own.extend((owner == self.owner).then_some((*id, purpose, bytes)));
        }
        held
    }

    /// It is somebody's from now on: what proves that they have it.
    pub fn hand_out(mut self) -> String {
        self.is_out = true;
        URL_SAFE_NO_PAD.encode(self.signed.expose())
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if !self.is_out {
            self.uploads.slots.lock().all.remove(&self.id);
        }
    }
}

impl Using {
    /// The slot.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        self.uploads.slots.lock().all.remove(&self.slot.about.entry.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(byte: u8, owner: u8, size: u64) -> Slot {
        let entry = Entry { id: UploadId([byte; 16]), purpose: Purpose::Message, size, created_ms: 0 };
        let owner = AccountId::ordinary([owner; 16]);
        Slot { about: About { owner, entry, media_type: "image/png".into(), name: "a.png".into() }, until_ms: 100 }
    }

    fn hand_out(uploads: &Arc<Uploads>, slot: Slot, now_ms: u64) -> String {
        uploads.give(slot, now_ms).unwrap().hand_out()
    }

    /// What all slots stand for, as somebody else is told who asks for one more.
    fn held(uploads: &Arc<Uploads>, owner: u8, now_ms: u64) -> Held {
        uploads.give(slot(255, owner, 0), now_ms).unwrap().held_before(now_ms)
    }

    #[test]
    fn a_slot_is_used_once_by_who_can_prove_it_and_in_time() {
        let uploads = Arc::new(Uploads::default());
        let id = slot(1, 1, 5).about.entry.id;
        let proof = hand_out(&uploads, slot(1, 1, 5), 0);
        let other = hand_out(&uploads, slot(2, 1, 5), 0);
        for wrong in ["", "x", &other, &proof[1..]] {
            assert!(uploads.find(id, wrong, 0).is_none() && uploads.take(id, wrong, 0).is_none(), "{wrong}");
        }
        assert!(uploads.find(id, &proof, 100).is_none(), "it has ended");
        assert_eq!(uploads.find(id, &proof, 99), Some(slot(1, 1, 5)));
        let using = uploads.take(id, &proof, 99).unwrap();
        assert!(uploads.take(id, &proof, 99).is_none());
        assert_eq!(held(&uploads, 9, 99).all_bytes, 10, "it holds its place meanwhile");
        assert_eq!(held(&uploads, 9, 100).all_bytes, 5, "and only that one does when the other is over");
        drop(using);
        assert!(uploads.find(id, &proof, 99).is_none());
        assert_eq!(held(&uploads, 9, 99).all_bytes, 0);
    }

    /// Slots that nobody has used kept everybody from getting one, for ever.
    #[test]
    fn slots_that_are_over_hold_nothing_though_nobody_gets_another() {
        let uploads = Arc::new(Uploads::default());
        drop(uploads.give(slot(1, 1, 5), 0).unwrap().hand_out());
        let one_more = uploads.give(slot(2, 2, 5), 99).unwrap();
        assert_eq!(one_more.held_before(99), Held { own: Vec::new(), all_bytes: 5 });
        assert_eq!(one_more.held_before(100).all_bytes, 0);
    }

    #[test]
    fn of_two_slots_that_are_asked_for_at_once_the_second_counts_the_first() {
        let uploads = Arc::new(Uploads::default());
        let (first, second) = (uploads.give(slot(1, 1, 5), 0).unwrap(), uploads.give(slot(2, 1, 6), 0).unwrap());
        assert_eq!(first.held_before(0), Held::default());
        let id = slot(1, 1, 5).about.entry.id;
        assert_eq!(second.held_before(0), Held { own: vec![(id, Purpose::Message, 5)], all_bytes: 5 });
        drop(first);
        assert_eq!(second.held_before(0), Held::default(), "there was no room for the first");
        assert!(uploads.find(id, &hand_out(&uploads, slot(3, 1, 1), 0), 0).is_none());
    }

    #[test]
    fn another_process_gave_another_proof() {
        let (ours, theirs) = (Arc::new(Uploads::default()), Arc::new(Uploads::default()));
        let proof = hand_out(&theirs, slot(1, 1, 5), 0);
        assert_ne!(hand_out(&ours, slot(1, 1, 5), 0), proof);
        assert!(ours.take(UploadId([1; 16]), &proof, 0).is_none());
    }

    #[test]
    fn an_account_has_so_many_slots_and_old_ones_do_not_count() {
        let uploads = Arc::new(Uploads::default());
        for byte in 0..SLOTS_OF_ACCOUNT_MAX as u8 {
            hand_out(&uploads, slot(byte, 1, 1), 0);
        }
        assert!(matches!(uploads.give(slot(99, 1, 1), 0), Err(TooMany)));
        assert_eq!(held(&uploads, 2, 99), Held { own: Vec::new(), all_bytes: SLOTS_OF_ACCOUNT_MAX as u64 });
        hand_out(&uploads, slot(100, 1, 1), 100);
        assert!(uploads.memory_usage() > 0);
    }

    #[tokio::test]
    async fn an_account_that_ends_loses_its_slots_and_its_files_are_waited_for() {
        let uploads = Arc::new(Uploads::default());
        let proof = hand_out(&uploads, slot(1, 1, 1), 0);
        let kept = hand_out(&uploads, slot(2, 2, 1), 0);
        uploads.forget(AccountId::ordinary([1; 16]));
        assert!(uploads.find(UploadId([1; 16]), &proof, 0).is_none());
        assert!(uploads.find(UploadId([2; 16]), &kept, 0).is_some());
        assert_eq!(uploads.gone().await, [AccountId::ordinary([1; 16])]);
    }
}
