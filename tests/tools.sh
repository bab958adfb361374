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
as_root=$([ "$(id -u)" = 0 ] || echo sudo)
if [ ${#missing[@]} -gt 0 ]; then
  $as_root apt-get update -qq
  $as_root apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
fi
# Prometheus and Alertmanager are unpacked and not installed: a package would start them.
if [ ! -x "$tools/debian/usr/bin/prometheus-alertmanager" ]; then
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
  $as_root mkdir -p "$templates"
  $as_root cp "$tools/debian$templates"/*.tmpl "$templates"
fi
# Name servers that take dynamic updates. They are unpacked and not installed, so that nothing of them starts by itself.
if ! [ -x "$tools/bin/named" ] || ! [ -x "$tools/bin/knotd" ]; then
  servers="$tools/servers"
  mkdir -p "$servers/packages"
  apt-cache show knot >/dev/null 2>&1 || $as_root apt-get update -qq
  mapfile -t wanted < <(apt-get install --simulate --no-install-recommends bind9 knot | sed -n 's/^Inst \([^ ]*\).*/\1/p')
  (cd "$servers/packages" && apt-get download -qq bind9 bind9-libs knot "${wanted[@]}")
  for package in "$servers"/packages/*.deb; do
    dpkg --extract "$package" "$servers"
  done
  found="$(find "$servers" -name '*.so*' -printf '%h\n' | sort -u | paste -s -d :)"
  for server in named knotd; do
    printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$found" "$servers/usr/sbin/$server" >"$tools/bin/$server"
    chmod +x "$tools/bin/$server"
  done
fi
export PATH="$tools/bin:$tools/debian/usr/bin:$PATH"
