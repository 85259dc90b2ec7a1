//! The known-answer test that runs at every start: a server whose hashes compute something else (a broken build, a
//! miscompiled assembly routine) would lock everybody out or store keys that no other software understands.

use crate::hash::Hash;
use crate::keys::{derive, verify_password};
use crate::password::Password;

/// Which hash gave a wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("key derivation with {} gives wrong results on this machine", .0.as_str())]
pub struct SelfTestError(pub Hash);

const PASSWORD: &str = "pencil";
const SALT: &[u8] = b"0123456789abcdef";
const ITERATIONS: u32 = 64;

/// Stored key and server key in base64, computed with another implementation.
const ANSWERS: [(Hash, &str, &str); 4] = [
    (Hash::Sha1, "A27nQhL/9HzCjCax4taZD1MFBMA=", "Olhko8EPxUitSdUogdon8B7fZoM="),
    (Hash::Sha256, "Q0CMOH8j8ff+wmLJX7NbTDeLXAw3iG5iGPzo+FN+rus=", "dJQ84Mh95j1pqi/ldpmvX8xRO2DHg47sQpJIFDX99Sg="),
    (
        Hash::Sha384,
        "0Anu5e1pCXml3S8T4y9qcNj9Fxeasw0JYVqL41u5Ft/rj+5k3jRWhk5ps8By7FqZ",
        "+aBUyRpCNLevx2GERvi648vAQb2H57p03PDfghsiAqPlHkfow+KD7HkmioZgCYx1",
    ),
    (
        Hash::Sha512,
        "YhyJ+se2TUyf1bBsaSmXUTCuFCD2d8GC17eCLDn3JJ9dplR3M/myWqcImYPx5/HqYOGu8w++GoxNdh4emBYUtA==",
        "7hsPhMX7Qh01eyDCKWTCsJiyWkZMpo5ruoODkUgL/LC+SNLAVputJG39ZJ9LHynyUGfkFTm1wrbm1NQA34hDpw==",
    ),
];

/// Derives keys with every hash and compares them with known ones. Well under a millisecond in a release build.
pub fn self_test() -> Result<(), SelfTestError> {
    let Ok(password) = Password::new(PASSWORD) else { return Err(SelfTestError(Hash::Sha1)) };
    for (hash, stored_key, server_key) in ANSWERS {
        let keys = derive(hash, &password, SALT, ITERATIONS);
        let right = |answer: &str| crate::wire::unbase64(answer).unwrap_or_default();
        let known = keys.stored_key.ct_eq(&right(stored_key)) && keys.server_key.ct_eq(&right(server_key));
        if !known || !verify_password(&keys, &password) {
            return Err(SelfTestError(hash));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_gives_the_known_answer() {
        assert_eq!(self_test(), Ok(()));
    }
}
