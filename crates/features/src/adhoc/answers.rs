//! What a command answers, as notes and forms of results (XEP-0004 section 3.4).

use metronome_host::command::{Answer, Cell, Failed};
use metronome_proto::payload::commands::Note;
use metronome_proto::payload::data_form::{DataForm, Field, FormType, Table};

/// Most rows of a table that are shown.
const ROWS_MAX: usize = 1000;
/// Most bytes of them, so that no answer is larger than what clients take.
const BYTES_MAX: usize = 128 * 1024;

/// What came of it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) form: Option<DataForm>,
    pub(super) notes: Vec<Note>,
}

/// Adds what one run of a command came to.
pub(super) fn tell(title: &'static str, result: Result<Answer, Failed>, told: &mut Told) {
    match result {
        Ok(Answer::Text(text)) => told.notes.push(Note::info(readable(&text))),
        Ok(Answer::Facts(facts)) => {
            let field = |(name, cell): &(&'static str, Cell)| {
                Field::text_single(*name).label(name.replace('_', " ")).value(cell.to_text())
            };
            told.form = Some(facts.iter().map(field).fold(result_form(title), DataForm::field));
        }
        Ok(Answer::Table { columns, rows }) => {
            let all = rows.len();
            let rows = shown(&rows);
            match rows.len() {
                0 => told.notes.push(Note::info("there are none")),
                shown if shown < all => {
                    told.notes.push(Note::warn(format!("only the first {shown} of {all} are shown")));
                }
                _ => {}
            }
            let column = |name: &&'static str| Field::text_single(*name).label(name.replace('_', " "));
            let reported = columns.iter().map(column).collect();
            told.form = Some(result_form(title).table(Table { reported, rows }));
        }
        Ok(Answer::Findings(found)) => {
            let rows = found.iter().map(|finding| {
                [finding.level.as_str(), finding.area, &finding.what, &finding.mend].map(Cell::text).to_vec()
            });
            let columns: &[&str] = &["level", "area", "finding", "mend"];
            tell(title, Ok(Answer::Table { columns, rows: rows.collect() }), told);
        }
        Err(failed) => {
            told.notes.push(Note::error(readable(&failed.message)));
            if !failed.hint.is_empty() {
                told.notes.push(Note::info(readable(&failed.hint)));
            }
        }
    }
}

fn result_form(title: &str) -> DataForm {
    DataForm::new(FormType::Result).titled(title)
}

fn shown(rows: &[Vec<Cell>]) -> Vec<Vec<String>> {
    let mut bytes = 0;
    let text = |row: &Vec<Cell>| row.iter().map(Cell::to_text).collect::<Vec<_>>();
    let fits = |row: &Vec<String>| {
        bytes += row.iter().map(|text| text.len() + 64).sum::<usize>();
        bytes <= BYTES_MAX
    };
    rows.iter().take(ROWS_MAX).map(text).take_while(fits).collect()
}

/// Nothing that could not stand in XML.
fn readable(text: &str) -> String {
    let replaced = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(replaced).collect()
}

impl Told {
    /// The form, unless it is a table without rows, and the notes.
    pub(super) fn into_parts(mut self) -> (Option<DataForm>, Vec<Note>) {
        if let Some(form) = &mut self.form
            && form.table.rows.is_empty()
            && !form.table.reported.is_empty()
        {
            self.form = None;
        }
        (self.form, self.notes)
    }
}

#[cfg(test)]
mod tests {
    use metronome_proto::payload::commands::NoteType;
    use metronome_proto::payload::data_form::FieldKind;

    use super::*;

    fn told(result: Result<Answer, Failed>) -> (Option<DataForm>, Vec<Note>) {
        let mut told = Told::default();
        tell("T", result, &mut told);
        told.into_parts()
    }

    #[test]
    fn a_sentence_is_a_note_and_a_failure_one_with_its_hint() {
        assert_eq!(told(Ok(Answer::text("a\u{7}b\nc"))), (None, vec![Note::info("a\u{fffd}b\nc")]));
        let failed = Failed::problem("no").with_hint("do that");
        assert_eq!(told(Err(failed)), (None, vec![Note::error("no"), Note::info("do that")]));
    }

    #[test]
    fn facts_are_fields() {
        let (form, notes) = told(Ok(Answer::Facts(vec![("up_since", Cell::Count(3)), ("problem", Cell::None)])));
        let form = form.unwrap();
        assert_eq!((form.kind, form.value("up_since"), form.value("problem")), (FormType::Result, Some("3"), Some("-")));
        assert_eq!(form.fields[0].label.as_deref(), Some("up since"));
        assert_eq!(form.fields[0].kind, Some(FieldKind::TextSingle));
        assert!(notes.is_empty());
    }

    fn rows(count: usize, text: &str) -> Answer {
        Answer::Table { columns: &["jid"], rows: (0..count).map(|_| vec![Cell::text(text)]).collect() }
    }

    #[test]
    fn a_table_has_bounds_and_says_what_is_missing() {
        let (form, notes) = told(Ok(rows(3, "a@b")));
        assert_eq!((form.unwrap().table.rows.len(), notes.len()), (3, 0));
        assert_eq!(told(Ok(rows(0, ""))), (None, vec![Note::info("there are none")]));
        for (count, text, shown) in [(ROWS_MAX + 1, "a@b", ROWS_MAX), (200, &*"x".repeat(3000), 42)] {
            let (form, notes) = told(Ok(rows(count, text)));
            assert_eq!(form.unwrap().table.rows.len(), shown);
            assert_eq!((notes.len(), notes[0].kind), (1, NoteType::Warn));
        }
    }
}
