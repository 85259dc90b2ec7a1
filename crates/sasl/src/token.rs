//! What the server makes of its secret: tokens to log in with (XEP-0484) and resources that stay the same (XEP-0386).
//! A token is computed from what is stored of it and the secret: rows that fall into the wrong hands alone let nobody in.

use crate::hash::Hash;
use crate::mechanism::MechanismName;
use crate::secret::Secret;
use crate::wire::url_base64;

/// Random bytes that are stored of each token.
pub const TOKEN_SALT_BYTES: usize = 16;

/// A token: 256 bits as 43 characters.
#[derive(Clone, Debug)]
pub struct Token(Secret<String>);

/// What a token is good for. With anything else in its place it is another token.
#[derive(Clone, Copy, Debug)]
pub struct TokenUse<'a> {
    /// Whose it is: the bytes of the account's id.
    pub account: &'a [u8; 16],
    /// The client that it was given to.
    pub client: &'a str,
    /// The mechanism that it was asked for.
    pub mechanism: MechanismName,
    /// The account's password, by its number.
    pub auth_epoch: u32,
    /// Random, so that there are many.
    pub salt: &'a [u8; TOKEN_SALT_BYTES],
}

impl Token {
    /// The token of this use. `server_secret` is at least 32 random bytes that outlive a restart; it may be the one of
    /// [`crate::fake_keys`]: what is hashed begins otherwise.
    pub fn new(server_secret: &[u8], what: TokenUse<'_>) -> Token {
        let (mechanism, epoch) = (what.mechanism.as_str().as_bytes(), what.auth_epoch.to_be_bytes());
        let parts: [&[u8]; 8] =
            [b"token\0of a client\0", what.account, &epoch, what.salt, mechanism, b"\0", what.client.as_bytes(), b"\0"];
        Token(Secret::new(url_base64(Hash::Sha256.hmac(server_secret, &parts).bytes())))
    }

    /// A token that nobody was given, to be compared where there is none.
    pub fn of_nobody(server_secret: &[u8]) -> Token {
        Token(Secret::new(url_base64(Hash::Sha256.hmac(server_secret, &[b"token\0of nobody\0"]).bytes())))
    }

    /// Its text, for the client.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// The server's part of a client's resource: the same each time for the same client, and telling nothing of the client's id.
pub fn resource_name(server_secret: &[u8], account: &[u8; 16], client: &str) -> String {
    const BYTES: usize = 9;
    let parts: [&[u8]; 3] = [b"resource\0of a client\0", account, client.as_bytes()];
    url_base64(&Hash::Sha256.hmac(server_secret, &parts).bytes()[..BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of thirty-two bytes or so";
    const USE: TokenUse<'static> = TokenUse {
        account: &[1; 16],
        client: "d4565fa7-4d72-4749-b3d3-740edbf87770",
        mechanism: MechanismName::HtSha256None,
        auth_epoch: 3,
        salt: &[2; TOKEN_SALT_BYTES],
    };

    #[test]
    fn another_use_is_another_token() {
        let token = Token::new(SECRET, USE);
        assert_eq!(token.expose(), Token::new(SECRET, USE).expose());
        assert_eq!(token.expose().len(), 43);
        for other in [
            TokenUse { account: &[2; 16], ..USE },
            TokenUse { client: "d4565fa7-4d72-4749-b3d3-740edbf87771", ..USE },
            TokenUse { mechanism: MechanismName::HtSha256Expr, ..USE },
            TokenUse { auth_epoch: 4, ..USE },
            TokenUse { salt: &[3; TOKEN_SALT_BYTES], ..USE },
        ] {
            assert_ne!(token.expose(), Token::new(SECRET, other).expose(), "{other:?}");
        }
        assert_ne!(token.expose(), Token::new(b"another secret of thirty-two bytes", USE).expose());
        assert_ne!(token.expose(), Token::of_nobody(SECRET).expose());
    }

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", Token::new(SECRET, USE)), "Token(***)");
    }

    #[test]
    fn a_resource_stays_the_same_for_a_client() {
        let name = resource_name(SECRET, &[1; 16], "a client");
        assert_eq!(name.len(), 12);
        assert_eq!(name, resource_name(SECRET, &[1; 16], "a client"));
        assert_ne!(name, resource_name(SECRET, &[1; 16], "another"));
        assert_ne!(name, resource_name(SECRET, &[2; 16], "a client"));
    }
}
