//! Which switchover this is.

use crate::doc;
use crate::store::digest_of;

/// So many digits of the hash tell two apart that were ever built.
const DIGITS: usize = 8;

/// What a plan may say, as it is shipped; a test holds it to be what this version reads. To make it anew would take longer than
/// all else that `--version` does.
const SCHEMA: &str = include_str!("../../plans/plan.schema.json");

/// Its version, and a hash over all that a plan may say to it: two of one name read the same plans, and know the same of them.
pub(super) fn name() -> String {
    let mut language = SCHEMA.to_owned();
    doc::codes().for_each(|code| language.push_str(code));
    format!("{}+{}", env!("CARGO_PKG_VERSION"), &digest_of(&language)[..DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_each_time_and_a_version_as_cargo_writes_one() {
        let (version, language) = name().split_once('+').map(|(v, l)| (v.to_owned(), l.to_owned())).unwrap();
        assert_eq!((&*version, language.len()), (env!("CARGO_PKG_VERSION"), DIGITS));
        assert!(language.chars().all(|c| c.is_ascii_hexdigit()), "{language}");
        assert_eq!(name(), format!("{version}+{language}"));
    }
}
