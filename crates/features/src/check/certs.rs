//! Certificates: there, for their domain, and not about to end.

use std::sync::Arc;

use metronome_host::command::Finding;
use metronome_host::hosts::{Host, Names};

const AREA: &str = "certs";
/// Fewer days than this are told.
const DAYS_ENOUGH: i64 = 14;

pub(super) fn check(hosts: &[Arc<Host>], now_ms: u64) -> Vec<Finding> {
    let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let certificate = |host: &Arc<Host>| {
        let shown = host.tls.as_ref().map(|tls| (&tls.names, tls.not_after_s));
        judge(host.name.as_str(), shown, now_s)
    };
    hosts.iter().map(certificate).collect()
}

/// The certificate of a domain by whom it is for and when it ends, Unix time in seconds.
pub(super) fn judge(name: &str, shown: Option<(&Names, i64)>, now_s: i64) -> Finding {
    let put = |what: String| {
        let mend = format!("put one that is for {name} into the files of tls.files; it is used at once");
        Finding::problem(AREA, what, mend)
    };
    let Some((names, not_after_s)) = shown else {
        let mend = format!("[host.\"{name}\".tls] files = {{ cert = \"...\", key = \"...\" }}, then metronomectl reload");
        return Finding::problem(AREA, format!("{name}: there is no certificate"), mend);
    };
    let days = (not_after_s - now_s).div_euclid(24 * 60 * 60);
    if !names.is_for(name) {
        let for_whom = match names.0.is_empty() {
            true => "nobody".to_owned(),
            false => names.0.join(", "),
        };
        return put(format!("{name}: the certificate is for {for_whom}"));
    }
    match days {
        ..0 => put(format!("{name}: the certificate ended {} days ago", -days)),
        0..DAYS_ENOUGH => Finding::warning(AREA, format!("{name}: {days} days left"), "renew it, and see why nothing else did"),
        _ => Finding::good(AREA, format!("{name}: {days} days left")),
    }
}
