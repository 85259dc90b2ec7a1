//! Frames of RFC 6455 as a server reads and writes them. No I/O: bytes in, what they mean out, at any cut. Everything that the RFC says must
//! not be is a reason to end the connection; extensions are not negotiated, so none of their bits may be set.

/// Most bytes of a control frame's payload (section 5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;
/// Most frames of one message. Browsers send one; a message in thousands of pieces is an attack.
pub(super) const FRAGMENTS_MAX: u32 = 64;

/// Why a connection is closed (section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Everything is said.
    Normal = 1000,
    /// Something that the protocol forbids.
    Protocol = 1002,
    /// Something that is not taken: binary messages.
    Unsupported = 1003,
    /// Too many control frames or fragments.
    Policy = 1008,
}

/// What a client has said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// The next bytes of a text message.
    Text(&'a [u8]),
    /// The message is complete.
    End,
    /// It wants to hear this back.
    Ping(Vec<u8>),
    /// It has answered, or just said something.
    Pong,
    /// It closes the connection.
    Close,
}

/// Reads frames.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    head: [u8; 14],
    head_len: usize,
    /// What comes behind a complete head.
    payload: Option<Payload>,
    /// Frames of the message that is being read.
    fragments: u32,
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Payload {
    opcode: u8,
    is_final: bool,
    left: u64,
    mask: [u8; 4],
    at: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Decoder {
    /// Takes what comes next from the front of `input`, whose bytes are unmasked in their place. None: more is needed.
    pub(super) fn next<'a>(&mut self, input: &mut &'a mut [u8]) -> Result<Option<Event<'a>>, Code> {
        let Some(mut payload) = self.payload else {
            return match self.read_head(input)? {
                true => self.next(input),
                false => Ok(None),
            };
        };
        let count = usize::try_from(payload.left).unwrap_or(usize::MAX).min(input.len());
        if count == 0 && payload.left > 0 {
            return Ok(None);
        }
        let (piece, rest) = std::mem::take(input).split_at_mut(count);
        *input = rest;
        for byte in piece.iter_mut() {
            *byte ^= payload.mask[payload.at & 3];
            payload.at += 1;
        }
        payload.left -= count as u64;
        self.payload = Some(payload);
        if payload.opcode >= CLOSE {
            self.control.extend_from_slice(piece);
            if payload.left > 0 {
                return Ok(None);
            }
            self.payload = None;
            let control = std::mem::take(&mut self.control);
            return control_frame(payload.opcode, control).map(Some);
        }
        if count > 0 {
            return Ok(Some(Event::Text(piece)));
        }
        self.payload = None;
        if payload.is_final {
            self.fragments = 0;
            return Ok(Some(Event::End));
        }
        self.next(input)
    }

    /// Collects a head and judges it. Whether it is complete.
    fn read_head(&mut self, input: &mut &mut [u8]) -> Result<bool, Code> {
        loop {
            let needed = match self.head_len {
                0 | 1 => 2,
                _ => {
                    6 + match self.head[1] & 0x7f {
                        126 => 2,
                        127 => 8,
                        _ => 0,
                    }
                }
            };
            if self.head_len == needed && needed > 2 {
                break;
            }
            let Some((first, rest)) = std::mem::take(input).split_first_mut() else { return Ok(false) };
            self.head[self.head_len] = *first;
            self.head_len += 1;
            *input = rest;
            if self.head_len == 2 {
                self.judge()?;
            }
        }
        self.head_len = 0;
        self.payload = Some(self.payload_of_head()?);
        Ok(true)
    }

    /// What the first two bytes must not say.
    fn judge(&mut self) -> Result<(), Code> {
        let [first, second] = [self.head[0], self.head[1]];
        let (opcode, is_final) = (first & 0x0f, first & 0x80 != 0);
        let (is_masked, length) = (second & 0x80 != 0, usize::from(second & 0x7f));
        if first & 0x70 != 0 || !is_masked {
            return Err(Code::Protocol);
        }
        match opcode {
            CONTINUATION if self.fragments == 0 => return Err(Code::Protocol),
            TEXT | BINARY if self.fragments > 0 => return Err(Code::Protocol),
            BINARY => return Err(Code::Unsupported),
            CONTINUATION | TEXT => {}
            CLOSE | PING | PONG if is_final && length <= CONTROL_BYTES_MAX => return Ok(()),
            _ => return Err(Code::Protocol),
        }
        self.fragments += 1;
        if self.fragments > FRAGMENTS_MAX { Err(Code::Policy) } else { Ok(()) }
    }

    fn payload_of_head(&self) -> Result<Payload, Code> {
        let head = &self.head;
        // The shortest form that has room for a length is the only one (section 5.2).
        let (left, mask_at, least) = match head[1] & 0x7f {
            126 => (u64::from(u16::from_be_bytes([head[2], head[3]])), 4, 126),
            127 => {
                let length =
                    u64::from_be_bytes([head[2], head[3], head[4], head[5], head[6], head[7], head[8], head[9]]);
                (length, 10, 1 << 16)
            }
            short => (u64::from(short), 2, 0),
        };
        if left < least || left > i64::MAX as u64 {
            return Err(Code::Protocol);
        }
        let mask = [head[mask_at], head[mask_at + 1], head[mask_at + 2], head[mask_at + 3]];
        Ok(Payload { opcode: head[0] & 0x0f, is_final: head[0] & 0x80 != 0, left, mask, at: 0 })
    }
}

fn control_frame(opcode: u8, payload: Vec<u8>) -> Result<Event<'static>, Code> {
    match (opcode, payload.len()) {
        (PING, _) => Ok(Event::Ping(payload)),
        (PONG, _) => Ok(Event::Pong),
        (_, 0) => Ok(Event::Close),
        (_, 1) => Err(Code::Protocol),
        _ => {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            // Those that may stand in a frame (section 7.4.2).
            let is_known = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            let is_text = std::str::from_utf8(&payload[2..]).is_ok();
            if is_known && is_text { Ok(Event::Close) } else { Err(Code::Protocol) }
        }
    }
}

/// Appends a text message in one frame, whose payload are these pieces.
pub(super) fn write_text(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    write_head(out, TEXT, pieces.iter().map(|piece| piece.len()).sum());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
}

/// Appends the answer to a ping.
pub(super) fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write_head(out, PONG, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the end of the connection.
pub(super) fn write_close(out: &mut Vec<u8>, code: Code) {
    write_head(out, CLOSE, 2);
    out.extend_from_slice(&(code as u16).to_be_bytes());
}

fn write_head(out: &mut Vec<u8>, opcode: u8, length: usize) {
    out.push(0x80 | opcode);
    match length {
        0..=125 => out.push(length as u8),
        126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of a client: its first byte, and what it says.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut head = Vec::new();
        write_head(&mut head, 0, payload.len());
        head[0] = first;
        head[1] |= 0x80;
        head.extend(MASK);
        head.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
        head
    }

    /// What is understood of these bytes, cut into pieces of this size.
    fn said(bytes: &[u8], size: usize) -> Result<Vec<String>, Code> {
        let (mut decoder, mut said, mut text) = (Decoder::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            let mut piece = piece.to_vec();
            let mut rest = &mut piece[..];
            while let Some(event) = decoder.next(&mut rest)? {
                match event {
                    Event::Text(piece) => text.extend_from_slice(piece),
                    Event::End => said.push(String::from_utf8(std::mem::take(&mut text)).unwrap()),
                    Event::Ping(payload) => said.push(format!("ping {}", payload.len())),
                    Event::Pong => said.push("pong".to_owned()),
                    Event::Close => said.push("close".to_owned()),
                }
            }
        }
        Ok(said)
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let mut bytes = frame(0x81, b"Hello");
        bytes.extend(frame(0x01, b"<a"));
        bytes.extend(frame(0x89, b"x"));
        bytes.extend(frame(0x00, b""));
        bytes.extend(frame(0x80, b"/>"));
        bytes.extend(frame(0x81, "y".repeat(300).as_bytes()));
        bytes.extend(frame(0x81, "z".repeat(70_000).as_bytes()));
        bytes.extend(frame(0x81, b""));
        bytes.extend(frame(0x88, &[3, 232, b'o', b'k']));
        let expected = ["Hello", "ping 1", "<a/>", &"y".repeat(300), &"z".repeat(70_000), "", "close"];
        for size in [1, 2, 3, 7, 100, bytes.len()] {
            assert_eq!(said(&bytes, size).unwrap(), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn what_the_protocol_forbids_ends_the_connection() {
        let unmasked = vec![0x81, 2, b'h', b'i'];
        let long_form = [&[0x81, 0xfe, 0, 5, 0, 0, 0, 0][..], b"Hello"].concat();
        let longer_form = [&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0][..], &[b'x'; 256]].concat();
        let endless = vec![0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let large_ping = [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[b'x'; 126]].concat();
        let wrong = [
            ("no mask", unmasked),
            ("a reserved bit", frame(0xc1, b"x")),
            ("an unknown kind", frame(0x83, b"x")),
            ("an unknown control kind", frame(0x8b, b"x")),
            ("a continuation of nothing", frame(0x80, b"x")),
            ("a message within a message", [frame(0x01, b"x"), frame(0x81, b"y")].concat()),
            ("a control frame in pieces", frame(0x09, b"x")),
            ("a large control frame", large_ping),
            ("a length in the long form", long_form),
            ("a length in the longest form", longer_form),
            ("a length without an end", endless),
            ("half a code", frame(0x88, b"x")),
            ("a code that may not stand in a frame", frame(0x88, &[3, 237])),
            ("a reason that is no text", frame(0x88, &[3, 232, 0xff])),
        ];
        for (what, bytes) in wrong {
            assert_eq!(said(&bytes, 1), Err(Code::Protocol), "{what}");
            assert_eq!(said(&bytes, bytes.len()), Err(Code::Protocol), "{what}");
        }
        assert_eq!(said(&frame(0x82, b"x"), 100), Err(Code::Unsupported));
    }

    #[test]
    fn a_message_has_a_bounded_number_of_pieces() {
        let mut bytes = frame(0x01, b"<");
        for _ in 1..FRAGMENTS_MAX {
            bytes.extend(frame(0x00, b""));
        }
        assert_eq!(said(&bytes, 64), Ok(vec![]));
        bytes.extend(frame(0x00, b"a"));
        assert_eq!(said(&bytes, 64), Err(Code::Policy));
    }

    #[test]
    fn what_is_written_is_as_the_rfc_has_it() {
        let mut out = Vec::new();
        write_text(&mut out, &[b"Hel", b"lo"]);
        assert_eq!(out, [0x81, 5, b'H', b'e', b'l', b'l', b'o']);
        for length in [126, 0xffff, 0x10000] {
            let mut out = Vec::new();
            write_text(&mut out, &[&vec![0; length]]);
            assert_eq!(out.len(), length + if length > 0xffff { 10 } else { 4 });
        }
        let mut out = Vec::new();
        write_close(&mut out, Code::Protocol);
        assert_eq!(out, [0x88, 2, 3, 234]);
    }
}
