//! The connection as what is above it sees it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

async fn connected() -> (WebSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let server = Socket::Plain(listener.accept().await.unwrap().0);
    (WebSocket::new(server, Privacy::Private, Vec::new()), client)
}

/// A text message of a client in one frame, with a mask of zeros.
fn message(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    out.push(0x81);
    match text.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(text.as_bytes());
    out
}

/// Everything that is read until the connection ends, or what it ends with.
async fn read(socket: &mut WebSocket, client: TcpStream) -> Result<String, Option<Condition>> {
    drop(client);
    let mut all = String::new();
    match socket.read_to_string(&mut all).await {
        Ok(_) => Ok(all),
        Err(error) => Err(Faulty::of(&error).map(|error| error.condition)),
    }
}

const OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a&amp;b' version='1.0' xml:lang='de'/>";

#[tokio::test]
async fn messages_are_read_as_a_stream() {
    let (mut socket, mut client) = connected().await;
    for text in [OPEN, "<a xmlns='x'>1</a>", "<message><body>2</body></message>\n"] {
        client.write_all(&message(text)).await.unwrap();
    }
    client.write_all(&message("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")).await.unwrap();
    let stream = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='a&amp;b' version='1.0' \
                  xml:lang='de'><a xmlns='x'>1</a><message><body>2</body></message></stream:stream>";
    assert_eq!(read(&mut socket, client).await.unwrap(), stream);
}

#[tokio::test]
async fn a_message_is_one_element_and_nothing_else() {
    let wrong = [
        ("two", "<a xmlns='x'/><b xmlns='x'/>", Condition::BadFormat),
        ("half of one", "<a xmlns='x'>", Condition::BadFormat),
        ("one and a half", "<a xmlns='x'/><b", Condition::BadFormat),
        ("text", "hello", Condition::BadFormat),
        ("space", " <a xmlns='x'/>", Condition::BadFormat),
        ("text behind one", "<a xmlns='x'/>hello", Condition::BadFormat),
        ("nothing", "", Condition::BadFormat),
        ("a comment", "<!-- x --><a/>", Condition::RestrictedXml),
        ("an end", "</stream:stream>", Condition::NotWellFormed),
        ("a broken tag", "<a b></a>", Condition::NotWellFormed),
    ];
    for (what, text, condition) in wrong {
        let (mut socket, mut client) = connected().await;
        client.write_all(&message(OPEN)).await.unwrap();
        client.write_all(&message(text)).await.unwrap();
        assert_eq!(read(&mut socket, client).await, Err(Some(condition)), "{what}");
    }
    // Without a header there is no stream, whatever is said.
    let (mut socket, mut client) = connected().await;
    client.write_all(&message("<message/>")).await.unwrap();
    assert_eq!(read(&mut socket, client).await, Err(Some(Condition::InvalidNamespace)));
}

#[tokio::test]
async fn what_is_too_large_is_noticed_before_it_is_all_there() {
    let (mut socket, mut client) = connected().await;
    client.write_all(&message(OPEN)).await.unwrap();
    client.write_all(&message(&format!("<a xmlns='x'>{}</a>", "y".repeat(20_000)))[..12_000]).await.unwrap();
    assert_eq!(read(&mut socket, client).await, Err(Some(Condition::PolicyViolation)));
}

#[tokio::test]
async fn a_stream_is_written_as_messages() {
    let (mut socket, mut client) = connected().await;
    let stream = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                  from='a' id='1' xml:lang='en' version='1.0'><stream:features><x xmlns='y'/></stream:features><stream:features/>\
                  <message><body>hi</body></message></stream:stream>";
    for piece in stream.as_bytes().chunks(7) {
        socket.write_all(piece).await.unwrap();
    }
    socket.shutdown().await.unwrap();
    let mut written = Vec::new();
    client.read_to_end(&mut written).await.unwrap();
    let mut expected = Vec::new();
    for text in [
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='a' id='1' version='1.0' xml:lang='en'/>",
        "<stream:features xmlns:stream='http://etherx.jabber.org/streams'><x xmlns='y'/></stream:features>",
        "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>",
        "<message xmlns='jabber:client'><body>hi</body></message>",
        "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
    ] {
        frame::write_text(&mut expected, &[text.as_bytes()]);
    }
    frame::write_close(&mut expected, Code::Normal);
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected));
}

#[tokio::test]
async fn a_ping_is_answered_and_a_flood_of_them_is_not() {
    let (mut socket, mut client) = connected().await;
    let ping = [0x89, 0x81, 0, 0, 0, 0, b'x'];
    client.write_all(&message(OPEN)).await.unwrap();
    client.write_all(&ping).await.unwrap();
    let mut read = [0; 4096];
    assert!(socket.read(&mut read).await.unwrap() > 0);
    client.write_all(&message("<a xmlns='x'/>")).await.unwrap();
    assert!(socket.read(&mut read).await.unwrap() > 0);
    let mut pong = [0; 3];
    client.read_exact(&mut pong).await.unwrap();
    assert_eq!(pong, [0x8a, 1, b'x']);
    client.write_all(&ping.repeat(200)).await.unwrap();
    assert!(socket.read(&mut read).await.is_err());
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<WebSocket>() <= 768, "{}", size_of::<WebSocket>());
}
