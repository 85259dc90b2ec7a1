//! Fields behind an address or in a form that a browser sends (`application/x-www-form-urlencoded`).

/// Most fields that are looked at.
const FIELDS_MAX: usize = 32;

/// The value of a field; none if it is not there, or is no text.
pub(super) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form.split(|byte| *byte == b'&').take(FIELDS_MAX);
    fields.find_map(|field| {
        let at = field.iter().position(|byte| *byte == b'=')?;
        (decoded(&field[..at])? == name).then(|| decoded(&field[at + 1..]))?
    })
}

/// A number behind an address; none if it is not there, or is none.
pub(super) fn number(query: &str, name: &str) -> Option<u64> {
    let value = field(query.as_bytes(), name)?;
    let number: u64 = value.parse().ok()?;
    (number.to_string() == value).then_some(number)
}

fn decoded(bytes: &[u8]) -> Option<String> {
    let mut bytes = bytes.iter().copied();
    let mut text = Vec::with_capacity(bytes.len());
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let form = b"user=alice&password=a+b%26c%3D%C3%BC&empty=&broken=%zz&bytes=%ff&user=mallory";
        assert_eq!(field(form, "user").as_deref(), Some("alice"));
        assert_eq!(field(form, "password").as_deref(), Some("a b&c=ü"));
        assert_eq!(field(form, "empty").as_deref(), Some(""));
        for none in ["broken", "bytes", "nothing", ""] {
            assert_eq!(field(form, none), None, "{none}");
        }
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        assert_eq!(number("after=7", "after"), Some(7));
        for none in ["after=+7", "after=07", "after=-1", "after=", "after=7x", "before=7"] {
            assert_eq!(number(none, "after"), None, "{none}");
        }
        assert_eq!(number("", "after"), None);
    }
}
