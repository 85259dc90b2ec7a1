//! XEP-0077: In-Band Registration, between a client and its server. Answered before the login by `net`, after it by
//! `features::register`.

use super::Malformed;
use super::data_form::{DataForm, Field, FormType};
use crate::ns;
use crate::xml::{Child, Tree};

/// What a client asks for with a set. Has no `Debug`: there is a password in it.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// An account, or another password for the one it has (sections 3.1 and 3.3).
    Submit(Submitted),
    /// The end of its account (section 3.2).
    Remove,
}

/// What was filled in, in a form or in the older fields.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Submitted {
    /// The name, as it was written; none if it is empty.
    pub username: Option<String>,
    /// The password, as it was written; none if it is empty, for an empty one is no password (sections 3.1 and 3.3).
    pub password: Option<String>,
}

impl Request {
    /// Reads the `<query/>` of a set. Where there is a form it counts and the older fields do not (section 4).
    pub fn read(query: &Child<'_>) -> Result<Request, Malformed> {
        if query.child(ns::REGISTER, "remove").is_some() {
            let alone = query.children().count() == 1;
            return alone.then_some(Request::Remove).ok_or(Malformed("more than the removal"));
        }
        let submitted = match query.child(ns::DATA_FORMS, "x") {
            Some(form) => Submitted::of_form(&DataForm::read(&form)?)?,
            None => Submitted::of_fields(query),
        };
        Ok(Request::Submit(submitted))
    }
}

impl Submitted {
    fn of_form(form: &DataForm) -> Result<Submitted, Malformed> {
        if form.kind != FormType::Submit {
            return Err(Malformed("a form that was not filled in"));
        }
        if form.form_type().is_some_and(|meant| meant != ns::REGISTER) {
            return Err(Malformed("a form for something else"));
        }
        let filled = |var| form.value(var).filter(|value| !value.is_empty()).map(str::to_owned);
        Ok(Submitted { username: filled("username"), password: filled("password") })
    }

    fn of_fields(query: &Child<'_>) -> Submitted {
        let filled = |name| {
            let text = query.child(ns::REGISTER, name)?.text();
            (!text.is_empty()).then(|| text.into_owned())
        };
        Submitted { username: filled("username"), password: filled("password") }
    }
}

/// The stream feature (section 7).
pub fn feature() -> Tree {
    Tree::new(ns::REGISTER_FEATURE, "register")
}

/// What is to be filled in: a form, and beside it the fields for clients that know no forms (section 4).
pub fn to_fill_in(title: &str, instructions: &str) -> Tree {
    let form = DataForm::new(FormType::Form)
        .titled(title)
        .instruct(instructions)
        .field(Field::hidden_form_type(ns::REGISTER))
        .field(Field::text_single("username").label("User name").required())
        .field(Field::text_private("password").label("Password").required());
    Tree::new(ns::REGISTER, "query")
        .child(element("instructions").text(instructions))
        .child(element("username"))
        .child(element("password"))
        .child(form.tree())
}

/// What somebody is told who has an account (section 3.1).
pub fn registered(username: &str, instructions: &str) -> Tree {
    Tree::new(ns::REGISTER, "query")
        .child(element("registered"))
        .child(element("instructions").text(instructions))
        .child(element("username").text(username))
        .child(element("password"))
}

fn element(name: &str) -> Tree {
    Tree::new(ns::REGISTER, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(inside: &str) -> Result<Request, Malformed> {
        let xml = format!("<query xmlns='jabber:iq:register'>{inside}</query>");
        Request::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    fn submitted(inside: &str) -> (Option<String>, Option<String>) {
        match read(inside) {
            Ok(Request::Submit(submitted)) => (submitted.username, submitted.password),
            _ => panic!("{inside} is a submission"),
        }
    }

    fn both(username: &str, password: &str) -> (Option<String>, Option<String>) {
        (Some(username.to_owned()), Some(password.to_owned()))
    }

    fn form(inside: &str) -> String {
        format!("<x xmlns='jabber:x:data' type='submit'>{inside}</x>")
    }

    const FILLED: &str =
        "<field var='username'><value>bill</value></field><field var='password'><value>Calliope</value></field>";

    #[test]
    fn the_older_fields_and_a_form_say_the_same() {
        assert_eq!(submitted("<username>bill</username><password>Calliope</password>"), both("bill", "Calliope"));
        assert_eq!(submitted(&form(FILLED)), both("bill", "Calliope"));
        let typed = "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field>";
        assert_eq!(submitted(&form(&format!("{typed}{FILLED}"))), both("bill", "Calliope"));
    }

    #[test]
    fn a_form_counts_and_the_fields_beside_it_do_not() {
        let fields = "<username>other</username><password>other</password>";
        assert_eq!(submitted(&format!("{fields}{}", form(FILLED))), both("bill", "Calliope"));
    }

    #[test]
    fn what_is_empty_was_not_given() {
        assert_eq!(submitted(""), (None, None));
        assert_eq!(submitted("<username/><password></password>"), (None, None));
        assert_eq!(submitted(&form("<field var='username'><value/></field><field var='password'/>")), (None, None));
        assert_eq!(submitted("<username xmlns='urn:other'>bill</username>"), (None, None));
    }

    #[test]
    fn forms_that_were_not_filled_in_or_mean_something_else_are_malformed() {
        for kind in ["form", "cancel", "result", "nonsense"] {
            assert!(read(&format!("<x xmlns='jabber:x:data' type='{kind}'>{FILLED}</x>")).is_err(), "{kind}");
        }
        let other = "<field var='FORM_TYPE' type='hidden'><value>jabber:iq:register:changepassword</value></field>";
        assert!(read(&form(&format!("{other}{FILLED}"))).is_err());
    }

    #[test]
    fn a_removal_stands_alone() {
        assert!(matches!(read("<remove/>"), Ok(Request::Remove)));
        assert!(matches!(read("\n  <remove/>\n"), Ok(Request::Remove)));
        for more in ["<remove/><remove/>", "<remove/><username>bill</username>", "<key>1</key><remove/>"] {
            assert!(read(more).is_err(), "{more}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_by_old_and_new_clients() {
        let query = to_fill_in("A title", "Choose.");
        for name in ["instructions", "username", "password"] {
            assert!(query.get_child(ns::REGISTER, name).is_some(), "{name}");
        }
        let form = query.get_child(ns::DATA_FORMS, "x").unwrap().to_vec(ns::CLIENT);
        let form = DataForm::read(&Content::parse(&form).unwrap().iter().next().unwrap()).unwrap();
        assert_eq!((form.kind, form.form_type()), (FormType::Form, Some(ns::REGISTER)));
        assert!(form.get("username").is_some_and(|field| field.required));
        assert!(form.get("password").is_some_and(|field| field.required));
        let known = registered("bill", "You have an account.");
        assert_eq!(known.elements().next().map(Tree::name), Some("registered"));
        assert_eq!(known.get_child(ns::REGISTER, "username").map(Tree::get_text).as_deref(), Some("bill"));
        assert_eq!(known.get_child(ns::REGISTER, "password").map(Tree::get_text).as_deref(), Some(""));
    }
}
