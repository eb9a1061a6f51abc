#!/bin/sh
# A Chromium for the tests that look at our pages as people do, if none is there. usage: chromium.sh
set -eu
. "$(dirname "$0")/apt.sh"

is_there() {
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && return 0
  done
  return 1
}

# Debian has the one package; Ubuntu the other, which fetches a snap.
is_there && exit 0
apt_ready chromium
(apt_install chromium) 2>/dev/null || (apt_install chromium-browser) || true
is_there || {
  echo "Error: no Chromium could be installed; please install Chromium or Google Chrome, then run the command again." >&2
  exit 1
}
