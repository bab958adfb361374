#!/usr/bin/env bash
# Runs all tests. They need nothing but Rust; arguments go to cargo test.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"

cargo test --locked "$@"
