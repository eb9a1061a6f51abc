#!/bin/sh
# Go if it is absent, then what FOLDER's go.sum pins. usage: go.sh FOLDER
set -eu
if ! command -v go >/dev/null; then
  . "$(dirname "$0")/apt.sh"
  apt_install golang-go
fi
cd "$1"
go mod download
