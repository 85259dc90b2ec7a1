//! Every field of `pubsub#subscribe_options`: one row each. A tag stays with its field for ever, or stored subscriptions would be
//! misread.

use metronome_proto::payload::data_form::FieldKind;
use metronome_proto::payload::delay::{format_time, parse_time};

use super::{Depth, Expire, Options, Show, SubscriptionType};
use crate::rows::{On, Row, Unfit, choice, flag, number, single, written_flag};

/// The field that is there only where a text can be made.
pub(super) const INCLUDE_BODY: &str = "include_body";

/// Least time between two digests: they would be no use within the same second.
const DIGEST_MS_MIN: u32 = 1000;

/// What a presence can show, and what it means.
const SHOWS: &[(&str, &str)] = &[
    ("away", "Away"),
    ("chat", "Wants to chat"),
    ("dnd", "Do not disturb"),
    ("online", "Available"),
    ("xa", "Away for long"),
];

/// A truth value.
macro_rules! truth {
    ($tag:literal $name:expr, $field:ident $on:ident, $label:literal) => {
        Row {
            tag: $tag,
            name: $name,
            kind: FieldKind::Boolean,
            label: $label,
            choices: &[],
            on: On::$on,
            get: |options| written_flag(options.$field),
            set: |options, values| flag(values).map(|flag| options.$field = flag),
        }
    };
}

/// All fields, in the order in which they are shown.
pub(super) const FIELDS: &[Row<Options>] = &[
    truth!(1 "deliver", deliver All, "Whether to send notifications"),
    truth!(2 "digest", digest All, "Whether to send notifications together from time to time"),
    Row {
        tag: 3,
        name: "digest_frequency",
        kind: FieldKind::TextSingle,
        label: "How many milliseconds lie between two digests at least",
        choices: &[],
        on: On::All,
        get: |options| vec![options.digest_frequency_ms.to_string()],
        set: |options, values| number(values, DIGEST_MS_MIN).map(|ms| options.digest_frequency_ms = ms.into()),
    },
    Row {
        tag: 4,
        name: "expire",
        kind: FieldKind::TextSingle,
        label: "When the subscription ends: a time, or presence, or nothing for never",
        choices: &[],
        on: On::All,
        get: |options| options.expire.map(written).into_iter().collect(),
        set: |options, values| expire(values).map(|expire| options.expire = expire),
    },
    truth!(5 INCLUDE_BODY, include_body All, "Whether to send a text with the payload"),
    Row {
        tag: 6,
        name: "show-values",
        kind: FieldKind::ListMulti,
        label: "Only while one of these is shown; none for always",
        choices: SHOWS,
        on: On::All,
        get: |options| options.show_values.iter().map(|show| show.name().to_owned()).collect(),
        set: |options, values| shows(values).map(|shows| options.show_values = shows),
    },
    Row {
        tag: 7,
        name: "subscription_type",
        kind: FieldKind::ListSingle,
        label: "About what to notify",
        choices: SubscriptionType::CHOICES,
        on: On::Collections,
        get: |options| vec![options.subscription_type.as_str().to_owned()],
        set: |options, values| choice(values, SubscriptionType::of).map(|kind| options.subscription_type = kind),
    },
    Row {
        tag: 8,
        name: "subscription_depth",
        kind: FieldKind::TextSingle,
        label: "How many levels down to notify: a number, or all",
        choices: &[],
        on: On::Collections,
        get: |options| match options.subscription_depth {
            Depth::Levels(levels) => vec![levels.to_string()],
            Depth::All => vec!["all".to_owned()],
        },
        set: |options, values| depth(values).map(|depth| options.subscription_depth = depth),
    },
    truth!(9 "", public Nothing, ""),
    Row {
        tag: 10,
        name: "",
        kind: FieldKind::TextSingle,
        label: "",
        choices: &[],
        on: On::Nothing,
        get: |options| vec![options.digested_ms.to_string()],
        set: |options, values| {
            options.digested_ms = single(values)?.parse().map_err(|_| Unfit("a time"))?;
            Ok(())
        },
    },
];

fn written(expire: Expire) -> String {
    match expire {
        Expire::At(at_ms) => format_time(i64::try_from(at_ms).unwrap_or(i64::MAX)),
        Expire::Presence => "presence".to_owned(),
    }
}

fn expire(values: &[String]) -> Result<Option<Expire>, Unfit> {
    match single(values)? {
        "" => Ok(None),
        "presence" => Ok(Some(Expire::Presence)),
        time => {
            let at_ms = parse_time(time).and_then(|at_ms| u64::try_from(at_ms).ok());
            at_ms.map(|at_ms| Some(Expire::At(at_ms))).ok_or(Unfit("a time, or presence"))
        }
    }
}

fn shows(values: &[String]) -> Result<Vec<Show>, Unfit> {
    let mut shows = Vec::new();
    for value in values.iter().filter(|value| !value.is_empty()) {
        let show = Show::parse(value).ok_or(Unfit("some of the values that can be chosen"))?;
        if !shows.contains(&show) {
            shows.push(show);
        }
    }
    Ok(shows)
}

fn depth(values: &[String]) -> Result<Depth, Unfit> {
    match single(values)? {
        "all" => Ok(Depth::All),
        _ => number(values, 0).map(Depth::Levels),
    }
}
