# Sourced: apt_install PACKAGE… on Debian and Ubuntu, as root or through sudo; elsewhere a clear line.
apt_install() {
  if ! command -v apt-get >/dev/null; then
    echo "Error: please install $* with this system's package manager, then run the command again." >&2
    exit 1
  fi
  as_root=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "Error: please have the administrator install $*, then run the command again." >&2
      exit 1
    }
    as_root=sudo
  fi
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
