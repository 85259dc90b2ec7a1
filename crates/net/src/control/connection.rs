//! One control connection: a line is read, its command run, its answer written, and then the next.
//! Everything has a bound: the line, the wait for it, the command, and the writing of its answer.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::wire::{LINE_BYTES_MAX, Reply, Request};

/// How long a connection may be silent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the other side may take to read an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers requests one after the other, until the other side closes or `stopping` does.
pub(super) async fn serve<F>(mut stream: UnixStream, run: impl Fn(Request) -> F, mut stopping: watch::Receiver<()>)
where
    F: Future<Output = Reply> + Send + 'static,
{
    let (reading, mut writing) = stream.split();
    let mut reader = BufReader::new(reading);
    let mut line = Vec::new();
    loop {
        let read = tokio::select! {
            read = timeout(IDLE_TIMEOUT, read_line(&mut reader, &mut line)) => read.unwrap_or(Line::End),
            _ = stopping.changed() => Line::End,
        };
        let (reply, last) = match read {
            Line::End => return,
            Line::TooLong => (Reply::usage("the request is longer than 64 KiB"), true),
            Line::Whole => (answer(&line, &run).await, false),
        };
        let written = timeout(WRITE_TIMEOUT, writing.write_all(reply.to_line().as_bytes())).await;
        if last || !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// Tells somebody who is not served why, and closes.
pub(super) async fn refuse(mut stream: UnixStream, why: &'static str) {
    let line = Reply::problem(why).to_line();
    // Whoever does not read it sees the end of the stream.
    let _ = timeout(WRITE_TIMEOUT, stream.write_all(line.as_bytes())).await;
}

async fn answer<F>(line: &[u8], run: impl Fn(Request) -> F) -> Reply
where
    F: Future<Output = Reply> + Send + 'static,
{
    match Request::from_line(line) {
        // A task of its own: a command that has begun ends, also when nobody waits for it any more.
        Ok(request) => match timeout(COMMAND_TIMEOUT, tokio::spawn(run(request))).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Reply::problem("the command has failed; the log says why"),
            Err(_) => Reply::problem("the command has taken too long; what it did may still take effect"),
        },
        Err(why) => Reply::usage(why),
    }
}

enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads up to a line break into `line`, which had the line before. What has no break at its end is no request.
async fn read_line(reader: &mut BufReader<impl AsyncRead + Unpin>, line: &mut Vec<u8>) -> Line {
    line.clear();
    let limit = LINE_BYTES_MAX as u64 + 1;
    match reader.take(limit).read_until(b'\n', line).await {
        Ok(_) if line.ends_with(b"\n") => Line::Whole,
        Ok(_) if line.len() > LINE_BYTES_MAX => Line::TooLong,
        _ => Line::End,
    }
}
