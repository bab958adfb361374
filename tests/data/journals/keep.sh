#!/usr/bin/env bash
# Keeps journals of runs that are open, as the tool that is given writes them: into `open` those that this machine can take up,
# for their commands go by the folder `KEPT` and nothing else; into `told` those whose sandbox is gone with them.
#     tests/data/journals/keep.sh target/debug/switchover v3
# Their plans stand in `/`, so that no path of anybody's is kept. Needs curl, and the right to write there.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)" tool="$(realpath "$1")" prefix="$2"
plans="$here/../../../plans"
export SWITCHOVER_AS=ana@navralabs.com SWITCHOVER_ON_PAUSE=exit AWS_EC2_METADATA_DISABLED=true SWITCHOVER_YES=true
work="$(mktemp --directory)"
trap 'kill ${world:-} 2>/dev/null || true; rm -rf "$work" /kept.yaml /kept-bake.yaml /one-record.yaml /one-record-bake.yaml /kept-worlds' EXIT

# Waits until a command says yes.
until_so() {
  for _ in $(seq 600); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.05
  done
  echo "never so: $*" >&2
  exit 1
}

# begin CASE: a state directory and a folder of its own.
begin() {
  export SWITCHOVER_STATE_DIR="$work/$1/state" KEPT="$work/$1/kept"
  mkdir -p "$KEPT"
}

# keep FOLDER NAME: the journal, once nobody writes to it.
keep() {
  local state="$SWITCHOVER_STATE_DIR"
  python3 -c "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); c.close()" "$state/switchover.db"
  mkdir -p "$here/$1"
  cp "$state/switchover.db" "$here/$1/$prefix-$2.db"
  "$tool" log latest --verify
}

has() { "$tool" log latest --output jsonl | grep -q -- "$1"; }

# Commands that change files, wait where they are told to, and fail where they are told to.
step() {
  local wait='while [ -e "$KEPT/hold-%s-%s" ]; do touch "$KEPT/held"; sleep 0.1; done; test ! -e "$KEPT/fail-%s-%s"'
  printf -- '  - id: %s\n    uses: exec\n    with:\n' "$1"
  printf "      run: [sh, -c, '$wait && touch \"\$KEPT/%s\"']\n" do "$1" do "$1" "$1"
  printf "      check: [sh, -c, 'test -e \"\$KEPT/%s\" || exit 10']\n" "$1"
  printf "      undo: [sh, -c, '$wait && rm \"\$KEPT/%s\"']\n      within: 30s\n" undo "$1" undo "$1" "$1"
}
{
  printf 'switchover: v1\nname: kept\nsteps:\n'
  step first
  step second
  step third
} >/kept.yaml
sed 's/^name: kept/name: kept-bake\npolicy: { bake: 1s }\nguards: [{ id: stop, uses: kill_switch, with: { file: STOP } }]/' /kept.yaml >/kept-bake.yaml

begin paused
touch "$KEPT/hold-do-second"
"$tool" run /kept.yaml & run=$!
until_so test -e "$KEPT/held"
"$tool" pause latest
rm "$KEPT/hold-do-second"
wait $run || true
keep open paused

begin stuck
touch "$KEPT/fail-do-third" "$KEPT/fail-undo-second"
"$tool" run /kept.yaml || true
keep open stuck

begin in-doubt
touch "$KEPT/hold-do-second"
"$tool" run /kept.yaml & run=$!
until_so test -e "$KEPT/held"
kill -9 $run
wait $run || true
keep open in-doubt

begin rolling-back
touch "$KEPT/fail-do-third" "$KEPT/hold-undo-second"
"$tool" run /kept.yaml & run=$!
until_so test -e "$KEPT/held"
kill -9 $run
wait $run || true
keep open rolling-back

begin baking
"$tool" run /kept-bake.yaml
keep open baking

# In a sandbox, with changes of DNS on their way.
unset SWITCHOVER_YES
cp "$plans/one-record.yaml" /one-record.yaml
cp -r "$plans/worlds" /kept-worlds
sed 's/^name: one-record/&-bake\npolicy: { bake: 24h }\nguards: [{ id: stop, uses: kill_switch, with: { file: STOP } }]/' /one-record.yaml >/one-record-bake.yaml

# up: a world of its own.
up() {
  "$tool" sandbox up --world /kept-worlds/one-record.yaml --time 60x >"$work/up" & world=$!
  until_so grep -q '^export SWITCHOVER_SANDBOX=' "$work/up"
  eval "$(grep '^export' "$work/up")"
}
down() {
  kill $world
  wait $world || true
  unset SWITCHOVER_SANDBOX
}
fault() { curl -sS --fail -X POST "${SWITCHOVER_SANDBOX%/}/faults" -d "$1" >/dev/null; }
# change NTH KIND: of the third, say, of the changes to records.
change() {
  fault "{\"service\": \"route53\", \"operation\": \"ChangeResourceRecordSets\", \"nth\": $1, \"times\": 1, \"kind\": \"$2\"}"
}
holding() { curl -sS "${SWITCHOVER_SANDBOX%/}/faults" | grep -q '"holding": *[1-9]'; }

begin one-paused
up
"$tool" run /one-record.yaml & run=$!
until_so has '"step":"soak"'
"$tool" pause latest
wait $run || true
keep told one-paused
down

begin one-stuck
up
fault '{"service": "route53", "operation": "ChangeResourceRecordSets", "nth": 3, "times": 0, "kind": "error", "code": "AccessDenied", "status": 403, "message": "refused on purpose"}'
"$tool" run /one-record.yaml & run=$!
until_so has '"step":"soak"'
"$tool" abort latest --reason "kept"
wait $run || true
keep told one-stuck
down

begin one-in-doubt
up
change 2 hold_after
"$tool" run /one-record.yaml & run=$!
until_so holding
kill -9 $run
wait $run || true
keep told one-in-doubt
down

begin one-rolling-back
up
change 3 hold_before
"$tool" run /one-record.yaml & run=$!
until_so has '"step":"soak"'
"$tool" abort latest --reason "kept" & abort=$!
until_so holding
kill -9 $run
wait $run || true
wait $abort || true
keep told one-rolling-back
down

begin one-baking
up
"$tool" run /one-record-bake.yaml
keep told one-baking
down
