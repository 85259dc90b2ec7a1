//! XEP-0157: Contact Addresses for XMPP Services: where to write to those who run the server, as a form of service discovery.
//! Told as configured. Keeps nothing.

use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FormType};

use crate::server_info;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "contact-info",
    xeps: &[Xep::new(157, "1.1.1", "Contact Addresses for XMPP Services")],
    disco_forms: &[|_, host| form(host)],
    settings: SETTINGS,
    check,
    ..Feature::NONE
};

/// The settings of contact addresses.
pub const SETTINGS: &[Setting] = &[ABUSE, ADMIN, FEEDBACK, SALES, SECURITY, STATUS, SUPPORT];

const ABUSE: Setting =
    addresses("contact.abuse", "Where to report abuse, as URIs such as `\"mailto:abuse@example.org\"`.");
const ADMIN: Setting =
    addresses("contact.admin", "Where to reach the administrators, as URIs such as `\"xmpp:admin@example.org\"`.");
const FEEDBACK: Setting = addresses("contact.feedback", "Where to send feedback, as URIs.");
const SALES: Setting = addresses("contact.sales", "Where to ask about offers and prices, as URIs.");
const SECURITY: Setting = addresses("contact.security", "Where to report security problems, as URIs.");
const STATUS: Setting =
    addresses("contact.status", "Where to read how the service is, as URIs such as `\"https://status.example.org\"`.");
const SUPPORT: Setting = addresses("contact.support", "Where to ask for help, as URIs.");

const fn addresses(key: &'static str, doc: &'static str) -> Setting {
    Setting::new(key, Kind::List, "[]", doc).per_host()
}

/// The fields of the form and what fills them (section 6.1), in the order of their names.
static FIELDS: &[(&str, Setting)] = &[
    ("abuse-addresses", ABUSE),
    ("admin-addresses", ADMIN),
    ("feedback-addresses", FEEDBACK),
    ("sales-addresses", SALES),
    ("security-addresses", SECURITY),
    ("status-addresses", STATUS),
    ("support-addresses", SUPPORT),
];

/// A field for each kind of address that is configured, and where the server tells of its connections (XEP-0485); no form where there is
/// neither.
fn form(host: &Host) -> Option<DataForm> {
    let given = FIELDS.iter().map(|(field, setting)| (field, host.values.list(setting)));
    let given: Vec<_> = given.filter(|(_, addresses)| !addresses.is_empty()).collect();
    let form = DataForm::new(FormType::Result).field(Field::hidden_form_type(ns::SERVER_INFO));
    let fields = given.iter().map(|(field, addresses)| Field::untyped(**field).values(addresses.iter()));
    let fields: Vec<_> = fields.chain(server_info::field(host)).collect();
    (!fields.is_empty()).then(|| fields.into_iter().fold(form, DataForm::field))
}

fn check(values: &Values) -> Result<(), Unfit> {
    for (_, setting) in FIELDS {
        if let Some(wrong) = values.list(setting).iter().find(|address| !is_uri(address)) {
            return Err(Unfit {
                setting,
                message: format!("`{wrong}` is not a URI"),
                hint: "begin it with what it is, like \"mailto:\", \"xmpp:\" or \"https://\"",
            });
        }
    }
    Ok(())
}

/// A scheme and something behind it (RFC 3986 section 3), without spaces and controls.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(known)
        && !rest.is_empty()
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_uris() {
        for uri in
            ["mailto:abuse@example.org", "xmpp:admins@example.org?message", "https://status.example.org", "tel:+1"]
        {
            assert!(is_uri(uri), "{uri}");
        }
        for other in ["", "abuse@example.org", "mailto:", "1a:b", "https://a b", ":x", "mail to:x"] {
            assert!(!is_uri(other), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_no_uri_is_not_put_into_force() {
        let values = Values::defaults(&[SETTINGS]);
        assert!(check(&values).is_ok());
        let unfit = check(&values.with("contact.sales", r#"["mailto:a@b", "a@b"]"#)).unwrap_err();
        assert_eq!((unfit.setting.key, unfit.message.as_str()), ("contact.sales", "`a@b` is not a URI"));
    }

    #[test]
    fn every_setting_fills_a_field() {
        let fields: Vec<_> = FIELDS.iter().map(|(_, setting)| setting.key).collect();
        assert_eq!(fields, SETTINGS.iter().map(|setting| setting.key).collect::<Vec<_>>());
    }
}
