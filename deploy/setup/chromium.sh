#!/bin/sh
# A Chromium for the tests that look at our pages as people do, if none is there. usage: chromium.sh
set -eu
. "$(dirname "$0")/apt.sh"

for name in chromium chromium-browser google-chrome; do
  command -v "$name" >/dev/null && exit 0
done
apt_install chromium
