//! The table as a whole, and what others have written with its names.

use std::collections::BTreeSet;

use super::text::Format;
use super::{Kind, TABLE};

/// The dashboard and the alerts, as they are given to others.
const DASHBOARD: &str = include_str!("../../../../packaging/grafana/metronome.json");
const ALERTS: &str = include_str!("../../../../packaging/prometheus/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../../../packaging/prometheus/alerts.test.yml");

fn samples() -> BTreeSet<String> {
    TABLE.iter().flat_map(|metric| metric.samples()).collect()
}

/// Every word that is the name of a sample, as they are all named.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("metronome_") || word.starts_with("process_")).collect()
}

#[test]
fn names_follow_the_rules_of_openmetrics() {
    let names: BTreeSet<_> = TABLE.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), TABLE.len(), "two have one name");
    assert_eq!(samples().len(), TABLE.iter().map(|metric| metric.samples().len()).sum::<usize>());
    for metric in TABLE {
        let name = metric.name;
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert!(name.starts_with("metronome_") || name.starts_with("process_"), "{name}");
        for suffix in ["_total", "_created", "_count", "_sum", "_bucket", "_info"] {
            assert!(!name.ends_with(suffix), "{name} looks like a sample of another type");
        }
        match metric.unit {
            Some(unit) => assert!(name.ends_with(&format!("_{unit}")), "{name} does not end with {unit}"),
            None => assert!(!["_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit)), "{name} has a unit"),
        }
        assert!(metric.help.ends_with('.') && !metric.help.contains(['\n', '|']), "{name}: {}", metric.help);
        assert!(metric.kind != Kind::Info || !metric.labels.is_empty(), "{name} says nothing");
    }
}

/// Strangers must not be able to make as many series as they like: each label has values of the server's own, or names that its administrator
/// has chosen. Whoever adds one says so here.
#[test]
fn no_label_has_values_that_strangers_choose() {
    let labels: BTreeSet<_> = TABLE.iter().flat_map(|metric| metric.labels.iter().copied()).collect();
    let own = ["class", "from", "kind", "part", "state", "to", "version", "way", "why"];
    let of_the_administrator = ["component", "domain"];
    assert_eq!(labels, own.into_iter().chain(of_the_administrator).collect());
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let samples = samples();
    for (file, text) in [("dashboard", DASHBOARD), ("alerts", ALERTS), ("tests of the alerts", ALERT_TESTS)] {
        let unknown: Vec<_> = named(text).into_iter().filter(|name| !samples.contains(*name)).collect();
        assert!(unknown.is_empty(), "the {file} asks for {unknown:?}");
    }
    assert!(named(DASHBOARD).len() > 20 && named(ALERTS).len() > 8);
}

#[test]
fn the_dashboard_is_json_with_panels_that_ask_for_something() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let plots: Vec<_> = panels.iter().filter(|panel| panel["type"] != "row").collect();
    assert!(plots.len() > 10);
    for panel in plots {
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            targets.iter().all(|target| target["expr"].as_str().is_some_and(|expr| !named(expr).is_empty())),
            "{panel}"
        );
        assert!(panel["title"].is_string() && panel["gridPos"]["w"].is_u64(), "{panel}");
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
}

#[test]
fn the_older_format_is_for_those_who_ask_for_nothing_else() {
    assert_eq!(Format::of(""), Format::OpenMetrics);
    assert_eq!(Format::of("*/*"), Format::OpenMetrics);
    assert_eq!(Format::of("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::Plain);
    let prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_eq!(Format::of(prometheus), Format::OpenMetrics);
}

/// Whoever adds an alert tests when it comes, and tells administrators what it is about.
#[test]
fn every_alert_is_tested_and_described() {
    const PAGE: &str = include_str!("../../../../docs/admin/metrics.md");
    let names: Vec<_> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(ALERT_TESTS.contains(&format!("alertname: {name}\n")), "{name} is not tested");
        assert!(PAGE.contains(&format!("`{name}`")), "{name} is not in docs/admin/metrics.md");
    }
}
