//! Why an exchange ended badly: the conditions of RFC 6120 section 6.5, and nothing that tells an attacker more.

/// A SASL failure condition; `as_str` is its element's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum Failure {
    /// The client gave up with `<abort/>`.
    Aborted,
    /// The account exists and is switched off; said only after a right proof.
    AccountDisabled,
    /// The password must be renewed; said only after a right proof.
    CredentialsExpired,
    /// The mechanism may be used once the stream is encrypted.
    EncryptionRequired,
    /// Not base64.
    IncorrectEncoding,
    /// The authorization identity is malformed or is not the one that was proved.
    InvalidAuthzid,
    /// The mechanism is not one of those offered on this stream.
    InvalidMechanism,
    /// The message breaks the mechanism's syntax.
    MalformedRequest,
    /// The account may not use a mechanism as weak as this.
    MechanismTooWeak,
    /// Wrong password, unknown user, wrong channel, no certificate: deliberately not told apart.
    NotAuthorized,
    /// The store could not be asked; trying again may help.
    TemporaryAuthFailure,
}

impl Failure {
    /// The name of the condition's element.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Aborted => "aborted",
            Failure::AccountDisabled => "account-disabled",
            Failure::CredentialsExpired => "credentials-expired",
            Failure::EncryptionRequired => "encryption-required",
            Failure::IncorrectEncoding => "incorrect-encoding",
            Failure::InvalidAuthzid => "invalid-authzid",
            Failure::InvalidMechanism => "invalid-mechanism",
            Failure::MalformedRequest => "malformed-request",
            Failure::MechanismTooWeak => "mechanism-too-weak",
            Failure::NotAuthorized => "not-authorized",
            Failure::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}
