//! The development mode: settings that need nothing from the machine, two accounts, and how to connect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use metronome_features::accounts;
use metronome_host::server::Server;
use metronome_host::web;
use metronome_model::Role;
use metronome_proto::jid::Jid;

use super::{CertificateFiles, DOMAIN, ensure};
use crate::assemble::Running;

const ACCOUNTS: [&str; 2] = ["alice@localhost", "bob@localhost"];
const PASSWORD: &str = "secret";

/// Other defaults than the usual ones: everything on the loopback interface and in one folder.
pub fn presets(data: &Path, port_offset: u16) -> anyhow::Result<Vec<(&'static str, String)>> {
    std::fs::create_dir_all(data)?;
    let data = data.canonicalize()?;
    let CertificateFiles { certificate, key, .. } = ensure(&data, &[DOMAIN.to_owned()])?;
    let text = |path: &Path| format!("{:?}", path.display().to_string());
    let port = |port: u16| u32::from(port) + u32::from(port_offset);
    let web = format!("{:?}", format!("http://{DOMAIN}:{}", port(5280)));
    let port = |number: u16| format!("[\"127.0.0.1:{}\"]", port(number));
    let client = client_files().map(|folder| ("web.client_files", text(&folder)));
    let presets = vec![
        ("domain", format!("{DOMAIN:?}")),
        ("server.data", text(&data)),
        ("control.socket", text(&data.join("control.sock"))),
        ("tls.files.cert", text(&certificate)),
        ("tls.files.key", text(&key)),
        // Nobody but this machine can connect.
        ("registration.open", "true".to_owned()),
        ("listen.c2s", port(5222)),
        ("listen.c2s_tls", port(5223)),
        ("listen.s2s", "[]".to_owned()),
        ("listen.s2s_tls", "[]".to_owned()),
        ("listen.http", port(5280)),
        ("listen.https", port(5281)),
        ("listen.metrics", port(5284)),
        ("listen.socks", port(5285)),
        ("web.url", web),
        ("web.default_host", format!("{DOMAIN:?}")),
        // Nobody is on the way between this machine and itself.
        ("web.private", "[\"127.0.0.0/8\", \"::1\"]".to_owned()),
    ];
    Ok(presets.into_iter().chain(client).collect())
}

/// Where the build has put the chat page: beside the folder of the program.
fn client_files() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?.parent()?.join("chat-page");
    folder.join("package.json").is_file().then_some(folder)
}

/// Makes the demo accounts where they do not exist.
pub async fn accounts(server: &Arc<Server>) -> anyhow::Result<()> {
    for address in ACCOUNTS {
        let jid = Jid::parse(address)?;
        let name = jid.local().unwrap_or_default();
        if server.store.account(DOMAIN, name).await?.is_none() {
            accounts::create(server, &jid, PASSWORD, Role::User).await?;
        }
    }
    Ok(())
}

/// How to connect.
pub fn welcome(data: &Path, running: &Running) -> String {
    let addresses: Vec<_> = running.addresses.iter().map(ToString::to_string).collect();
    let folder = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let hosts = running.server.hosts.load();
    let host = hosts.first();
    let page = || web::base(&running.server, host).map(|base| format!("{base}/"));
    let web = web::chat(&running.server, host).or_else(page).unwrap_or_else(|| "-".to_owned());
    format!(
        "\n  Connect any XMPP client as {} or {} with the password `{PASSWORD}`:\n    \
         STARTTLS {}, direct TLS {}\n    \
         in the browser: {}\n    \
         certificate authority to trust: {}\n  Data: {}\n  Control: {} --socket {} status\n\n",
        ACCOUNTS[0],
        ACCOUNTS[1],
        addresses.first().map_or("-", String::as_str),
        addresses.get(1).map_or("-", String::as_str),
        web,
        folder.join("ca.pem").display(),
        folder.display(),
        program("metronomectl"),
        running.control.display(),
    )
}

/// What to type for one of our programs: its name if that is enough, or else where it is, beside this one.
pub fn program(name: &str) -> String {
    let Ok(path) = std::env::current_exe().map(|own| own.with_file_name(name)) else { return name.to_owned() };
    let searched = std::env::var_os("PATH").unwrap_or_default();
    if !path.exists() || std::env::split_paths(&searched).any(|folder| path.parent() == Some(&folder)) {
        return name.to_owned();
    }
    let below = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or(path).display().to_string()
}
