#!/bin/sh
# Go if it is absent, then what each FOLDER's go.sum pins; a folder's programs are compiled once, so that tests find the
# standard library compiled. usage: go.sh FOLDER...
set -eu
if ! command -v go >/dev/null; then
  . "$(dirname "$0")/apt.sh"
  apt_install golang-go
fi
copy=$(mktemp -d)
trap 'rm -r "$copy"' EXIT
trap 'exit 130' INT TERM HUP # dash runs what is trapped at EXIT only if the script exits
for folder; do
  (
    cd "$folder"
    cp go.mod go.sum "$copy" # `download` of Go 1.21 and later raises the go line of the go.mod that it is given
    go mod download -modfile="$copy/go.mod"
    set -- */*.go
    if [ -e "$1" ]; then go build -buildvcs=false ./...; fi
  )
done
