//! `config`: the verbs that read the configuration by themselves, so that they work while the server does not.

use metronome_host::command::Failed;
use metronome_net::control::Reply;
use serde_json::{Value, json};

use super::Parts;
use super::cli::{ConfigVerb, Options};
use crate::config::{self, ConfigFile, Configuration, Detail, Inputs, Problems};

pub(super) fn run(parts: &Parts, verb: ConfigVerb, file: ConfigFile, options: &Options) -> Result<Reply, Failed> {
    match verb {
        ConfigVerb::Example => return Ok(done(config::example(parts.settings), Value::Null)),
        ConfigVerb::Reference => return Ok(done(config::reference(parts.settings), Value::Null)),
        ConfigVerb::Check | ConfigVerb::Show { .. } => {}
    }
    let loaded = config::load(parts.settings, &Inputs::of_process(file));
    Ok(match (verb, loaded) {
        (_, Err(problems)) => wrong(&problems),
        (ConfigVerb::Show { detail, origins }, Ok(configuration)) => {
            let json = if options.json { configuration.show_json(detail) } else { Value::Null };
            done(configuration.show(detail, origins), json)
        }
        (_, Ok(configuration)) => {
            let found = (parts.check)(&configuration);
            match Problems::from(found.problems) {
                Some(problems) => wrong(&problems),
                None => good(&configuration, found.notes),
            }
        }
    })
}

fn done(text: String, value: Value) -> Reply {
    let value = if value.is_null() { Value::from(text.as_str()) } else { value };
    Reply { exit: 0, text: text.trim_end().to_owned(), value, hint: String::new() }
}

fn wrong(problems: &Problems) -> Reply {
    let value = json!({ "ok": false, "problems": problems.to_json() });
    Reply { exit: 1, text: problems.to_string(), value, hint: String::new() }
}

fn good(configuration: &Configuration, found: Vec<String>) -> Reply {
    let files: Vec<String> = configuration.files().iter().map(|path| path.display().to_string()).collect();
    let given = configuration.show_json(Detail::Given).as_array().map_or(0, Vec::len);
    let read = if files.is_empty() { "the environment".to_owned() } else { files.join(", ") };
    let mut text = format!("{read}: no problems, {given} {} set", if given == 1 { "key" } else { "keys" });
    // Only the running server knows which domains commands have added.
    let mut notes: Vec<String> = configuration.strangers().iter().map(|stranger| stranger.note.clone()).collect();
    notes.extend(found);
    for note in &notes {
        text.push_str(&format!("\nnote: {note}"));
    }
    done(text, json!({ "ok": true, "problems": [], "notes": notes, "files": files, "given": given }))
}
