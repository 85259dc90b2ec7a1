//! What parts of the server say of values that do not fit this machine, as problems shown where the values were written.
//! Used at the start, by a reload and by `config check`, so that all three say the same.

use metronome_net::control::ControlError;

use crate::config::{Code, Configuration, Problem};
use crate::logging::LogError;

/// Logs cannot be written as these values say.
pub fn logs(configuration: &Configuration, why: &LogError) -> Problem {
    match why.setting() {
        Some(setting) => configuration.problem_with(setting, why.to_string(), why.hint()),
        None => Problem::without_place(Code::Unfit, why.to_string(), why.hint()),
    }
}

/// There can be no control socket as these values say.
pub fn control(configuration: &Configuration, why: &ControlError) -> Problem {
    configuration.problem_with(why.setting(), why.to_string(), why.hint())
}
