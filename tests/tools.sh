# Sourced: what tests need besides Rust and Python. What is missing is installed from PyPI and Debian.
# The aws command line and dig look at the sandbox as strangers do.
tools="$(realpath --canonicalize-missing "${CARGO_TARGET_DIR:-target}/tests")"
if ! cmp --silent tests/requirements.txt "$tools/installed"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt
  cp tests/requirements.txt "$tools/installed"
fi
# strace writes down what is done to files, and makes calls fail.
missing=()
command -v curl >/dev/null || missing+=(curl)
command -v dig >/dev/null || missing+=(bind9-dnsutils)
command -v strace >/dev/null || missing+=(strace)
if [ ${#missing[@]} -gt 0 ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get update -qq
  $as_root apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
fi
# Prometheus and Alertmanager are unpacked and not installed: a package would start them.
if [ ! -x "$tools/debian/usr/bin/prometheus-alertmanager" ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  mkdir -p "$tools/debian"
  (
    cd "$tools/debian"
    download() { apt-get download -qq prometheus prometheus-alertmanager; }
    download || { $as_root apt-get update -qq && download; }
    for package in *.deb; do dpkg --extract "$package" .; done
    rm ./*.deb
  )
fi
# Alertmanager looks for its templates where its package has them, and nowhere else.
templates=/usr/share/prometheus/alertmanager
if [ ! -e "$templates/default.tmpl" ]; then
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root mkdir -p "$templates"
  $as_root cp "$tools/debian$templates"/*.tmpl "$templates"
fi
export PATH="$tools/bin:$tools/debian/usr/bin:$PATH"
