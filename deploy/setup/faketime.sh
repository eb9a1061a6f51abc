#!/bin/sh
# libfaketime, if it is absent: the tests give processes a clock that jumps. usage: faketime.sh
set -eu
. "$(dirname "$0")/apt.sh"

is_there() {
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib64/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 \
    /usr/local/lib/faketime/libfaketimeMT.so.1 2>/dev/null | grep -q .
}
is_there || apt_install faketime
