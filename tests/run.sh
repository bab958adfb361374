#!/usr/bin/env bash
# Installs what the tests need, then runs them all. Needs Rust and, for the comparisons with independent tools,
# Python and Debian's packages; says loudly what it had to leave out.
#
#   tests/run.sh            everything, sampled where a full run takes long
#   tests/run.sh --quick    only what needs nothing but Rust
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

cargo test --locked "$@"
