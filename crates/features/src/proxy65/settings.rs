//! What administrators may say of the proxy for file transfers: where it is, for whom, and how much it carries.

use std::net::IpAddr;

use metronome_host::bytestreams::Terms;
use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_proto::jid::Jid;

/// Where the service of a domain is.
pub const PLACE: Setting = Setting::new(
    "proxy65.service",
    Kind::Text,
    "\"proxy\"",
    "Where clients of a domain ask for the proxy for file transfers (XEP-0065): a label that stands before the domain, as in \
     `proxy.example.org`; a whole domain name, if there is a dot in it; or `\"\"` for none. It needs no DNS and no certificate, and is there once \
     `listen.socks` or `listen.multi` has an address.",
)
.per_host();

/// The host at which it is reached.
pub const HOST: Setting = Setting::new(
    "proxy65.host",
    Kind::Text,
    "\"\"",
    "The name or the IP address under which the proxy for file transfers is reached; it must have an address record. Empty: the domain.",
)
.per_host();

/// The port at which it is reached.
pub const PORT: Setting = Setting::new(
    "proxy65.port",
    Kind::Count { min: 0, max: 65_535 },
    "0",
    "The port at which the proxy for file transfers is reached from elsewhere, where something between passes on another one; `0` for the \
     first of `listen.socks`, or of `listen.multi` if there is none.",
)
.per_host();

/// Who else may use it.
pub const ALLOW: Setting = Setting::new(
    "proxy65.allow",
    Kind::List,
    "[]",
    "Who may have transfers carried beside the accounts of this server: domains and addresses of people elsewhere, and components. Whom \
     accounts of this server send something to need not be named.",
)
.per_host();

/// How large a transfer may be.
pub const SIZE: Setting = Setting::new(
    "proxy65.size",
    Kind::Bytes,
    "\"4 GiB\"",
    "Most bytes of one transfer, both directions together; one that is larger is cut. `\"0 B\"` for no limit.",
)
.for_new_streams()
.per_host();

/// How much an account may have carried.
pub const DAILY: Setting = Setting::new(
    "proxy65.daily",
    Kind::Bytes,
    "\"20 GiB\"",
    "Most bytes that one account may have carried within a day; `\"0 B\"` for no limit. The one who offers a file pays for it.",
)
.for_new_streams()
.per_host();

/// How many transfers an account may have.
pub const TRANSFERS: Setting = Setting::new(
    "proxy65.transfers",
    Kind::Count { min: 1, max: 1000 },
    "10",
    "Most transfers of one account at the same time.",
)
.per_host();

/// How fast one goes.
pub const RATE: Setting = Setting::new(
    "proxy65.rate",
    Kind::Rate,
    "\"8 MiB/s\"",
    "How fast a transfer goes in each direction; what comes faster waits.",
)
.within(1024, 1 << 40)
.for_new_streams()
.per_host();

/// How long one may rest.
pub const IDLE: Setting = Setting::new(
    "proxy65.idle",
    Kind::Duration,
    "\"5 min\"",
    "For how long nothing may move in a transfer before it is cut; it may take up to twice as long until that is noticed.",
)
.within(1000, 86_400_000)
.for_new_streams()
.per_host();

/// The settings of the proxy.
pub const SETTINGS: &[Setting] = &[PLACE, HOST, PORT, ALLOW, SIZE, DAILY, TRANSFERS, RATE, IDLE];

/// What holds for a transfer that begins now.
pub(super) fn terms(values: &Values) -> Terms {
    let most = |setting| Some(values.bytes(setting)).filter(|bytes| *bytes > 0);
    Terms {
        bytes_max: most(&SIZE),
        bytes_of_day_max: most(&DAILY),
        transfers_max: values.count(&TRANSFERS) as usize,
        bytes_per_second: values.rate(&RATE),
        idle: values.duration(&IDLE),
    }
}

/// Whether the administrator has named somebody, or the domain.
pub(super) fn is_named(values: &Values, jid: &Jid) -> bool {
    let named = |entry: &String| Jid::parse(entry).is_ok_and(|entry| covers(&entry, jid));
    values.list(&ALLOW).iter().any(named)
}

fn covers(entry: &Jid, jid: &Jid) -> bool {
    if entry.is_domain() { entry.domain() == jid.domain() } else { entry.same_bare(jid) }
}

/// Refuses what is neither a place nor somebody.
pub(super) fn check(values: &Values) -> Result<(), Unfit> {
    let host = values.text(&HOST);
    if !host.is_empty() && !is_host(host) {
        return Err(Unfit {
            setting: &HOST,
            message: format!("`{host}` is neither the name of a host nor an IP address"),
            hint: "write it like \"files.example.org\" or \"2001:db8::1\", without a port",
        });
    }
    let wrong = values.list(&ALLOW).iter().find(|entry| !Jid::parse(entry).is_ok_and(|jid| !jid.is_full()));
    wrong.map_or(Ok(()), |wrong| {
        Err(Unfit {
            setting: &ALLOW,
            message: format!("`{wrong}` is neither a domain nor an address"),
            hint: "write it like \"example.net\" or \"somebody@example.net\"",
        })
    })
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    text.parse::<IpAddr>().is_ok() || text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_people_are_named_and_nobody_else() {
        let values = Values::defaults(&[SETTINGS]);
        let jid = |text: &str| Jid::parse(text).unwrap();
        assert!(!is_named(&values, &jid("a@b.example/c")));
        let values = values.with("proxy65.allow", r#"["B.example", "d@e.example"]"#);
        for somebody in ["b.example", "a@b.example", "a@b.example/c", "d@e.example", "d@e.example/x"] {
            assert!(is_named(&values, &jid(somebody)), "{somebody}");
        }
        for nobody in ["x.b.example", "e.example", "a@e.example/d", "e@d.example"] {
            assert!(!is_named(&values, &jid(nobody)), "{nobody}");
        }
    }

    #[test]
    fn what_is_no_place_or_nobody_is_not_put_into_force() {
        let values = Values::defaults(&[SETTINGS]);
        for host in ["files.example.org", "192.0.2.1", "2001:db8::1", "localhost"] {
            assert!(check(&values.with("proxy65.host", &format!("{host:?}"))).is_ok(), "{host}");
        }
        for wrong in ["a b", "files.example.org:5000", "[2001:db8::1]", "a..b", "<a>"] {
            assert_eq!(check(&values.with("proxy65.host", &format!("{wrong:?}"))).unwrap_err().setting.key, "proxy65.host");
        }
        assert!(check(&values.with("proxy65.allow", r#"["b.example", "d@e.example"]"#)).is_ok());
        for wrong in ["d@e.example/x", "@", ""] {
            assert_eq!(check(&values.with("proxy65.allow", &format!("[{wrong:?}]"))).unwrap_err().setting.key, "proxy65.allow");
        }
    }

    #[test]
    fn nothing_is_no_limit() {
        let values = Values::defaults(&[SETTINGS]);
        assert_eq!(terms(&values).bytes_max, Some(4 << 30));
        let values = values.with("proxy65.size", "\"0 B\"").with("proxy65.daily", "\"0 B\"");
        assert_eq!((terms(&values).bytes_max, terms(&values).bytes_of_day_max), (None, None));
    }
}
