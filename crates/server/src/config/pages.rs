//! The reference of all options and the example file, written from the settings' declarations.
//! Called when documentation is generated; a test of freshness compares what is committed with what these return.

use metronome_host::options::{Kind, Reload, Scope, Setting, write_bytes, write_duration};

use super::Tables;
use super::environment::variable;
use super::show::section;

/// Longest line of the example file's comments.
const COMMENT_CHARS_MAX: usize = 100;

/// The reference page, in Markdown.
pub fn reference(tables: Tables) -> String {
    let mut page = String::from(
        "# Options\n\n\
         This page is generated from the options' declarations. Only `domain` must be written; everything else has a default.\n\
         A key that is not listed here is an error.\n\n\
         Values are taken from, each stronger than the one before: the defaults, the file, `conf.d/*.toml` beside it in the\n\
         order of their names, the environment, the command line. Dotted names are sections: `limits.c2s.stanza` is `stanza`\n\
         in `[limits.c2s]`. What is marked *per domain* may be written in `[host.\"example.net\"]` too, for that domain alone:\n\
         `[host.\"example.net\".limits.c2s]`.\n",
    );
    for (name, settings) in sections(tables) {
        let title = if name.is_empty() { "Above the first section".to_owned() } else { format!("`[{name}]`") };
        page.push_str(&format!("\n## {title}\n"));
        for setting in settings {
            page.push_str(&entry(setting));
        }
    }
    page
}

/// The example file: every section with every key and its default, commented out.
pub fn example(tables: Tables) -> String {
    let mut page = String::from("# Every option with its default. Only `domain` must be written.\n");
    for (name, settings) in sections(tables) {
        if !name.is_empty() {
            page.push_str(&format!("\n[{name}]\n"));
        }
        for setting in settings {
            page.push('\n');
            for line in wrap(setting.doc) {
                page.push_str(&format!("# {line}\n"));
            }
            let key = setting.key.rsplit('.').next().unwrap_or(setting.key);
            match setting.is_required() {
                true => page.push_str(&format!("{key} = {}\n", setting.form())),
                false => page.push_str(&format!("# {key} = {}\n", setting.default)),
            }
        }
    }
    page
}

/// The settings by section, sections in the order of their first key.
fn sections(tables: Tables) -> Vec<(&'static str, Vec<&'static Setting>)> {
    let mut sections: Vec<(&str, Vec<&Setting>)> = vec![("", Vec::new())];
    for setting in tables.iter().copied().flatten() {
        match sections.iter_mut().find(|(name, _)| *name == section(setting)) {
            Some((_, settings)) => settings.push(setting),
            None => sections.push((section(setting), vec![setting])),
        }
    }
    sections.retain(|(_, settings)| !settings.is_empty());
    sections
}

fn entry(setting: &Setting) -> String {
    let default =
        if setting.is_required() { "none, it must be written".to_owned() } else { format!("`{}`", setting.default) };
    let takes_effect = match setting.reload {
        Reload::AtOnce => "at once",
        Reload::NewStreams => "for new streams",
        Reload::Restart => "after a restart",
    };
    let scope = if setting.scope == Scope::Host { " · per domain" } else { "" };
    format!(
        "\n### `{}`\n\n{}\n\n- {}\n- Default: {default}\n- Takes effect {takes_effect}{scope} · `{}`\n",
        setting.key,
        setting.doc,
        values(setting),
        variable(setting),
    )
}

/// What may be written, in words.
fn values(setting: &Setting) -> String {
    let choices =
        |choices: &[&str]| choices.iter().map(|choice| format!("`\"{choice}\"`")).collect::<Vec<_>>().join(", ");
    let range = |write: fn(u64) -> String| match setting.range {
        Some((min, max)) => format!(", from {} to {}", write(min), write(max)),
        None => String::new(),
    };
    match setting.kind {
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Count { min, max } => format!("A whole number from {min} to {max}"),
        Kind::Text => "Text".to_owned(),
        Kind::Choice(words) => format!("One of {}", choices(words)),
        Kind::Choices(words) => format!("A list of some of {}", choices(words)),
        Kind::List => "A list of texts".to_owned(),
        Kind::Domain => "A domain name".to_owned(),
        Kind::Domains => "A list of domain names".to_owned(),
        Kind::Bytes => format!("A size like `\"256 KiB\"`{}", range(write_bytes)),
        Kind::Rate => format!("A flow like `\"64 KiB/s\"`{}", range(|bytes| format!("{}/s", write_bytes(bytes)))),
        Kind::Frequency => "A frequency like `\"10/min\"`".to_owned(),
        Kind::Duration => {
            format!("A time like `\"30 s\"`{}", range(|ms| write_duration(std::time::Duration::from_millis(ms))))
        }
        Kind::Addresses => "A list of addresses with ports, `[]` for none".to_owned(),
        Kind::Networks => "A list of networks or addresses, `[]` for none".to_owned(),
        Kind::Path => "A path, `\"\"` for none".to_owned(),
    }
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COMMENT_CHARS_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
