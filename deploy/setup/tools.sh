#!/bin/sh
# What the tests and the guides' commands call, if it is absent: curl, openssl, strace (the tests make system calls fail),
# and a C compiler with its headers (they make a disk small with a library of their own). usage: tools.sh
set -eu
. "$(dirname "$0")/apt.sh"

compiles() { echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1; }

wanted=
command -v curl >/dev/null || wanted="curl ca-certificates"
command -v openssl >/dev/null || wanted="$wanted openssl"
command -v strace >/dev/null || wanted="$wanted strace"
compiles || wanted="$wanted gcc libc6-dev"
[ -z "$wanted" ] || apt_install $wanted
