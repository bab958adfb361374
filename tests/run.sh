#!/usr/bin/env bash
# Runs all tests. Besides Rust they need what `tests/tools.sh` installs.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
. tests/tools.sh

cargo test --locked --lib --bins
# Each runs a world of its own in accelerated time: one after the other, so that real sockets keep up. Some only wait for the
# wall's time: they wait together.
waiting=(bake:: heartbeat:: veto::)
cargo test --locked --test it -- --test-threads=1 "${waiting[@]/#/--skip=}"
cargo test --locked --test it -- --test-threads=6 "${waiting[@]}"
