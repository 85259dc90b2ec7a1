//! The control socket: a Unix socket that `metronomectl` asks, one JSON object on a line for each command and each answer.
//! Only root, the user the server runs as, and a group if one is configured are heard (`SO_PEERCRED`); commands come from the tables of `host::command`.
//! Keeps nothing but the socket's file.

mod connection;
mod group;
mod wire;

use std::fs::{self, DirBuilder, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{self, Asker, Tables};
use metronome_host::options::{Kind, Setting, Values};
use metronome_host::server::Server;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use group::Group;
pub use wire::{LINE_BYTES_MAX, Reply, Request};

/// Most connections at once; the next is told so and closed.
const CONNECTIONS_MAX: usize = 64;
/// How long connections may take to finish their command when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait after a failed accept, such as one without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the socket is.
pub const SOCKET: Setting = Setting::new(
    "control.socket",
    Kind::Path,
    "\"/run/metronome/control.sock\"",
    "The Unix socket for `metronomectl`. Root and the user the server runs as may use it.",
)
.at_restart();

/// Who else may use it.
pub const GROUP: Setting = Setting::new(
    "control.group",
    Kind::Text,
    "\"\"",
    "A group of this machine whose members may use the control socket too, and with it do everything that `metronomectl` can. The \
     user the server runs as must be one of them.",
)
.at_restart();

/// The table of the settings above.
pub const SETTINGS: &[Setting] = &[SOCKET, GROUP];

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another server answers on it.
    #[error("another server is running: it answers on {}", .0.display())]
    InUse(PathBuf),
    /// Something else has the path.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// There is no such group, or no socket is named.
    #[error("{}: {what}", setting.key)]
    Setting {
        /// The one that is wrong.
        setting: &'static Setting,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The folder or the socket cannot be made.
    #[error("cannot make the control socket {}: {why}", path.display())]
    Make {
        /// The socket.
        path: PathBuf,
        /// What the system said. Not `#[source]`: the message has it.
        why: io::Error,
    },
}

impl ControlError {
    /// Which setting is wrong.
    pub fn setting(&self) -> &'static Setting {
        match self {
            ControlError::Setting { setting, .. } => setting,
            _ => &SOCKET,
        }
    }

    /// What to do about it; empty if nothing helps.
    pub fn hint(&self) -> &'static str {
        match self {
            ControlError::Setting { setting, .. } if setting.key == GROUP.key => "make the group, or name another",
            ControlError::Make { .. } => {
                "the user the server runs as must be able to write to its folder, or control.socket name another place"
            }
            ControlError::Setting { .. } | ControlError::NotASocket(_) => "name a path that is free",
            ControlError::InUse(_) => "",
        }
    }
}

/// What of these options cannot be used, as far as it can be told without making anything; for `config check`.
pub fn check(values: &Values) -> Result<(), ControlError> {
    let path = socket_of(values)?;
    group_of(values, path)?;
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ControlError::NotASocket(path.to_owned())),
        _ => Ok(()),
    }
}

/// Whether a server answers on the socket of these options, which is an error then. Nothing is made, and it may be otherwise a moment later.
pub fn is_free(values: &Values) -> Result<(), ControlError> {
    look_at(socket_of(values)?).map(drop)
}

fn socket_of(values: &Values) -> Result<&Path, ControlError> {
    values.path(&SOCKET).ok_or(ControlError::Setting { setting: &SOCKET, what: "no socket is named" })
}

fn group_of(values: &Values, path: &Path) -> Result<Option<Group>, ControlError> {
    match values.text(&GROUP) {
        "" => Ok(None),
        name => {
            let found = Group::find(name).map_err(|why| ControlError::Make { path: path.to_owned(), why })?;
            found.map(Some).ok_or(ControlError::Setting { setting: &GROUP, what: "there is no such group" })
        }
    }
}

/// The bound socket.
pub struct ControlSocket {
    listener: UnixListener,
    file: SocketFile,
    group: Option<Group>,
}

impl ControlSocket {
    /// Binds the socket of these options, mode 0660, and makes its folder, mode 0750, if it is not there. Both belong to
    /// [`GROUP`] if one is configured.
    ///
    /// A socket that nobody answers on is left from a crash and replaced. Needs a running tokio; blocks for a moment.
    pub fn open(values: &Values) -> Result<Self, ControlError> {
        let path = socket_of(values)?;
        let failed = |why| ControlError::Make { path: path.to_owned(), why };
        let group = group_of(values, path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
            DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed)?;
            group.map_or(Ok(()), |group| group.own(folder)).map_err(failed)?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile::of(path).map_err(failed)?;
        group.map_or(Ok(()), |group| group.own(path)).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(failed)?;
        Ok(Self { listener, file, group })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Answers until `stop` completes; then each connection finishes the command it is at, for two seconds at most.
    ///
    /// Whoever stops the server knows by the file that the process has ended, so it is for the caller to drop it last.
    pub async fn serve(self, server: Arc<Server>, tables: Tables, stop: impl Future<Output = ()>) -> SocketFile {
        let run = move |request: Request| {
            let server = server.clone();
            async move {
                let result =
                    command::call(&server, tables, &Asker::Operator, &request.command, request.arguments).await;
                Reply::from(result)
            }
        };
        self.serve_with(run, stop).await
    }

    async fn serve_with<F>(
        self,
        run: impl Fn(Request) -> F + Clone + Send + Sync + 'static,
        stop: impl Future<Output = ()>,
    ) -> SocketFile
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (stopping, _) = watch::channel(());
        let mut connections = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut stop => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(why) => {
                    warn!(%why, "control socket cannot accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if let Err(refusal) = check_peer(&stream, self.group) {
                connections.spawn(connection::refuse(stream, refusal));
                continue;
            }
            match places.clone().try_acquire_owned() {
                Ok(place) => {
                    let serve = connection::serve(stream, run.clone(), stopping.subscribe());
                    connections.spawn(async move {
                        serve.await;
                        drop(place);
                    });
                }
                Err(_) => drop(connections.spawn(connection::refuse(stream, "too many control connections"))),
            }
        }
        drop(stopping);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, all_done).await.is_err() {
            warn!("control commands were cut off by the stop");
        }
        self.file
    }
}

/// Root, our own user and the group may ask; anybody else is refused, whatever the file's mode became.
fn check_peer(stream: &UnixStream, group: Option<Group>) -> Result<(), &'static str> {
    let Ok(peer) = stream.peer_cred() else { return Err("the system does not say who is asking") };
    let uid = peer.uid();
    let in_group = || group.is_some_and(|group| group.has(peer.gid(), peer.pid()));
    if may_ask(uid, rustix::process::geteuid().as_raw()) || in_group() {
        debug!(uid, "control connection");
        return Ok(());
    }
    warn!(uid, "control connection refused");
    Err("only root, the user the server runs as and the group in control.group may use the control socket")
}

fn may_ask(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

fn remove_stale(path: &Path) -> Result<(), ControlError> {
    match look_at(path)? {
        Found::Stale => fs::remove_file(path).map_err(|why| ControlError::Make { path: path.to_owned(), why }),
        Found::Nothing => Ok(()),
    }
}

/// What is where the socket is to be, if nobody has it.
enum Found {
    Nothing,
    /// A socket that nobody answers on.
    Stale,
}

fn look_at(path: &Path) -> Result<Found, ControlError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(Found::Nothing) };
    if !found.file_type().is_socket() {
        return Err(ControlError::NotASocket(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Err(why) if why.kind() == io::ErrorKind::ConnectionRefused => Ok(Found::Stale),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        // It accepts, its queue is full, or we may not ask: somebody has it.
        _ => Err(ControlError::InUse(path.to_owned())),
    }
}

/// The file of the socket, removed when this is dropped; known by its inode, so that another server's never is.
pub struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), inode: inode(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode) {
            // If it stays it is stale, and the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests;
