//! What holds across modules that may not know each other.

#[cfg(feature = "aws")]
pub(crate) mod contract;

use proptest::test_runner::Config;

/// For tests over inputs that are made up: as many as `PROPTEST_CASES` says. What fails is told, and kept nowhere.
pub(crate) fn inputs() -> Config {
    Config { failure_persistence: None, ..Config::default() }
}
