//! Cuts what the server sends into the pieces of a stream: its header, its elements, its end. Knows nothing but tags and quotes,
//! and so shares no code with the parser that is tested.

/// The next piece of `input`, with how many bytes it and what stood before it take; none if it is not complete.
pub(crate) fn next(input: &str) -> Option<(String, usize)> {
    let mut at = 0;
    // Whitespace and the XML declaration are no pieces.
    loop {
        at += input[at..].len() - input[at..].trim_start().len();
        match input[at..].starts_with("<?") {
            true => at += input[at..].find("?>")? + 2,
            false => break,
        }
    }
    let rest = &input[at..];
    if rest.is_empty() {
        return None;
    }
    assert!(rest.starts_with('<'), "the server sent text between elements: {rest:?}");
    let mut depth = 0usize;
    let mut position = 0;
    loop {
        let start = position + rest[position..].find('<')?;
        if rest[start..].starts_with("<![CDATA[") {
            position = start + rest[start..].find("]]>")? + 3;
            continue;
        }
        let end = tag_end(&rest[start..])? + start;
        let tag = &rest[start..end];
        position = end;
        let closes = tag.starts_with("</");
        if depth == 0 && (tag.starts_with("<stream:stream") || closes) {
            return Some((tag.to_owned(), at + end));
        }
        if closes {
            depth -= 1;
        } else if !tag.ends_with("/>") {
            depth += 1;
        }
        if depth == 0 {
            return Some((rest[..end].to_owned(), at + end));
        }
    }
}

/// How long the tag at the start of `text` is.
pub(crate) fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &str) -> Vec<String> {
        let mut pieces = Vec::new();
        while let Some((piece, used)) = next(input) {
            pieces.push(piece);
            input = &input[used..];
        }
        pieces
    }

    #[test]
    fn a_stream_is_cut_into_its_pieces() {
        let stream = "<?xml version='1.0'?><stream:stream id='>'><stream:features><a/><b>x</b></stream:features> <m><n/></m></stream:stream>";
        let pieces = [
            "<stream:stream id='>'>",
            "<stream:features><a/><b>x</b></stream:features>",
            "<m><n/></m>",
            "</stream:stream>",
        ];
        assert_eq!(all(stream), pieces);
    }

    #[test]
    fn half_a_piece_is_none() {
        assert_eq!(all("<a><![CDATA[<b>]]></a>"), ["<a><![CDATA[<b>]]></a>"]);
        for half in ["", " ", "<?xml", "<a", "<a b='>", "<a><b/>", "<a><b></b>"] {
            assert_eq!(next(half), None, "{half}");
        }
    }
}
