//! "Did you mean": the known name nearest to a misspelt one.

/// The candidate that differs least from `written`, if it is near enough to be meant.
///
/// Near enough is one mistake for each three letters; `-` and `_` and the case do not count.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = fold(written);
    let mistakes_max = (written.chars().count() / 3).max(1);
    let distances = candidates.into_iter().map(|name| (strsim::damerau_levenshtein(&written, &fold(name)), name));
    distances.filter(|(distance, _)| *distance <= mistakes_max).min().map(|(_, name)| name)
}

fn fold(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let names = ["require_c2s", "require_s2s", "minimum", "cert"];
        assert_eq!(nearest("require_c2", names), Some("require_c2s"));
        assert_eq!(nearest("Require-C2S", names), Some("require_c2s"));
        assert_eq!(nearest("minimun", names), Some("minimum"));
        assert_eq!(nearest("ciphers", names), None);
        assert_eq!(nearest("", names), None);
    }
}
