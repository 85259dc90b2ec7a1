//! Iq types (RFC 6120 section 8.2.3).

/// A question, or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IqType {
    /// Asks for something.
    Get,
    /// Changes something.
    Set,
    /// Answers a get or set.
    Result,
    /// Refuses a get or set.
    Error,
}

impl IqType {
    /// Reads the attribute; `None` if it is absent or unknown.
    pub fn of(attr: Option<&str>) -> Option<IqType> {
        match attr? {
            "get" => Some(IqType::Get),
            "set" => Some(IqType::Set),
            "result" => Some(IqType::Result),
            "error" => Some(IqType::Error),
            _ => None,
        }
    }

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            IqType::Get => "get",
            IqType::Set => "set",
            IqType::Result => "result",
            IqType::Error => "error",
        }
    }

    /// Whether it wants an answer.
    pub fn is_request(self) -> bool {
        matches!(self, IqType::Get | IqType::Set)
    }
}
