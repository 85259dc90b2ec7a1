//! The body of a request as it comes. Nobody knows from whom before its tag has come, and so no more of it is in memory until then than a
//! stranger may say.

use axum::body::Body;
use http_body_util::BodyExt;
use metronome_proto::payload::bosh::Condition;

use super::STRANGERS_BYTES_MAX;

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// More came than may, or the connection is lost.
    Broken,
    /// Whoever sends it may not say so much.
    Refused(Condition),
}

/// All of a body, whose bytes its route has bounded. Where it is more than strangers may say, `may_go_on` looks at its beginning; if it may
/// not, the rest is thrown away as it comes, so that the client reads the answer.
pub(super) async fn whole(
    mut body: Body,
    may_go_on: impl Fn(&[u8]) -> Result<(), Condition>,
) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    let mut is_known = false;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if !is_known && bytes.len() > STRANGERS_BYTES_MAX {
            if let Err(condition) = may_go_on(&bytes) {
                drop(bytes);
                while let Some(Ok(_)) = body.frame().await {}
                return Err(Unread::Refused(condition));
            }
            is_known = true;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use axum::body::Bytes;
    use futures_util::{FutureExt, stream};

    use super::*;

    const PIECE: usize = 1000;

    fn body(pieces: usize) -> Body {
        Body::from_stream(stream::iter((0..pieces).map(|_| Ok::<_, Infallible>(Bytes::from(vec![b'x'; PIECE])))))
    }

    #[test]
    fn of_strangers_little_is_kept_and_the_rest_is_not_looked_at() {
        let seen = Cell::new(0);
        let refuse = |bytes: &[u8]| {
            seen.set(seen.get() + bytes.len());
            Err(Condition::ItemNotFound)
        };
        let read = whole(body(300), refuse).now_or_never().unwrap();
        assert_eq!(read, Err(Unread::Refused(Condition::ItemNotFound)));
        assert!((STRANGERS_BYTES_MAX..=STRANGERS_BYTES_MAX + PIECE).contains(&seen.get()), "{}", seen.get());
        // Whoever says little is not asked who it is.
        let asks_nobody = |_: &[u8]| -> Result<(), Condition> { panic!("this is little") };
        assert_eq!(whole(body(16), asks_nobody).now_or_never().unwrap().unwrap().len(), 16 * PIECE);
    }

    #[test]
    fn who_is_known_may_say_more_and_is_asked_once() {
        let asked = Cell::new(0);
        let allow = |_: &[u8]| {
            asked.set(asked.get() + 1);
            Ok(())
        };
        assert_eq!(whole(body(300), allow).now_or_never().unwrap().unwrap().len(), 300 * PIECE);
        assert_eq!(asked.get(), 1);
    }
}
