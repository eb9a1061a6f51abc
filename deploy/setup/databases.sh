#!/bin/sh
# Servers for the tests of database sources: PostgreSQL and MariaDB, if they are absent. usage: databases.sh
# Only the programs are wanted: the tests start servers of their own, so none is started or enabled here.
set -eu
. "$(dirname "$0")/apt.sh"

has_postgres() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_mariadb() { { command -v mariadbd || ls /usr/sbin/mariadbd; } >/dev/null 2>&1; }

wanted=
has_postgres || wanted="postgresql"
has_mariadb || wanted="$wanted mariadb-server"
[ -n "$wanted" ] || exit 0

apt_ready $wanted

# Debian starts a service as it installs it, unless this file says no. dash runs what is trapped at EXIT only if the
# script exits, so signals make it exit.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
apt_install $wanted
