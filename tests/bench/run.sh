#!/usr/bin/env bash
# Measures what the tool costs, and prints one table. Ends with 1 if a target is missed or could not be measured.
#     tests/bench/run.sh [MEASUREMENT...]
# A measurement is a function of measure.py: `validation`, `restored`. All of them take a quarter of an hour once all is built.
set -euo pipefail
cd "$(dirname "$0")/../.."
export AWS_EC2_METADATA_DISABLED=true CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-never}"
others="${CARGO_TARGET_DIR:-target}/bench/others"

# The aws command line, Ansible with its collection for AWS, and moto: from PyPI, for this repository alone.
install_others() {
  rm -rf "$others" &&
    python3 -m venv "$others" &&
    "$others/bin/pip" install --quiet --disable-pip-version-check --requirement tests/bench/requirements.txt &&
    "$others/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$others" ansible==12.3.0 &&
    "$others/bin/python" - "$others" <<'PYTHON' &&
import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(sys.argv[1] + "/ansible-*.whl")[0]) as wheel:
    own = [name for name in wheel.namelist() if name.startswith("ansible_collections/amazon/aws/")]
    wheel.extractall(sys.argv[1] + "/collections", own)
PYTHON
    rm "$others"/ansible-*.whl &&
    cp tests/bench/requirements.txt "$others/installed"
}

cargo build --locked --release
cargo bench --locked --no-run --bench append
if ! cmp --silent tests/bench/requirements.txt "$others/installed"; then
  install_others || {
    echo "WARNING: the tools to compare with could not be installed: one record change will count as missed" >&2
    rm -rf "$others"
  }
fi
# Prometheus, for `restored`.
. tests/tools.sh || echo "WARNING: what tests/tools.sh installs is not all there: restored may count as missed" >&2
exec python3 -B tests/bench/measure.py "$@"
