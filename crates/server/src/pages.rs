//! The generated pages of the documentation: options from the settings, specifications from the features.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::config;
use crate::tables::settings;

/// `docs/options.md`.
pub fn options() -> String {
    config::reference(settings())
}

/// `docs/xeps.md`.
pub fn xeps() -> String {
    let mut rows = BTreeMap::new();
    for feature in metronome_features::ALL {
        for xep in feature.xeps {
            rows.insert(xep.number, (xep, feature.name));
        }
    }
    let mut page = "# Implemented XEPs\n\nGenerated from the features' own declarations.\n\n\
                    | XEP | title | version | feature |\n|---|---|---|---|\n"
        .to_owned();
    for (number, (xep, feature)) in rows {
        let _ = writeln!(
            page,
            "| [{number:04}](https://xmpp.org/extensions/xep-{number:04}.html) | {} | {} | {feature} |",
            xep.title, xep.version
        );
    }
    page
}
