//! XEP-0004: Data Forms, and the field that names a form (XEP-0068). Read from clients and remotes, so within bounds; written by
//! whoever asks for something or reports it. Tables of results (`reported` and `item`) are not read.

use super::Malformed;
use crate::ns;
use crate::xml::{Child, Tree};

/// Most fields that are read of one form; one with more is refused.
pub const FIELDS_MAX: usize = 100;

/// Most values and options that are read of all fields of one form together; one with more is refused.
pub const VALUES_MAX: usize = 1000;

/// The name of the field that says what the others mean (XEP-0068 section 3).
pub const FORM_TYPE: &str = "FORM_TYPE";

/// A form: asked for, filled in, or with results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataForm {
    /// What it is there for.
    pub kind: FormType,
    /// For humans.
    pub title: Option<String>,
    /// For humans, one paragraph each.
    pub instructions: Vec<String>,
    /// Its fields, in the order in which they are shown.
    pub fields: Vec<Field>,
    /// Results with several rows; empty in a form that was read.
    pub table: Table,
}

/// Rows of results (XEP-0004 section 3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns; none is no table.
    pub reported: Vec<Field>,
    /// Each row's values, in the order of the columns.
    pub rows: Vec<Vec<String>>,
}

/// What a form is there for (XEP-0004 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FormType {
    /// To be filled in.
    Form,
    /// Filled in.
    Submit,
    /// Not to be filled in after all.
    Cancel,
    /// Data, such as the outcome of an earlier form.
    Result,
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; only one that is shown and nothing else may do without.
    pub var: Option<String>,
    /// What may be written into it; none where the other side knows, as in a form that was filled in.
    pub kind: Option<FieldKind>,
    /// Its name for humans.
    pub label: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// What is in it; the default in a form that is to be filled in.
    pub values: Vec<String>,
    /// What can be chosen.
    pub options: Vec<FieldOption>,
}

/// One of the values that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOption {
    /// Its name for humans.
    pub label: Option<String>,
    /// The value.
    pub value: String,
}

/// What may be written into a field (XEP-0004 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Yes or no.
    Boolean,
    /// Nothing: it is shown only.
    Fixed,
    /// Goes back as it came, and is not shown.
    Hidden,
    /// Addresses.
    JidMulti,
    /// An address.
    JidSingle,
    /// Some of the options.
    ListMulti,
    /// One of the options.
    ListSingle,
    /// Lines of text, one in each value.
    TextMulti,
    /// A line of text that is not shown while it is written.
    TextPrivate,
    /// A line of text.
    TextSingle,
}

impl DataForm {
    /// A form without fields.
    pub fn new(kind: FormType) -> DataForm {
        DataForm { kind, title: None, instructions: Vec::new(), fields: Vec::new(), table: Table::default() }
    }

    /// Sets the title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> DataForm {
        self.title = Some(title.into());
        self
    }

    /// Adds a paragraph of instructions.
    #[must_use]
    pub fn instruct(mut self, instructions: impl Into<String>) -> DataForm {
        self.instructions.push(instructions.into());
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, field: Field) -> DataForm {
        self.fields.push(field);
        self
    }

    /// Adds rows of results.
    #[must_use]
    pub fn table(mut self, table: Table) -> DataForm {
        self.table = table;
        self
    }

    /// The field of this name; the first, should there be several.
    pub fn get(&self, var: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.var.as_deref() == Some(var))
    }

    /// The first value of a field.
    pub fn value(&self, var: &str) -> Option<&str> {
        self.get(var)?.values.first().map(String::as_str)
    }

    /// What its fields mean: the value of `FORM_TYPE`, which is hidden unless the form was filled in (XEP-0068 section 3.2).
    pub fn form_type(&self) -> Option<&str> {
        let field = self.get(FORM_TYPE)?;
        let counts = field.kind == Some(FieldKind::Hidden) || self.kind == FormType::Submit;
        field.values.first().filter(|_| counts).map(String::as_str)
    }

    /// Reads `<x/>`. What is too large or of an unknown type is malformed; a field of an unknown type is a line of text.
    pub fn read(form: &Child<'_>) -> Result<DataForm, Malformed> {
        let kind = form.attr("type").and_then(|kind| FormType::of(&kind));
        let mut read = DataForm::new(kind.ok_or(Malformed("a form without a known type"))?);
        let mut values_left = VALUES_MAX;
        for child in form.children().filter(|child| child.ns() == ns::DATA_FORMS) {
            match child.name() {
                "title" => read.title = Some(child.text().into_owned()),
                "instructions" => read.instructions.push(child.text().into_owned()),
                "field" if read.fields.len() == FIELDS_MAX => return Err(Malformed("a form with too many fields")),
                "field" => read.fields.push(Field::read(&child, &mut values_left)?),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The element `<x/>`.
    pub fn tree(&self) -> Tree {
        let text = |name: &'static str| move |text: &String| element(name).text(text);
        element("x")
            .attr("type", self.kind.as_str())
            .children(self.title.iter().map(text("title")))
            .children(self.instructions.iter().map(text("instructions")))
            .children(self.fields.iter().map(Field::tree))
            .children(self.table.trees())
    }
}

impl Table {
    fn trees(&self) -> impl Iterator<Item = Tree> {
        let reported =
            (!self.reported.is_empty()).then(|| element("reported").children(self.reported.iter().map(Field::tree)));
        let cell = |(column, value): (&Field, &String)| {
            element("field").attr_opt("var", column.var.as_ref()).child(element("value").text(value))
        };
        let rows = self.rows.iter().map(move |row| element("item").children(self.reported.iter().zip(row).map(cell)));
        reported.into_iter().chain(rows)
    }
}

impl FormType {
    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<FormType> {
        match attr {
            "form" => Some(FormType::Form),
            "submit" => Some(FormType::Submit),
            "cancel" => Some(FormType::Cancel),
            "result" => Some(FormType::Result),
            _ => None,
        }
    }

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            FormType::Form => "form",
            FormType::Submit => "submit",
            FormType::Cancel => "cancel",
            FormType::Result => "result",
        }
    }
}

impl Field {
    /// An empty field of this name.
    pub fn new(var: impl Into<String>, kind: FieldKind) -> Field {
        Field { kind: Some(kind), ..Field::untyped(var) }
    }

    /// A field whose type the other side knows, as in a form that is filled in.
    pub fn untyped(var: impl Into<String>) -> Field {
        Field {
            var: Some(var.into()),
            kind: None,
            label: None,
            required: false,
            values: Vec::new(),
            options: Vec::new(),
        }
    }

    /// The field that says what the others mean.
    pub fn hidden_form_type(ns: &str) -> Field {
        Field::new(FORM_TYPE, FieldKind::Hidden).value(ns)
    }

    /// A line of text.
    pub fn text_single(var: impl Into<String>) -> Field {
        Field::new(var, FieldKind::TextSingle)
    }

    /// A line of text that is not shown while it is written.
    pub fn text_private(var: impl Into<String>) -> Field {
        Field::new(var, FieldKind::TextPrivate)
    }

    /// Sets the name for humans.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Field {
        self.label = Some(label.into());
        self
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(mut self) -> Field {
        self.required = true;
        self
    }

    /// Adds a value.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Field {
        self.values.push(value.into());
        self
    }

    /// Adds values.
    #[must_use]
    pub fn values(mut self, values: impl IntoIterator<Item = impl Into<String>>) -> Field {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// Adds a value that can be chosen.
    #[must_use]
    pub fn option(mut self, label: impl Into<String>, value: impl Into<String>) -> Field {
        self.options.push(FieldOption { label: Some(label.into()), value: value.into() });
        self
    }

    fn read(field: &Child<'_>, values_left: &mut usize) -> Result<Field, Malformed> {
        let attribute = |name| field.attr(name).map(String::from);
        let mut read = Field {
            var: attribute("var"),
            kind: field.attr("type").map(|kind| FieldKind::of(&kind).unwrap_or(FieldKind::TextSingle)),
            label: attribute("label"),
            required: false,
            values: Vec::new(),
            options: Vec::new(),
        };
        for child in field.children().filter(|child| child.ns() == ns::DATA_FORMS) {
            match child.name() {
                "required" => {
                    read.required = true;
                    continue;
                }
                "value" | "option" if *values_left == 0 => return Err(Malformed("a form with too many values")),
                "value" => read.values.push(child.text().into_owned()),
                "option" => read.options.push(FieldOption::read(&child)),
                _ => continue,
            }
            *values_left -= 1;
        }
        Ok(read)
    }

    fn tree(&self) -> Tree {
        let required = self.required.then(|| element("required"));
        element("field")
            .attr_opt("var", self.var.as_ref())
            .attr_opt("type", self.kind.map(FieldKind::as_str))
            .attr_opt("label", self.label.as_ref())
            .children(required)
            .children(self.values.iter().map(|value| element("value").text(value)))
            .children(self.options.iter().map(FieldOption::tree))
    }
}

impl FieldOption {
    fn read(option: &Child<'_>) -> FieldOption {
        let value = option.child(ns::DATA_FORMS, "value").map(|value| value.text().into_owned());
        FieldOption { label: option.attr("label").map(String::from), value: value.unwrap_or_default() }
    }

    fn tree(&self) -> Tree {
        element("option").attr_opt("label", self.label.as_ref()).child(element("value").text(&self.value))
    }
}

impl FieldKind {
    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<FieldKind> {
        match attr {
            "boolean" => Some(FieldKind::Boolean),
            "fixed" => Some(FieldKind::Fixed),
            "hidden" => Some(FieldKind::Hidden),
            "jid-multi" => Some(FieldKind::JidMulti),
            "jid-single" => Some(FieldKind::JidSingle),
            "list-multi" => Some(FieldKind::ListMulti),
            "list-single" => Some(FieldKind::ListSingle),
            "text-multi" => Some(FieldKind::TextMulti),
            "text-private" => Some(FieldKind::TextPrivate),
            "text-single" => Some(FieldKind::TextSingle),
            _ => None,
        }
    }

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldKind::Boolean => "boolean",
            FieldKind::Fixed => "fixed",
            FieldKind::Hidden => "hidden",
            FieldKind::JidMulti => "jid-multi",
            FieldKind::JidSingle => "jid-single",
            FieldKind::ListMulti => "list-multi",
            FieldKind::ListSingle => "list-single",
            FieldKind::TextMulti => "text-multi",
            FieldKind::TextPrivate => "text-private",
            FieldKind::TextSingle => "text-single",
        }
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::DATA_FORMS, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(xml: &str) -> Result<DataForm, Malformed> {
        DataForm::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    #[test]
    fn a_form_is_read_as_it_was_written() {
        let form = DataForm::new(FormType::Form)
            .titled("Registration")
            .instruct("Fill in & send.")
            .field(Field::hidden_form_type("jabber:iq:register"))
            .field(Field::text_single("username").label("Name").required())
            .field(Field::text_private("password"))
            .field(Field::new("public", FieldKind::Boolean).value("1"))
            .field(Field::new("lists", FieldKind::ListMulti).option("One", "1").option("Two", "2").values(["1", "2"]));
        let written = String::from_utf8(form.tree().to_vec(ns::CLIENT)).unwrap();
        assert!(
            written.contains("<field var='username' type='text-single' label='Name'><required/></field>"),
            "{written}"
        );
        assert!(written.contains("<option label='Two'><value>2</value></option>"), "{written}");
        assert_eq!(read(&written), Ok(form));
    }

    #[test]
    fn rows_of_results_stand_behind_their_columns() {
        let reported = vec![Field::text_single("jid").label("Who"), Field::text_single("since")];
        let rows = vec![vec!["a@b".into(), "1 h".into()], vec!["c@d".into(), "<2>".into()]];
        let form = DataForm::new(FormType::Result).table(Table { reported, rows });
        let written = String::from_utf8(form.tree().to_vec(ns::DATA_FORMS)).unwrap();
        let expected = "<x type='result'><reported><field var='jid' type='text-single' label='Who'/>\
                        <field var='since' type='text-single'/></reported>\
                        <item><field var='jid'><value>a@b</value></field><field var='since'><value>1 h</value></field></item>\
                        <item><field var='jid'><value>c@d</value></field>\
                        <field var='since'><value>&lt;2></value></field></item></x>";
        assert_eq!(written.replace("&gt;", ">"), expected);
    }

    #[test]
    fn what_a_form_means_is_said_by_a_hidden_field_unless_it_was_filled_in() {
        let form = |kind: &str, hidden: &str| {
            let xml = format!(
                "<x xmlns='jabber:x:data' type='{kind}'><field var='FORM_TYPE'{hidden}><value>urn:x</value></field></x>"
            );
            read(&xml).unwrap().form_type().map(str::to_owned)
        };
        assert_eq!(form("result", " type='hidden'").as_deref(), Some("urn:x"));
        assert_eq!(form("submit", "").as_deref(), Some("urn:x"));
        assert_eq!(form("result", ""), None);
        assert_eq!(form("form", " type='text-single'"), None);
    }

    #[test]
    fn the_first_value_of_the_first_field_counts() {
        let form = read(
            "<x xmlns='jabber:x:data' type='submit'><field var='a'/><field var='b'><value>1</value><value>2</value></field>\
             <field var='b'><value>3</value></field><field var='c'><value/></field></x>",
        )
        .unwrap();
        assert_eq!(
            (form.value("a"), form.value("b"), form.value("c"), form.value("d")),
            (None, Some("1"), Some(""), None)
        );
    }

    #[test]
    fn what_is_not_known_is_a_line_of_text_or_passed_over() {
        let form = read(
            "<x xmlns='jabber:x:data' type='form'><reported><field var='r'/></reported><y xmlns='urn:y'/>\
             <field var='a' type='colour'><desc>d</desc><value xmlns='urn:y'>no</value><value>red</value></field></x>",
        )
        .unwrap();
        assert_eq!(form.fields, [Field::text_single("a").value("red")]);
    }

    #[test]
    fn a_form_of_no_known_type_is_malformed() {
        for kind in ["", " type=''", " type='Form'", " type='error'"] {
            assert!(read(&format!("<x xmlns='jabber:x:data'{kind}/>")).is_err(), "{kind}");
        }
    }

    #[test]
    fn a_form_has_bounds() {
        let form = |fields: usize, values: usize| {
            let field = format!("<field var='a'>{}</field>", "<value/>".repeat(values));
            read(&format!("<x xmlns='jabber:x:data' type='submit'>{}</x>", field.repeat(fields)))
        };
        assert_eq!(form(FIELDS_MAX, 10).map(|form| form.fields.len()), Ok(FIELDS_MAX));
        assert_eq!(form(FIELDS_MAX + 1, 1), Err(Malformed("a form with too many fields")));
        assert_eq!(form(1, VALUES_MAX).map(|form| form.fields[0].values.len()), Ok(VALUES_MAX));
        assert_eq!(form(1, VALUES_MAX + 1), Err(Malformed("a form with too many values")));
        assert_eq!(form(2, VALUES_MAX / 2 + 1), Err(Malformed("a form with too many values")));
    }
}
