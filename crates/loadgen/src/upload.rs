//! Scenario `upload`: by how much the resident memory of the server grows while a large file is uploaded (XEP-0363) and fetched again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::args::{Target, Upload};
use crate::connect::Door;
use crate::frames::{attribute, between};
use crate::process::Server;
use crate::report::rounded;
use crate::socket::Socket;

/// Between two looks at the memory of the server.
const LOOK_MS: u64 = 50;
/// What the file is made of, again and again. No power of two, so that a block in the wrong place is seen.
const BLOCK: usize = 1_000_003;
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    server: String,
    bytes: u64,
    put_seconds: f64,
    get_seconds: f64,
    cpu_seconds: f64,
    /// The most at any time, beyond what there was before.
    grown_bytes: u64,
}

/// Runs the scenario; fails if what is fetched is not what was uploaded.
pub(crate) async fn run(args: &Upload) -> Result<Report> {
    let server = args.target.server()?.context("upload measures a server process: --server-pid")?;
    let slot = Slot::ask(args).await?;
    let web = Door::of_web(&Target { address: args.web_address, ..args.target.clone() })?;
    let before = server.usage()?;
    let most = Arc::new(AtomicU64::new(0));
    let watching = tokio::spawn(watch(server.clone(), most.clone()));
    let begin = Instant::now();
    slot.put(&web, args.bytes).await.context("the upload")?;
    let put_seconds = begin.elapsed().as_secs_f64();
    slot.get(&web, args.bytes).await.context("the download")?;
    let get_seconds = begin.elapsed().as_secs_f64() - put_seconds;
    let after = server.usage()?;
    watching.abort();
    let most = most.load(Ordering::Relaxed).max(after.rss_bytes);
    Ok(Report {
        scenario: "upload",
        server: args.target.name(),
        bytes: args.bytes,
        put_seconds: rounded(put_seconds),
        get_seconds: rounded(get_seconds),
        cpu_seconds: rounded(after.cpu_seconds - before.cpu_seconds),
        grown_bytes: most.saturating_sub(before.rss_bytes),
    })
}

/// Looks at the memory of the server until it is told to end.
async fn watch(server: Server, most: Arc<AtomicU64>) {
    while let Ok(usage) = server.usage() {
        most.fetch_max(usage.rss_bytes, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
}

/// Where the file goes and where it is then.
struct Slot {
    put: Address,
    /// The fields that the upload must have.
    fields: String,
    get: Address,
}

/// What an `https` address is asked for.
struct Address {
    host: String,
    path: String,
}

impl Address {
    fn read(url: &str) -> Result<Address> {
        let url = url.replace("&amp;", "&");
        let (host, path) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')).context("no address")?;
        Ok(Address { host: host.to_owned(), path: format!("/{path}") })
    }
}

impl Slot {
    async fn ask(args: &Upload) -> Result<Slot> {
        let door = Door::new(&args.target)?;
        let mut session = door.come_online(1).await?;
        let service = args.service.clone().unwrap_or_else(|| format!("upload.{}", door.domain()));
        let request = format!(
            "<iq type='get' id='slot' to='{service}'><request xmlns='urn:xmpp:http:upload:0' filename='large' size='{}' \
             content-type='application/octet-stream'/></iq>",
            args.bytes
        );
        let answer = session.ask("slot", &request).await?;
        let slot = Slot::read(&answer).with_context(|| format!("no slot: {}", String::from_utf8_lossy(&answer)))?;
        session.close(|_| {}).await?;
        Ok(slot)
    }

    fn read(answer: &[u8]) -> Result<Slot> {
        let element = |start: &str| memmem::find(answer, start.as_bytes()).map(|at| &answer[at..]);
        let address = |start: &str| element(start).and_then(|found| attribute(found, "url")).context("no address");
        let mut fields = String::new();
        let mut rest = answer;
        while let Some(at) = memmem::find(rest, b"<header ") {
            rest = &rest[at..];
            let name = attribute(rest, "name").context("a field without a name")?;
            let value = between(rest, ">", b'<').context("a field without a value")?;
            fields.push_str(&format!("{name}: {value}\r\n"));
            rest = &rest[1..];
        }
        Ok(Slot { put: Address::read(address("<put ")?)?, fields, get: Address::read(address("<get ")?)? })
    }

    async fn put(&self, web: &Door, bytes: u64) -> Result<()> {
        let mut socket = web.dial().await?;
        let Address { host, path } = &self.put;
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {bytes}\r\nContent-Type: application/octet-stream\r\n\
             {}Connection: close\r\n\r\n",
            self.fields
        );
        socket.write_all(head.as_bytes()).await?;
        let (block, mut missing) = (block(), bytes);
        while missing > 0 {
            let piece = missing.min(BLOCK as u64);
            socket.write_all(&block[..piece as usize]).await?;
            missing -= piece;
        }
        socket.flush().await?;
        let (head, _) = answered(&mut socket).await?;
        ensure!(head.starts_with("HTTP/1.1 201 "), "not taken: {head}");
        Ok(())
    }

    async fn get(&self, web: &Door, bytes: u64) -> Result<()> {
        let mut socket = web.dial().await?;
        let Address { host, path } = &self.get;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).await?;
        socket.flush().await?;
        let (head, mut piece) = answered(&mut socket).await?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "not given: {head}");
        let (block, mut come) = (block(), 0u64);
        while come < bytes {
            let mut rest = piece.as_slice();
            while !rest.is_empty() {
                let at = (come % BLOCK as u64) as usize;
                let same = rest.len().min(BLOCK - at);
                ensure!(rest[..same] == block[at..at + same], "what comes behind byte {come} is not what was uploaded");
                come += same as u64;
                rest = &rest[same..];
            }
            piece.clear();
            ensure!(come >= bytes || socket.read_buf(&mut piece).await? > 0, "it ends after {come} bytes");
        }
        ensure!(come == bytes, "more comes than was uploaded");
        Ok(())
    }
}

/// The same for both ways.
fn block() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(363);
    (0..BLOCK).map(|_| random.u8(..)).collect()
}

/// The head of an answer, and what has come behind it.
async fn answered(socket: &mut Socket) -> Result<(String, Vec<u8>)> {
    let mut come = Vec::with_capacity(HEAD_BYTES_MAX);
    loop {
        ensure!(socket.read_buf(&mut come).await? > 0, "the server closed the connection");
        if let Some(end) = memmem::find(&come, b"\r\n\r\n") {
            let behind = come.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&come).into_owned(), behind));
        }
        ensure!(come.len() <= HEAD_BYTES_MAX, "the answer has no end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read() {
        let answer = b"<iq type='result' id='slot'><slot xmlns='urn:xmpp:http:upload:0'><put url='https://a.example:8443/u/1?a=1&amp;b=2'>\
            <header name='Authorization'>Bearer x</header></put><get url='https://b.example/u/1'/></slot></iq>";
        let slot = Slot::read(answer).unwrap();
        assert_eq!((slot.put.host.as_str(), slot.put.path.as_str()), ("a.example:8443", "/u/1?a=1&b=2"));
        assert_eq!((slot.get.host.as_str(), slot.get.path.as_str()), ("b.example", "/u/1"));
        assert_eq!(slot.fields, "Authorization: Bearer x\r\n");
        assert!(Slot::read(b"<iq type='error'/>").is_err());
    }
}
