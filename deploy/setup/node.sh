#!/bin/sh
# Node.js if it is absent, then what FOLDER's package-lock.json pins. usage: node.sh FOLDER
set -eu
if ! command -v npm >/dev/null; then
  . "$(dirname "$0")/apt.sh"
  apt_install nodejs npm
fi
cd "$1"
npm ci --silent --no-audit --no-fund --ignore-scripts
