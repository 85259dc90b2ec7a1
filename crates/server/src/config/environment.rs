//! Values from the environment (`METRONOME_SECTION__KEY`) and from the command line (dotted keys).
//! A variable without `__` that is no top-level key is ignored: orchestrators make such names for a service called metronome.

use std::sync::Arc;

use metronome_host::options::{Setting, Value};

use super::Tables;
use super::problem::{Code, Place, Problem};
use super::read::{Given, Reading};
use super::source::Source;
use super::suggest::nearest;

const PREFIX: &str = "METRONOME_";

/// Reads the variables that begin with `METRONOME_`, in the order of their names.
pub(super) fn read_environment(tables: Tables, environment: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    let mut ours: Vec<_> = environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    ours.sort();
    for (name, words) in ours {
        let source = Arc::new(Source::variable(name, words));
        match settings(tables).find(|setting| variable(setting) == *name) {
            Some(setting) => read_words(&mut reading, setting, &source, words),
            None if name.contains("__") => {
                let names: Vec<String> = settings(tables).map(variable).collect();
                let hint = nearest(name, names.iter().map(String::as_str));
                let hint = hint.map_or_else(String::new, |name| format!("did you mean `{name}`?"));
                let problem =
                    Problem::at(&source, 0..name.len(), Code::UnknownKey, format!("unknown variable `{name}`"), hint);
                reading.problems.push(problem);
            }
            None => {}
        }
    }
    reading
}

/// Reads dotted keys with plain words.
pub(super) fn read_flags(tables: Tables, flags: &[(String, String)]) -> Reading {
    let mut reading = Reading::default();
    for (key, words) in flags {
        let source = Arc::new(Source::flag(key, words));
        match settings(tables).find(|setting| setting.key == key) {
            Some(setting) => read_words(&mut reading, setting, &source, words),
            None => {
                let hint = nearest(key, settings(tables).map(|setting| setting.key));
                let hint = hint.map_or_else(String::new, |key| format!("did you mean `{key}`?"));
                let problem =
                    Problem::at(&source, 0..key.len(), Code::UnknownKey, format!("unknown key `{key}`"), hint);
                reading.problems.push(problem);
            }
        }
    }
    reading
}

/// The variable of a setting: `METRONOME_LIMITS__C2S__STANZA`.
pub(super) fn variable(setting: &Setting) -> String {
    format!("{PREFIX}{}", setting.key.replace('.', "__").to_uppercase())
}

fn settings(tables: Tables) -> impl Iterator<Item = &'static Setting> {
    tables.iter().copied().flatten()
}

fn read_words(reading: &mut Reading, setting: &'static Setting, source: &Arc<Source>, words: &str) {
    let offset = source.text().len() - words.len();
    match Value::read_plain(setting, words) {
        Ok(value) => {
            let place = Place { source: source.clone(), span: offset..source.text().len() };
            reading.given.push(Given { host: String::new(), setting, value, place });
        }
        Err(wrong) => {
            let span = wrong.span.start + offset..wrong.span.end + offset;
            let message = format!("`{}`: {}", setting.key, wrong.message);
            reading.problems.push(Problem::at(source, span, Code::WrongValue, message, wrong.hint));
        }
    }
}
