//! `cargo xtask xep-examples`: every example of a XEP is shown by a scenario, or a line in `crates/xtask/xep-examples.txt` says why not.
//! How many examples a XEP has is told by another line of that file; where a folder with the sources of the XEPs (`xep-NNNN.xml`) is
//! named, it is counted there, and the line must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{Verdict, tree};

/// Names the folder with the sources where no `--from` does.
const FOLDER: &str = "XEP_SOURCES";

/// Reasons, as seen from the root.
const REASONS: &str = "crates/xtask/xep-examples.txt";

/// Examples of one XEP by their numbers, as marks and lines name them.
type Numbered = BTreeSet<(String, usize)>;

/// The first word of a line that tells how many examples a XEP has: `examples NUMBER COUNT`.
const COUNT: &str = "examples ";

/// Checks the XEPs that are named, each by its four digits, or all that have a count; `--from FOLDER` says where their sources are.
pub(crate) fn run(words: &[&str]) -> Result<Verdict> {
    let (folder, named) = arguments(words)?;
    let root = tree::root();
    let mut shown = Numbered::new();
    for path in tree::rust_files_below(&root.join("crates"))? {
        shown.extend(marks(&tree::text_of(&path)?.unwrap_or_default()));
    }
    let reasons = tree::text_of(&root.join(REASONS))?.unwrap_or_default();
    let (reasoned, counts) = (reasoned(&reasons)?, counts(&reasons)?);
    let named: Vec<&str> = if named.is_empty() { counts.keys().map(String::as_str).collect() } else { named };
    let mut found = Vec::new();
    for number in named {
        let count = counts.get(number).copied();
        let captions = match &folder {
            Some(folder) => captions(&source(folder, number)?),
            None => vec![String::new(); count.with_context(|| format!("{REASONS} has no `{COUNT}{number}`"))?],
        };
        if count.is_some_and(|count| count != captions.len()) {
            found.push(format!("XEP-{number} has {} examples, and {REASONS} says another number", captions.len()));
        }
        found.extend(problems(number, &captions, &shown, &reasoned));
        println!("XEP-{number}: {} examples", captions.len());
    }
    found.iter().for_each(|problem| println!("{problem}"));
    Ok(Verdict::of_count(found.len()))
}

fn source(folder: &Path, number: &str) -> Result<String> {
    let file = folder.join(format!("xep-{number}.xml"));
    tree::text_of(&file)?.with_context(|| format!("{} is not there", file.display()))
}

fn arguments<'a>(words: &[&'a str]) -> Result<(Option<PathBuf>, Vec<&'a str>)> {
    let (folder, numbers) = match words {
        ["--from", folder, numbers @ ..] => (Some(PathBuf::from(folder)), numbers),
        numbers => (std::env::var_os(FOLDER).map(PathBuf::from), numbers),
    };
    let is_number = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    match numbers.iter().find(|word| !is_number(word)) {
        Some(wrong) => bail!("`{wrong}` is no number of a XEP, such as 0313"),
        None => Ok((folder, numbers.to_vec())),
    }
}

/// How many examples each XEP has, as the file says.
fn counts(text: &str) -> Result<BTreeMap<String, usize>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix(COUNT));
    let read = |line: &str| {
        let (number, count) = line.split_once(' ')?;
        Some((number.to_owned(), count.parse().ok()?))
    };
    lines.map(|line| read(line).with_context(|| format!("{REASONS}: write `{COUNT}NUMBER COUNT`"))).collect()
}

/// What every example of a XEP is called, in their order, which gives them their numbers.
fn captions(source: &str) -> Vec<String> {
    let tags = source.split("<example").skip(1);
    tags.map(|tag| {
        let tag = tag.split('>').next().unwrap_or_default();
        let value = tag.split_once("caption=").map_or("", |(_, value)| value);
        let quote = value.chars().next().unwrap_or('"');
        value.split(quote).nth(1).unwrap_or_default().to_owned()
    })
    .collect()
}

/// The examples that a file of tests says it shows: one in each comment.
fn marks(text: &str) -> Numbered {
    let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("// XEP-"));
    let mark = |comment: &str| {
        let (number, example) = comment.split_once(" example ")?;
        Some((number.to_owned(), example.trim().parse().ok()?))
    };
    comments.filter_map(mark).collect()
}

/// The examples for which a line says why nothing shows them.
fn reasoned(text: &str) -> Result<Numbered> {
    let mut all = Numbered::new();
    let is_reason = |line: &str| !line.is_empty() && !line.starts_with('#') && !line.starts_with(COUNT);
    for (at, line) in text.lines().enumerate().filter(|(_, line)| is_reason(line)) {
        let mut words = line.splitn(3, ' ');
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            Some(first.parse::<usize>().ok()?..=last.parse().ok()?)
        };
        let (number, range) = (words.next().unwrap_or_default(), words.next().and_then(range));
        let (Some(range), Some(_)) = (range, words.next().filter(|reason| !reason.trim().is_empty())) else {
            bail!("{REASONS}:{}: write `NUMBER EXAMPLE[-EXAMPLE] reason`", at + 1);
        };
        all.extend(range.map(|example| (number.to_owned(), example)));
    }
    Ok(all)
}

/// What is not as it must be with the examples of one XEP.
fn problems(number: &str, captions: &[String], shown: &Numbered, reasoned: &Numbered) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, caption) in captions.iter().enumerate() {
        let example = (number.to_owned(), at + 1);
        let name = format!("XEP-{number} example {} ({caption})", at + 1);
        match (shown.contains(&example), reasoned.contains(&example)) {
            (true, false) | (false, true) => {}
            (true, true) => problems.push(format!("{name} is shown, and {REASONS} says that it is not")),
            (false, false) => problems.push(format!("{name} has no scenario and no reason")),
        }
    }
    let unknown = |(of, example): &&(String, usize)| of == number && !(1..=captions.len()).contains(example);
    let strays = shown.iter().chain(reasoned).filter(unknown);
    problems.extend(strays.map(|(_, example)| format!("XEP-{number} has no example {example}")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "<p>text</p><example caption='One'><![CDATA[<iq/>]]></example>\n\
                          <example caption=\"It's two\"><![CDATA[<iq/>]]></example><example><![CDATA[]]></example>";

    #[test]
    fn examples_are_numbered_in_their_order() {
        assert_eq!(captions(SOURCE), ["One", "It's two", ""]);
        assert!(captions("no examples").is_empty());
    }

    #[test]
    fn a_mark_stands_in_a_comment_of_its_own() {
        let text = "    // XEP-0313 example 12\n// XEP-0059 example 3\n// see XEP-0313 example 4\n// XEP-0313 examples\nfn x() {}";
        let expected = [("0059".to_owned(), 3), ("0313".to_owned(), 12)];
        assert_eq!(marks(text), Numbered::from(expected));
    }

    #[test]
    fn a_line_has_a_reason() {
        let all = reasoned("# a comment\n\n0313 27 rooms\n0059 17-19 other pages\n").unwrap();
        let of = |number: &str, example| all.contains(&(number.to_owned(), example));
        assert_eq!(counts("examples 0313 29\n0313 27 rooms").unwrap(), BTreeMap::from([("0313".to_owned(), 29)]));
        assert!(counts("examples 0313").is_err() && reasoned("examples 0313 29").unwrap().is_empty());
        assert!(of("0313", 27) && of("0059", 17) && of("0059", 18) && of("0059", 19) && all.len() == 4);
        for wrong in ["0313 27", "0313 x reason", "0313", "0313 27  "] {
            assert!(reasoned(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_example_is_shown_or_reasoned_and_nothing_else_is() {
        let captions = captions(SOURCE);
        let set =
            |examples: &[usize]| examples.iter().map(|example| ("0001".to_owned(), *example)).collect::<Numbered>();
        let found = |shown: &[usize], reasons: &[usize]| problems("0001", &captions, &set(shown), &set(reasons)).len();
        assert_eq!(found(&[1, 2], &[3]), 0);
        assert_eq!(found(&[1], &[3]), 1);
        assert_eq!(found(&[1, 2, 3], &[3]), 1, "not both");
        assert_eq!(found(&[1, 2, 3, 4], &[]), 1, "there is no fourth");
        assert_eq!(found(&[], &[]), 3);
    }

    #[test]
    fn xeps_are_named_by_four_digits() {
        assert!(arguments(&["--from", "x", "0313", "0059"]).is_ok());
        assert!(arguments(&["--from", "x"]).is_ok(), "all that have a count");
        for wrong in [&["--from", "x", "313"][..], &["03l3"]] {
            assert!(arguments(wrong).is_err(), "{wrong:?}");
        }
    }
}
