#!/usr/bin/env bash
# Proves at full size what `tests/run.sh` samples, of the binary as it is released, and prints a table: what, trials, how
# many ended as they should, seconds. Fails if any did not, if a suite prints no row, or if there are fewer trials than are
# promised. Of the crash matrix one trial of twelve is run, of the zombies one round of four, and of the double kills
# thirty-three parts of fifty-four, some ten thousand; `--everything` runs all of them.
#     tests/prove.sh [--everything] [ROW]
# `tests/prove.sh disk` runs the rows whose names begin so. It is made for two cores with nothing else to do: who is slow
# because of others looks like one whose time ran out.
#
# A suite takes part by printing lines: `proved: NAME N of M`, `planted: …` for a bug that was seen, `skipped: NAME: why` on
# its error output, and `measured: NAME | TRIALS | FIGURE | TARGET | kept` (or `missed`) where it has measured something.
set -euo pipefail
cd "$(dirname "$0")/.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR=never RUST_BACKTRACE=0
. tests/tools.sh
crashes=1/12 zombies=1/4 kills=1-33/54
if [[ "${1:-}" == --everything ]]; then
  crashes=all zombies=all kills=all
  shift
fi
only="${1:-}"
folder="$(mktemp --directory)"
trap 'rm -rf "$folder"' EXIT
table="$folder/table" failed=0
: >"$table"

# build [ARGUMENTS]: what `cargo test` with these needs. What that costs says nothing of the proof, and is counted apart.
building=0
build() {
  local began=$SECONDS
  cargo test --release --locked "$@" --no-run
  building=$((building + SECONDS - began))
}

# fixed: the same binary, linked to fixed addresses. To move it to where it is loaded is most of the start of a process, and
# trials that kill processes start some twenty each. Where it cannot be linked so, they take as it is.
tool=()
fixed() {
  local began=$SECONDS
  if cargo rustc --release --locked --bin switchover -- -C link-arg=-no-pie; then
    cp "${CARGO_TARGET_DIR:-target}/release/switchover" "$folder/switchover"
    tool=(SWITCHOVER_TOOL="$folder/switchover")
  fi
  building=$((building + SECONDS - began))
}

row() { printf '%-38s %8s %20s %8s\n' "$@" | tee -a "$table"; }

# prove NAME TEST [VARIABLE=VALUE…]: runs the tests that have this in their names, of the end-to-end suite or of $suite, one
# after the other or $threads at once.
prove() {
  local name="$1" tests="$2" log="$folder/log" began lines=0 line
  shift 2
  [[ "$name" == "$only"* ]] || return 0
  # shellcheck disable=SC2086
  build ${suite:---test it}
  began=$SECONDS
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    if [[ "$line" =~ (^|\ )proved:\ (.*)\ ([0-9]+)\ of\ ([0-9]+)$ ]]; then
      row "${BASH_REMATCH[2]}" "${BASH_REMATCH[4]}" "${BASH_REMATCH[3]} of ${BASH_REMATCH[4]}" $((SECONDS - began))
    elif [[ "$line" =~ ^measured:\ (.*)\ \|\ (.*)\ \|\ (.*)\ \|\ (.*)\ \|\ (kept|missed)$ ]]; then
      row "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" $((SECONDS - began))
      printf '  target: %s: %s\n' "${BASH_REMATCH[4]}" "${BASH_REMATCH[5]}"
      [[ "${BASH_REMATCH[5]}" = kept ]] || failed=1
    elif [[ "$line" =~ ^skipped:\ ([^:]*):\ (.*)$ ]]; then
      row "${BASH_REMATCH[1]}" - "skipped" $((SECONDS - began))
      printf '  %s\n' "${BASH_REMATCH[2]}"
    elif [[ "$line" =~ (^|\ )planted:\ (.*)$ ]]; then
      printf '  found: %s\n' "${BASH_REMATCH[2]}"
      continue
    # How to repeat what was chosen by chance, and what others did. The name of a test may stand before it.
    elif [[ "$line" =~ (^|\ \.\.\.\ )(.*repeats\ it|(kill\ -9|SIGTERM),\ .*|two\ tools\ that\ upsert:.*)$ ]]; then
      printf '  %s\n' "${BASH_REMATCH[2]}"
      continue
    else
      continue
    fi
    began=$SECONDS lines=$((lines + 1))
  done < <(env "$@" cargo test --release --locked ${suite:---test it} -- "$tests" --nocapture --test-threads="${threads:-1}" 2>&1; echo "status $?")
  if [[ "$(tail -n 1 "$log")" != "status 0" || $lines = 0 ]]; then
    failed=1
    row "$name" - FAILED $((SECONDS - began))
    tail -n 60 "$log"
  fi
  rm -f "$log"
}

# at_least COUNT NAME: so many trials of the rows whose names begin so.
at_least() {
  local trials
  trials="$(awk -v name="$2" 'index($0, name) == 1 { all += substr($0, 40, 8) } END { print all + 0 }' "$table")"
  if [ "$trials" -lt "$1" ]; then
    failed=1
    printf '%s: %s trials, and at least %s are promised\n' "$2" "$trials" "$1"
  fi
}

build --test it
fixed
row what trials "as it should" seconds

prove disk-power disk::power SWITCHOVER_DISK=all
prove disk-run disk::course SWITCHOVER_DISK=all
prove disk-rot disk::rot SWITCHOVER_DISK=all
prove disk-full disk::full SWITCHOVER_DISK=all
prove disk-errors disk::errors SWITCHOVER_DISK=all
prove disk-vanish disk::vanish SWITCHOVER_DISK=all
prove disk-trouble disk::trouble SWITCHOVER_DISK=all
prove disk-layer disk::layer SWITCHOVER_DISK=all
prove crash crash:: SWITCHOVER_CRASH="$crashes" "${tool[@]}"
prove signals signals::a_run SWITCHOVER_SIGNALS=all "${tool[@]}"
prove kills kills:: SWITCHOVER_KILLS="$kills" "${tool[@]}"
prove zombies zombies:: SWITCHOVER_ZOMBIES="$zombies" "${tool[@]}"
prove late-calls late_calls::a_late
prove races races:: SWITCHOVER_RACES=1000
prove wire wire:: SWITCHOVER_WIRE=all
prove terraform beside_terraform::
# Two of them have much to visit, each by itself.
threads=2 suite=--lib prove model model SWITCHOVER_MODEL=all
prove journals journals::
suite="--bench scale" prove scale scale
suite="--bench append" prove appends append
# Of a binary that makes mistakes on purpose, each must be found.
suite="--features mistakes --test it" prove mistakes each_mistake

if [ "$(wc -l <"$table")" -le 1 ]; then
  echo "no row begins with \`$only\`" >&2
  exit 1
fi
if [ -z "$only" ]; then
  at_least 2000 "power loss"
  at_least 10000 "double kills"
  at_least 200 "full disks"
  at_least 500 "zombies"
  at_least 100 "signals"
  at_least 1000 "races"
fi
printf '\n%s\n' "in $((SECONDS / 60)) minutes, of them $((building / 60)) for building:"
cat "$table"
exit $failed
