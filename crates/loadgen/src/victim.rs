//! The server that scenario `crash` starts, kills and starts again. Keeps the child process only.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// A server that does not accept connections within this time has failed to come back.
const START_SECONDS_MAX: u64 = 30;
const STOP_SECONDS_MAX: u64 = 15;

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Victim {
    child: Child,
}

impl Victim {
    /// Runs `command` in a shell that it replaces, and returns when `address` accepts connections.
    pub(crate) async fn start(command: &str, address: SocketAddr) -> Result<Victim> {
        let child = Command::new("sh")
            .args(["-c", &format!("exec {command} >&2")])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run a shell")?;
        let mut victim = Victim { child };
        let end = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = victim.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            ensure!(Instant::now() < end, "the server does not accept connections on {address}");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(victim)
    }

    /// SIGKILL. Fails if the server had ended by itself before.
    pub(crate) async fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself: {status}");
        }
        Ok(self.child.kill().await?)
    }

    /// SIGTERM, and SIGKILL if that takes too long.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        if timeout(Duration::from_secs(STOP_SECONDS_MAX), self.child.wait()).await.is_err() {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// Runs `command` in a shell to its end; a failure of it is an error.
pub(crate) async fn run(command: &str) -> Result<()> {
    let status = Command::new("sh").args(["-c", &format!("{{ {command}\n}} >&2")]).status().await?;
    ensure!(status.success(), "`{command}` failed: {status}");
    Ok(())
}
