#!/usr/bin/env bash
# Runs all tests. Besides Rust they need what `tests/tools.sh` installs.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
. tests/tools.sh

cargo test --locked --lib --bins
# Most run a world of their own in accelerated time, and wait for it: four of them keep a core busy. What takes all there is,
# kills at some moment, or asks how soon something happens runs alone.
alone=(beside_terraform:: crash:: disk:: exec:: kills:: process:: races:: rehearse:: serve:: signals:: triggers:: wire:: zombies::)
cargo test --locked --test it -- --test-threads=4 "${alone[@]/#/--skip=}"
cargo test --locked --test it -- --test-threads=1 "${alone[@]}"
