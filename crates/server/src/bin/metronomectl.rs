//! The control utility. Everything it does is in `metronome_server::ctl`; its verbs are the server's command table.

use metronome_server::{ctl, tables};

fn main() -> std::process::ExitCode {
    ctl::main(&ctl::Parts { commands: tables::commands(), settings: tables::settings(), check: ctl::check_machine })
}
