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
    slots: Mutex<HashMap<UploadId, State>>,
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
}

/// There are too many slots; of this account, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

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

    /// Gives a slot; the answer is what proves that somebody has it.
    pub fn give(&self, slot: Slot, now_ms: u64) -> Result<String, TooMany> {
        let mut slots = self.slots.lock();
        slots.retain(|_, state| !matches!(state, State::Waits(slot) if slot.until_ms <= now_ms));
        let own = slots.values().filter(|state| state.holds().0 == slot.about.owner).count();
        if own >= SLOTS_OF_ACCOUNT_MAX || slots.len() >= SLOTS_MAX {
            return Err(TooMany);
        }
        let proof = URL_SAFE_NO_PAD.encode(self.signed(&slot).expose());
        slots.insert(slot.about.entry.id, State::Waits(slot));
        Ok(proof)
    }

    /// The slot that `proof` is for, if it waits and has not ended.
    pub fn find(&self, id: UploadId, proof: &str, now_ms: u64) -> Option<Slot> {
        let slots = self.slots.lock();
        let Some(State::Waits(slot)) = slots.get(&id) else { return None };
        self.fits(slot, proof, now_ms).then(|| slot.clone())
    }

    /// The same, and nobody else uses it any more.
    pub fn take(self: &Arc<Self>, id: UploadId, proof: &str, now_ms: u64) -> Option<Using> {
        let mut slots = self.slots.lock();
        let state = slots.get_mut(&id)?;
        let State::Waits(slot) = &*state else { return None };
        if !self.fits(slot, proof, now_ms) {
            return None;
        }
        let slot = slot.clone();
        let (owner, purpose, size) = state.holds();
        *state = State::IsUsed(owner, purpose, size);
        Some(Using { uploads: self.clone(), slot })
    }

    /// What the slots of an account stand for, as if its files were there already, as pairs of purpose and bytes.
    pub fn held(&self, owner: AccountId, now_ms: u64) -> Vec<(Purpose, u64)> {
        let slots = self.slots.lock();
        let counts = |state: &&State| !matches!(state, State::Waits(slot) if slot.until_ms <= now_ms);
        let own = slots.values().filter(counts).map(State::holds).filter(|(of, ..)| *of == owner);
        own.map(|(_, purpose, size)| (purpose, size)).collect()
    }

    /// The bytes that all slots stand for.
    pub fn held_by_all(&self) -> u64 {
        self.slots.lock().values().fold(0, |sum, state| sum.saturating_add(state.holds().2))
    }

    /// An account has ended: its slots with it, and its files soon.
    pub fn forget(&self, owner: AccountId) {
        self.slots.lock().retain(|_, state| !matches!(state, State::Waits(slot) if slot.about.owner == owner));
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
        self.slots.lock().capacity() * size_of::<(UploadId, State)>()
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

impl Using {
    /// The slot.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        self.uploads.slots.lock().remove(&self.slot.about.entry.id);
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

    #[test]
    fn a_slot_is_used_once_by_who_can_prove_it_and_in_time() {
        let uploads = Arc::new(Uploads::default());
        let id = slot(1, 1, 5).about.entry.id;
        let proof = uploads.give(slot(1, 1, 5), 0).unwrap();
        let other = uploads.give(slot(2, 1, 5), 0).unwrap();
        for wrong in ["", "x", &other, &proof[1..]] {
            assert!(uploads.find(id, wrong, 0).is_none() && uploads.take(id, wrong, 0).is_none(), "{wrong}");
        }
        assert!(uploads.find(id, &proof, 100).is_none(), "it has ended");
        assert_eq!(uploads.find(id, &proof, 99), Some(slot(1, 1, 5)));
        let using = uploads.take(id, &proof, 99).unwrap();
        assert!(uploads.take(id, &proof, 99).is_none());
        assert_eq!(uploads.held_by_all(), 10, "it holds its place meanwhile");
        drop(using);
        assert!(uploads.find(id, &proof, 99).is_none());
        assert_eq!(uploads.held_by_all(), 5);
    }

    #[test]
    fn another_process_gave_another_proof() {
        let (ours, theirs) = (Arc::new(Uploads::default()), Arc::new(Uploads::default()));
        let proof = theirs.give(slot(1, 1, 5), 0).unwrap();
        assert_ne!(ours.give(slot(1, 1, 5), 0).unwrap(), proof);
        assert!(ours.take(UploadId([1; 16]), &proof, 0).is_none());
    }

    #[test]
    fn an_account_has_so_many_slots_and_old_ones_do_not_count() {
        let uploads = Uploads::default();
        for byte in 0..SLOTS_OF_ACCOUNT_MAX as u8 {
            uploads.give(slot(byte, 1, 1), 0).unwrap();
        }
        assert_eq!(uploads.give(slot(99, 1, 1), 0), Err(TooMany));
        assert!(uploads.give(slot(99, 2, 1), 0).is_ok());
        assert_eq!(uploads.held(AccountId::ordinary([1; 16]), 99).len(), SLOTS_OF_ACCOUNT_MAX);
        assert_eq!(uploads.held(AccountId::ordinary([1; 16]), 100), []);
        assert!(uploads.give(slot(100, 1, 1), 100).is_ok());
        assert!(uploads.memory_usage() > 0);
    }

    #[tokio::test]
    async fn an_account_that_ends_loses_its_slots_and_its_files_are_waited_for() {
        let uploads = Arc::new(Uploads::default());
        let proof = uploads.give(slot(1, 1, 1), 0).unwrap();
        let kept = uploads.give(slot(2, 2, 1), 0).unwrap();
        uploads.forget(AccountId::ordinary([1; 16]));
        assert!(uploads.find(UploadId([1; 16]), &proof, 0).is_none());
        assert!(uploads.find(UploadId([2; 16]), &kept, 0).is_some());
        assert_eq!(uploads.gone().await, [AccountId::ordinary([1; 16])]);
    }
}
