#!/usr/bin/env bash
# Breaks `run`, `store` or `driver` in every small way that cargo-mutants knows, and expects a unit test to notice each.
#
#     tests/mutants.sh run              all of them
#     tests/mutants.sh run 2/8          the third eighth: eighths are counted from 0
#     tests/mutants.sh run since v1.2   those in lines that have changed since then
#
# A module is broken in a crate of its own, a copy of it and of the few that it knows: that builds in a second, and
# would not build if the module knew more. What survives and may is in `tests/mutants.toml`, each with its reason.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR=never RUST_BACKTRACE=0
module="${1:?run, store or driver}" shard="${2:-0/1}" since=
[ "$shard" != since ] || since="${3:?a commit}" shard=0/1
target="$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}")"
lone="$target/mutants/$module"
unset CARGO_TARGET_DIR

# What the module stands on, and the tests that tell most in the least time: they go first.
case "$module" in
  run) known=(plan port run store) first=(run::tests::stories) ;;
  store) known=(plan port run store) first=(store::record) ;;
  driver)
    known=(plan port run store action signal driver)
    first=(driver::desk driver::work driver::redact driver::tests::actions driver::tests::previews)
    ;;
  *) echo "there is no list of what \`$module\` knows" >&2; exit 64 ;;
esac

export PATH="$target/tests/cargo/bin:$PATH"
command -v cargo-mutants >/dev/null || cargo install --quiet --locked --root "$target/tests/cargo" cargo-mutants

mkdir -p "$lone/.cargo"
rm -rf "$lone/src"
mkdir "$lone/src"
cp -r src/mutant.rs "${known[@]/#/src/}" "$lone/src"
# Of the others no tests: they would only be compiled.
find "$lone/src" -name '*.rs' ! -path "$lone/src/$module/*" ! -name mutant.rs \
  -exec sed --in-place '/^#\[cfg(test)\]$/{N;s/^#\[cfg(test)\]\n\(.*\bmod \)/#[cfg(any())]\n\1/}' {} +
{
  echo '//! A copy of some modules, to be broken. Made by `tests/mutants.sh`.'
  echo 'mod mutant;'
  printf 'pub mod %s;\n' "${known[@]}"
  if [ "$module" = driver ]; then
    mkdir "$lone/src/adapter"
    cp src/adapter/clock.rs "$lone/src/adapter"
    echo 'pub mod adapter { mod clock; pub use clock::SystemClock; }'
  fi
} >"$lone/src/lib.rs"

# The same crates in the same versions, but only those that are named.
section() { sed --quiet "/^\[$1\]/,/^\$/p" Cargo.toml; }
named() {
  section "$1" | while read -r name rest; do
    [[ "$name" != [a-z]* ]] || grep -qr "\\b${name//-/_}::" "$lone/src" || continue
    echo "$name $rest"
  done
}
{
  section package | grep -v default-run
  echo '[workspace]'
  echo '[features]'
  echo 'mistakes = []'
  named dependencies
  named dev-dependencies
  printf '[profile.dev]\ndebug = 0\n[profile.dev.package."*"]\nopt-level = 1\n'
} >"$lone/Cargo.toml"
[ -e "$lone/Cargo.lock" ] || cp Cargo.lock "$lone"

# A mutant may never end, or eat all memory: it is killed, and has been noticed.
cat >"$lone/.cargo/tests" <<END
#!/usr/bin/env bash
ulimit -t 60 -v 4000000
"\$1" ${first[*]} && exec "\$1" $module:: --test-threads=8
END
chmod +x "$lone/.cargo/tests"
echo "target.'cfg(all())'.runner = '$lone/.cargo/tests'" >"$lone/.cargo/config.toml"

changed=()
if [ -n "$since" ]; then
  git diff "$since" -- "src/$module" >"$lone/changed.diff"
  changed=(--in-diff "$lone/changed.diff")
fi

# A sample of the random schedules; and no test waits for a disk.
export SEEDS=1..2001
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
status=0 output="$lone/${shard/\//-of-}"
cargo mutants --dir "$lone" --in-place --config tests/mutants.toml --file "src/$module/**" --no-shuffle --shard "$shard" \
  "${changed[@]}" --output "$output" --minimum-test-timeout 30 --colors never --cargo-arg=--lib || status=$?
# 3: some ended only by the clock. They have been noticed, too; others may have survived.
[ $status = 3 ] || exit $status
[ ! -s "$output/mutants.out/missed.txt" ]
