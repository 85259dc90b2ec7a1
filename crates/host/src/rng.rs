//! Random bytes as an argument: the operating system's for everything that runs, a seed for tests.
//! Held by `Server`; account ids, generated resources and stream ids come from here.

use std::fmt::Write as _;

use crate::sync::Mutex;

/// Where the server gets random bytes.
#[derive(Debug)]
pub enum Rng {
    /// The operating system's generator.
    System,
    /// A repeatable sequence, for tests only.
    Seeded(Mutex<u64>),
}

impl Rng {
    /// A repeatable generator for tests.
    pub fn seeded(seed: u64) -> Rng {
        Rng::Seeded(Mutex::new(seed))
    }

    /// Sixteen random bytes: enough that nobody guesses them and no two are equal.
    pub fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        match self {
            Rng::System => bytes = metronome_sasl::random_bytes(),
            Rng::Seeded(state) => {
                let mut state = state.lock();
                for chunk in bytes.chunks_mut(8) {
                    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut word = *state;
                    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    chunk.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes());
                }
            }
        }
        bytes
    }

    /// A token of 128 random bits in hexadecimal: stream ids, generated resources, ids of the server's own iqs.
    pub fn token(&self) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.bytes16() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}
