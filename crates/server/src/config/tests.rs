//! Every mistake that can be made in a configuration, with the message it gives, and the layers over each other.

use metronome_host::options::{Kind, Reload, Setting};
use tempfile::TempDir;

use super::*;

const DATA: Setting =
    Setting::new("server.data", Kind::Path, "\"/var/lib/metronome\"", "The folder of everything that is stored.")
        .at_restart();
const REQUIRE_C2S: Setting =
    Setting::new("tls.require_c2s", Kind::Flag, "true", "Whether clients must use TLS.").per_host();
const MINIMUM: Setting =
    Setting::new("tls.minimum", Kind::Choice(&["1.2", "1.3"]), "\"1.2\"", "The oldest TLS version.");
const STANZA: Setting = Setting::new("limits.c2s.stanza", Kind::Bytes, "\"256 KiB\"", "Largest stanza of a client.")
    .within(10_240, 64 << 20)
    .for_new_streams()
    .per_host();
const SESSIONS: Setting =
    Setting::new("limits.c2s.sessions", Kind::Count { min: 1, max: 1000 }, "10", "Resources per account.").per_host();
const LISTEN: Setting =
    Setting::new("listen.c2s", Kind::Addresses, "[\"[::]:5222\"]", "Where clients connect.").at_restart();
const TEST: &[Setting] = &[DATA, REQUIRE_C2S, MINIMUM, STANZA, SESSIONS, LISTEN];
const TABLES: Tables = &[SETTINGS, TEST];

fn try_text(text: &str) -> Result<Configuration, Problems> {
    let source = Arc::new(Source::file(Path::new("/etc/metronome/metronome.toml"), text.to_owned()));
    layers::from_sources(TABLES, &[], vec![source], &[], &[])
}

/// The whole message that a text gives.
fn shown(text: &str) -> String {
    try_text(text).expect_err("the text is wrong").to_string()
}

/// The message of a text whose first line is the domain.
fn shown_below_domain(text: &str) -> String {
    shown(&format!("domain = \"example.org\"\n{text}"))
}

fn with_environment(name: &str, value: &str) -> Result<Configuration, Problems> {
    let domain = ("METRONOME_DOMAIN".to_owned(), "example.org".to_owned());
    layers::from_sources(TABLES, &[], vec![], &[domain, (name.to_owned(), value.to_owned())], &[])
}

#[test]
fn a_misspelt_key_is_an_error_with_the_right_one() {
    let text = "[tls]\nrequire_c2 = false\n";
    let message = "\
error[E0012]: unknown key `require_c2` in [tls]
  ┌ /etc/metronome/metronome.toml:3:1
 3│ require_c2 = false
  │ ^^^^^^^^^^ did you mean `require_c2s`?";
    assert_eq!(shown_below_domain(text), message);
}

#[test]
fn a_misspelt_section_is_an_error_with_the_right_one() {
    let message = "\
error[E0012]: unknown section [tsl]
  ┌ /etc/metronome/metronome.toml:2:2
 2│ [tsl]
  │  ^^^ did you mean [tls]?";
    assert_eq!(shown_below_domain("[tsl]\nrequire_c2s = true\n"), message);
}

#[test]
fn a_misspelt_section_within_a_section_is_named_whole() {
    let message = "\
error[E0012]: unknown section [limits.c2c]
  ┌ /etc/metronome/metronome.toml:2:9
 2│ [limits.c2c]
  │         ^^^ did you mean [limits.c2s]?";
    assert_eq!(shown_below_domain("[limits.c2c]\nsessions = 3\n"), message);
}

#[test]
fn a_key_in_the_wrong_section_names_the_right_one() {
    let message = "\
error[E0012]: unknown key `minimum` in [listen]
  ┌ /etc/metronome/metronome.toml:3:1
 3│ minimum = \"1.3\"
  │ ^^^^^^^ did you mean `minimum` in [tls]?";
    assert_eq!(shown_below_domain("[listen]\nminimum = \"1.3\"\n"), message);
}

#[test]
fn the_domain_below_a_section_belongs_above_it() {
    let text = "[tls]\ndomain = \"example.org\"\n";
    let message = "\
error[E0012]: unknown key `domain` in [tls]
  ┌ /etc/metronome/metronome.toml:2:1
 2│ domain = \"example.org\"
  │ ^^^^^^ `domain` belongs above the first [section]

error[E0014]: `domain` is missing: it has no default
  = write it like domain = \"example.org\"";
    assert_eq!(shown(text), message);
}

#[test]
fn a_key_nobody_knows_points_to_the_list() {
    let message = "\
error[E0012]: unknown key `colour`
  ┌ /etc/metronome/metronome.toml:2:1
 2│ colour = \"red\"
  │ ^^^^^^ `metronomectl config show --effective` lists every key";
    assert_eq!(shown_below_domain("colour = \"red\"\n"), message);
}

#[test]
fn a_wrong_type_shows_the_right_form() {
    let message = "\
error[E0013]: `tls.require_c2s`: expected `true` or `false`, found a string
  ┌ /etc/metronome/metronome.toml:3:15
 3│ require_c2s = \"yes\"
  │               ^^^^^ write require_c2s = true or require_c2s = false";
    assert_eq!(shown_below_domain("[tls]\nrequire_c2s = \"yes\"\n"), message);
}

#[test]
fn a_bad_unit_names_the_right_one() {
    let message = "\
error[E0013]: `limits.c2s.stanza`: `256 KB` is not a size: the unit `KB` is not known
  ┌ /etc/metronome/metronome.toml:3:18
 3│ c2s = { stanza = \"256 KB\" }
  │                  ^^^^^^^^ did you mean `KiB`?";
    assert_eq!(shown_below_domain("[limits]\nc2s = { stanza = \"256 KB\" }\n"), message);
}

#[test]
fn a_value_out_of_range_names_the_range() {
    let message = "\
error[E0013]: `limits.c2s.stanza`: `1 KiB` is out of range
  ┌ /etc/metronome/metronome.toml:2:21
 2│ limits.c2s.stanza = \"1 KiB\"
  │                     ^^^^^^^ write a value from 10 KiB to 64 MiB";
    assert_eq!(shown_below_domain("limits.c2s.stanza = \"1 KiB\"\n"), message);
}

#[test]
fn a_word_that_is_no_choice_lists_them() {
    let message = "\
error[E0013]: `tls.minimum`: `2.0` is not one of the choices
  ┌ /etc/metronome/metronome.toml:3:11
 3│ minimum = \"2.0\"
  │           ^^^^^ write one of `1.2`, `1.3`";
    assert_eq!(shown_below_domain("[tls]\nminimum = \"2.0\"\n"), message);
}

#[test]
fn one_wrong_entry_of_a_list_is_marked_alone() {
    let message = "\
error[E0013]: `listen.c2s`: `5222` is not an address with a port
  ┌ /etc/metronome/metronome.toml:4:5
 4│     \"5222\",
  │     ^^^^^^ write it like \"127.0.0.1:5222\", or \"[::]:5222\" for every address";
    assert_eq!(shown_below_domain("[listen]\nc2s = [\"[::]:5223\",\n    \"5222\",\n]\n"), message);
}

#[test]
fn a_value_where_a_section_belongs_is_an_error() {
    let message = "\
error[E0013]: `tls` is a section and not a value
  ┌ /etc/metronome/metronome.toml:2:7
 2│ tls = true
  │       ^^^^ write [tls] on a line of its own, and its keys below";
    assert_eq!(shown_below_domain("tls = true\n"), message);
}

#[test]
fn a_key_twice_in_one_file_is_an_error() {
    let message = "\
error[E0011]: this key is in the file twice
  ┌ /etc/metronome/metronome.toml:4:1
 4│ minimum = \"1.3\"
  │ ^^^^^^^ remove one of them";
    assert_eq!(shown_below_domain("[tls]\nminimum = \"1.2\"\nminimum = \"1.3\"\n"), message);
}

#[test]
fn a_value_without_quotes_is_a_syntax_error_with_its_line() {
    let message = "\
error[E0011]: a text without quotes
  ┌ /etc/metronome/metronome.toml:1:10
 1│ domain = example.org
  │          ^^^^^^^^^^^ write \"example.org\"";
    assert_eq!(shown("domain = example.org\n"), message);
}

#[test]
fn a_text_that_does_not_end_is_a_syntax_error_with_its_line() {
    let message = "\
error[E0011]: a text that does not end
  ┌ /etc/metronome/metronome.toml:1:22
 1│ domain = \"example.org
  │                      ^ write \" here";
    assert_eq!(shown("domain = \"example.org\n"), message);
}

#[test]
fn a_missing_domain_is_an_error() {
    let message = "\
error[E0014]: `domain` is missing: it has no default
  = write it like domain = \"example.org\"";
    assert_eq!(shown("[tls]\nrequire_c2s = true\n"), message);
    assert_eq!(shown(""), message);
}

#[test]
fn a_domain_that_is_none_is_an_error() {
    let message = "\
error[E0013]: `domain`: `example.org/x` is not a domain name: the domain has a character that is not allowed there
  ┌ /etc/metronome/metronome.toml:1:10
 1│ domain = \"example.org/x\"
  │          ^^^^^^^^^^^^^^^ write one like \"example.org\"";
    assert_eq!(shown("domain = \"example.org/x\"\n"), message);
}

#[test]
fn the_domain_again_among_the_extra_ones_is_an_error() {
    let message = "\
error[E0016]: `extra`: `example.org` is the `domain` already
  ┌ /etc/metronome/metronome.toml:2:9
 2│ extra = [\"example.org\"]
  │         ^^^^^^^^^^^^^^^ remove it here";
    assert_eq!(shown_below_domain("extra = [\"example.org\"]\n"), message);
}

#[test]
fn overrides_of_a_domain_that_the_configuration_does_not_name_are_told() {
    let text = "extra = [\"example.net\"]\n[host.\"example.nte\".tls]\nrequire_c2s = false\n\
                [host.\"chat.invalid\".tls]\nrequire_c2s = false\n[host.\"example.net\".tls]\nrequire_c2s = false\n";
    let configuration = try_text(&format!("domain = \"example.org\"\n{text}")).unwrap();
    let mut notes: Vec<_> = configuration.strangers().iter().map(|stranger| stranger.note.as_str()).collect();
    notes.sort_unstable();
    let expected = [
        "/etc/metronome/metronome.toml:3: `example.nte` is not a domain of the configuration; did you mean \"example.net\"?",
        "/etc/metronome/metronome.toml:5: `chat.invalid` is not a domain of the configuration; metronomectl host add \
         chat.invalid serves it",
    ];
    assert_eq!(notes, expected);
    assert!(configuration.overrides("chat.invalid", &REQUIRE_C2S));
    assert!(!configuration.for_host("chat.invalid").flag(&REQUIRE_C2S), "it counts once the domain is served");
}

#[test]
fn a_server_wide_key_for_one_domain_is_an_error() {
    let message = "\
error[E0015]: `server.data` can be set for the whole server only
  ┌ /etc/metronome/metronome.toml:3:1
 3│ data = \"/srv\"
  │ ^^^^ write it in [server]";
    assert_eq!(shown_below_domain("[host.\"example.org\".server]\ndata = \"/srv\"\n"), message);
}

#[test]
fn an_unknown_key_for_one_domain_is_named_with_the_domain() {
    let message = "\
error[E0012]: unknown key `requirec2s` in [host.\"example.org\".tls]
  ┌ /etc/metronome/metronome.toml:3:1
 3│ requirec2s = false
  │ ^^^^^^^^^^ did you mean `require_c2s`?";
    assert_eq!(shown_below_domain("[host.\"example.org\".tls]\nrequirec2s = false\n"), message);
}

#[test]
fn every_mistake_of_a_file_is_named_in_its_order() {
    let problems = try_text("domain = 7\nzebra = 1\n[tls]\nminimum = 1\nalpha = 2\n").unwrap_err();
    let lines: Vec<_> = problems.iter().map(|problem| problem.to_json()["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 4, 5]);
}

#[test]
fn a_note_stands_below_the_problems() {
    let problems = try_text("domain = \"a\"\nzebra = 1\n").unwrap_err();
    let message = "\
error[E0012]: unknown key `zebra`
  ┌ /etc/metronome/metronome.toml:2:1
 2│ zebra = 1
  │ ^^^^^ `metronomectl config show --effective` lists every key
  = the server keeps running with the configuration of 14:02:11; nothing was changed";
    let note = "the server keeps running with the configuration of 14:02:11; nothing was changed";
    assert_eq!(problems.with_note(note).to_string(), message);
}

#[test]
fn a_summary_is_one_line_for_the_log() {
    let problems = try_text("domain = \"a\"\n[tls]\nrequire_c2 = true\nzebra = 1\n").unwrap_err();
    let line = "/etc/metronome/metronome.toml:3:1: unknown key `require_c2` in [tls]; did you mean `require_c2s`? (and 1 more)";
    assert_eq!(problems.summary(), line);
}

#[test]
fn a_long_line_is_cut_around_the_mark() {
    let text = format!("limits = {{ c2s = {{ {}zebra = 1 }} }}\n", " ".repeat(300));
    let message = shown_below_domain(&text);
    assert!(message.lines().all(|line| line.chars().count() < 170), "{message}");
    assert!(message.contains("zebra = 1 } }\n"), "{message}");
}

#[test]
fn a_line_number_of_three_digits_moves_the_bar() {
    let text = format!("{}zebra = 1\n", "\n".repeat(120));
    let message = "\
error[E0012]: unknown key `zebra`
   ┌ /etc/metronome/metronome.toml:122:1
122│ zebra = 1
   │ ^^^^^ `metronomectl config show --effective` lists every key";
    assert_eq!(shown_below_domain(&text), message);
}

#[test]
fn a_wrong_variable_is_shown_as_it_is_written() {
    let message = "\
error[E0013]: `tls.minimum`: `1.4` is not one of the choices
  ┌ environment
  │ METRONOME_TLS__MINIMUM=1.4
  │                        ^^^ write one of `1.2`, `1.3`";
    assert_eq!(with_environment("METRONOME_TLS__MINIMUM", "1.4").unwrap_err().to_string(), message);
}

#[test]
fn an_unknown_variable_with_a_section_is_an_error() {
    let message = "\
error[E0012]: unknown variable `METRONOME_TLS__MINIMUN`
  ┌ environment
  │ METRONOME_TLS__MINIMUN=1.3
  │ ^^^^^^^^^^^^^^^^^^^^^^ did you mean `METRONOME_TLS__MINIMUM`?";
    assert_eq!(with_environment("METRONOME_TLS__MINIMUN", "1.3").unwrap_err().to_string(), message);
}

#[test]
fn variables_of_orchestrators_and_of_the_control_utility_are_ignored() {
    assert!(with_environment("METRONOME_PORT", "tcp://10.0.0.1:5222").is_ok());
    assert!(with_environment("METRONOME_SOCKET", "/run/x.sock").is_ok());
}

#[test]
fn a_wrong_flag_is_shown_as_key_and_value() {
    let flags = [("domain".to_owned(), "a.example".to_owned()), ("tls.minimun".to_owned(), "1.3".to_owned())];
    let message = "\
error[E0012]: unknown key `tls.minimun`
  ┌ command line
  │ tls.minimun=1.3
  │ ^^^^^^^^^^^ did you mean `tls.minimum`?";
    assert_eq!(layers::from_sources(TABLES, &[], vec![], &[], &flags).unwrap_err().to_string(), message);
}

/// A folder with a main file and parts in `conf.d`.
fn folder(main: &str, parts: &[(&str, &str)]) -> (TempDir, Inputs) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metronome.toml");
    std::fs::write(&path, main).unwrap();
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in parts {
        std::fs::write(folder.path().join("conf.d").join(name), text).unwrap();
    }
    let inputs = Inputs { file: ConfigFile::Named(path), ..Inputs::default() };
    (folder, inputs)
}

#[test]
fn each_layer_is_stronger_than_the_one_before() {
    let parts = [
        ("20-b.toml", "[limits.c2s]\nsessions = 4\n"),
        ("10-a.toml", "[limits.c2s]\nsessions = 3\n[tls]\nminimum = \"1.3\"\n"),
        (".hidden.toml", "zebra = 1\n"),
        ("notes.txt", "zebra = 1\n"),
    ];
    let (_folder, mut inputs) =
        folder("domain = \"example.org\"\n[limits.c2s]\nsessions = 2\nstanza = \"1 MiB\"\n", &parts);
    inputs.presets = vec![("limits.c2s.sessions", "1".to_owned()), ("server.data", "\"dev\"".to_owned())];
    let sessions = |inputs: &Inputs| load(TABLES, inputs).unwrap().values().count(&SESSIONS);
    assert_eq!(sessions(&inputs), 4);
    inputs.environment = vec![("METRONOME_LIMITS__C2S__SESSIONS".to_owned(), "5".to_owned())];
    assert_eq!(sessions(&inputs), 5);
    inputs.flags = vec![("limits.c2s.sessions".to_owned(), "6".to_owned())];
    assert_eq!(sessions(&inputs), 6);

    let all = load(TABLES, &inputs).unwrap();
    assert_eq!(all.values().bytes(&STANZA), 1 << 20);
    assert_eq!(all.values().text(&MINIMUM), "1.3");
    assert_eq!(all.values().path(&DATA), Some(Path::new("dev")));
    assert_eq!(all.files().len(), 3);
}

#[test]
fn a_host_overrides_what_it_names_and_nothing_else() {
    let text = "\
domain = \"example.org\"
extra = [\"example.net\", \"example.com\"]
[limits.c2s]
sessions = 5
[host.\"Example.NET\".limits.c2s]
stanza = \"512 KiB\"
";
    let configuration = try_text(text).unwrap();
    assert_eq!(configuration.domains(), ["example.org", "example.net", "example.com"]);
    let of = |host| (configuration.for_host(host).bytes(&STANZA), configuration.for_host(host).count(&SESSIONS));
    assert_eq!(of("example.org"), (256 << 10, 5));
    assert_eq!(of("example.net"), (512 << 10, 5));
    assert_eq!(of("example.com"), (256 << 10, 5));
}

#[test]
fn a_file_that_is_not_there_is_an_error_only_if_it_was_named() {
    let mut inputs = Inputs { file: ConfigFile::Named("/nonexistent/metronome.toml".into()), ..Inputs::default() };
    let message = "\
error[E0010]: cannot read /nonexistent/metronome.toml: there is no such file
  = write one with the line domain = \"example.org\", or name another with --config";
    assert_eq!(load(TABLES, &inputs).unwrap_err().to_string(), message);
    inputs.file = ConfigFile::IfThere("/nonexistent/metronome.toml".into());
    assert_eq!(load(TABLES, &inputs).unwrap_err().iter().next().unwrap().code, Code::Missing);
    inputs.environment = vec![("METRONOME_DOMAIN".to_owned(), "example.org".to_owned())];
    assert_eq!(load(TABLES, &inputs).unwrap().domains(), ["example.org"]);
}

#[test]
fn a_folder_a_binary_and_a_huge_file_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    let inputs = |path: &Path| Inputs { file: ConfigFile::Named(path.to_owned()), ..Inputs::default() };
    let message = |path: &Path| {
        let problems = load(TABLES, &inputs(path)).unwrap_err().to_string();
        problems.replace(&folder.path().display().to_string(), "")
    };
    assert_eq!(message(folder.path()), "error[E0010]: cannot read : it is a folder\n  = name the file itself");
    std::fs::write(&path, b"domain = \"a\"\n# \xff\n").unwrap();
    let not_utf8 = "error[E0010]: cannot read /x.toml: line 2 is not UTF-8\n  = save it as UTF-8 in your editor";
    assert_eq!(message(&path), not_utf8);
    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert_eq!(message(&path), "error[E0010]: cannot read /x.toml: it is larger than 1 MiB");
}

#[test]
fn a_part_that_cannot_be_read_is_an_error() {
    let (folder, inputs) = folder("domain = \"example.org\"\n", &[]);
    std::fs::create_dir(folder.path().join("conf.d/x.toml")).unwrap();
    assert_eq!(load(TABLES, &inputs).unwrap_err().iter().next().unwrap().code, Code::Unreadable);
}

#[test]
fn a_problem_found_later_is_shown_where_the_value_was_written() {
    let configuration = try_text("domain = \"a.example\"\n[server]\ndata = \"/nonexistent\"\n").unwrap();
    let message = "\
error[E0016]: the folder /nonexistent cannot be made
  ┌ /etc/metronome/metronome.toml:3:8
 3│ data = \"/nonexistent\"
  │        ^^^^^^^^^^^^^^ make it";
    let problem = configuration.problem_with(&DATA, "the folder /nonexistent cannot be made", "make it");
    assert_eq!(problem.to_string(), message);
    let problem = configuration.problem_with_host("a.example", &STANZA, "too small", "");
    assert_eq!(problem.to_string(), "error[E0016]: too small");
}

const GIVEN: &str = "\
domain = \"example.org\"
extra = [\"example.net\"]
limits.c2s.sessions = 5
[tls]
minimum = \"1.3\"
[host.\"example.net\".tls]
require_c2s = false
";

#[test]
fn show_gives_what_was_given_with_its_origin() {
    let shown = "\
domain = \"example.org\"  # /etc/metronome/metronome.toml:1
extra = [\"example.net\"]  # /etc/metronome/metronome.toml:2

[tls]
minimum = \"1.3\"  # /etc/metronome/metronome.toml:5

[limits.c2s]
sessions = 5  # /etc/metronome/metronome.toml:3

[host.\"example.net\".tls]
require_c2s = false  # /etc/metronome/metronome.toml:7
";
    assert_eq!(try_text(GIVEN).unwrap().show(Detail::Given, Origins::Shown), shown);
}

#[test]
fn what_show_gives_can_be_read_again_and_changes_nothing() {
    let configuration = try_text(GIVEN).unwrap();
    for detail in [Detail::Given, Detail::Effective] {
        let again = try_text(&configuration.show(detail, Origins::Shown)).unwrap();
        assert_eq!(configuration.changes(&again), []);
    }
    let effective = configuration.show(Detail::Effective, Origins::Hidden);
    assert!(effective.contains("[listen]\nc2s = [\"[::]:5222\"]\n"), "{effective}");
}

#[test]
fn show_as_json_names_host_key_value_and_origin() {
    let json = try_text(GIVEN).unwrap().show_json(Detail::Given);
    assert_eq!(json[4]["host"], "example.net");
    assert_eq!(json[4]["key"], "tls.require_c2s");
    assert_eq!(json[4]["value"], "false");
    assert_eq!(json[4]["origin"], "/etc/metronome/metronome.toml:7");
}

#[test]
fn changes_name_the_domain_and_what_needs_a_restart() {
    let old = try_text("domain = \"a.example\"\n").unwrap();
    let new = "domain = \"a.example\"\nlisten.c2s = []\n[host.\"a.example\".limits.c2s]\nstanza = \"1 MiB\"\n";
    let changes = old.changes(&try_text(new).unwrap());
    let restart = Change { host: String::new(), key: "listen.c2s", reload: Reload::Restart };
    assert_eq!(changes[0], restart);
    let stanza = Change { host: "a.example".to_owned(), key: "limits.c2s.stanza", reload: Reload::NewStreams };
    assert!(changes.contains(&stanza), "{changes:?}");
}

#[test]
fn the_example_file_can_be_read_and_changes_nothing() {
    let example = example(TABLES);
    assert_eq!(try_text(&example).unwrap().changes(&try_text("domain = \"example.org\"\n").unwrap()), []);
    let uncommented = example.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = ") => rest.to_owned() + "\n",
        _ => line.to_owned() + "\n",
    });
    let uncommented = try_text(&uncommented.collect::<String>()).unwrap();
    assert_eq!(uncommented.changes(&try_text("domain = \"example.org\"\n").unwrap()), []);
}

#[test]
fn the_reference_has_every_setting_with_its_default_and_its_variable() {
    let entry = "
### `limits.c2s.stanza`

Largest stanza of a client.

- A size like `\"256 KiB\"`, from 10 KiB to 64 MiB
- Default: `\"256 KiB\"`
- Takes effect for new streams · per domain · `METRONOME_LIMITS__C2S__STANZA`
";
    let page = reference(TABLES);
    assert!(page.contains(entry), "{page}");
    for setting in TABLES.iter().copied().flatten() {
        assert!(page.contains(&format!("### `{}`", setting.key)));
    }
}

#[test]
fn the_servers_own_settings_are_well_formed() {
    let tables = crate::tables::settings();
    let all: Vec<&Setting> = tables.iter().copied().flatten().collect();
    for setting in &all {
        let key = setting.key;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_');
        assert!(key.chars().all(is_plain) && !key.contains("__"), "{key}");
        assert!(!key.starts_with("host."), "{key}: [host] is for domains");
        assert!(setting.doc.ends_with('.'), "{key}: {}", setting.doc);
        let is_section = all.iter().any(|other| other.key.starts_with(&format!("{key}.")));
        assert!(!is_section, "{key} is a key and cannot be a section too");
        assert!(setting.is_required() == (key == "domain"), "{key}: only the domain has no default");
    }
}

#[test]
fn the_servers_own_example_can_be_read_and_changes_nothing() {
    let tables = crate::tables::settings();
    let plain = from_text(tables, "domain = \"example.org\"\n");
    assert_eq!(from_text(tables, &example(tables)).changes(&plain), []);
    assert_eq!(from_text(tables, &plain.show(Detail::Effective, Origins::Shown)).changes(&plain), []);
}

#[test]
fn without_any_file_the_missing_domain_is_told_with_the_place_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metronome.toml");
    let inputs = Inputs { file: ConfigFile::IfThere(path.clone()), ..Inputs::default() };
    let message = format!(
        "error[E0014]: `domain` is missing: it has no default\n  = there is no file {}: write it like domain = \"example.org\" \
         there, or name another with --config; metronome --dev needs none",
        path.display()
    );
    assert_eq!(load(TABLES, &inputs).unwrap_err().to_string(), message);
    std::fs::write(&path, "# nothing yet\n").unwrap();
    assert!(load(TABLES, &inputs).unwrap_err().to_string().ends_with("  = write it like domain = \"example.org\""));
}

#[test]
fn a_secret_is_not_shown() {
    const SECRET: Setting = Setting::new("component.secret", Kind::Text, "\"\"", "A secret.").secret().per_host();
    const SECRETS: &[Setting] = &[SECRET];
    let configuration = from_text(
        &[SETTINGS, SECRETS],
        "domain = \"a.example\"\n[component]\nsecret = \"one\"\n[host.\"a.example\".component]\nsecret = \"two\"\n",
    );
    assert_eq!(configuration.values().text(&SECRET), "one");
    for shown in
        [configuration.show(Detail::Effective, Origins::Shown), configuration.show_json(Detail::Effective).to_string()]
    {
        assert!(shown.matches("***").count() == 2 && !shown.contains("one\"") && !shown.contains("two"), "{shown}");
    }
}

#[test]
fn a_domain_is_served_or_a_components() {
    let message = "\
error[E0016]: `components`: `b.example` is a domain that this server serves itself
  ┌ /etc/metronome/metronome.toml:3:14
 3│ components = [\"b.example\"]
  │              ^^^^^^^^^^^^^ remove it here";
    assert_eq!(shown("domain = \"a.example\"\nextra = [\"b.example\"]\ncomponents = [\"b.example\"]"), message);
}
