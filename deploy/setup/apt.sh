# Sourced: apt_install PACKAGE… on Debian and Ubuntu, as root or through sudo; elsewhere a clear line.

# Whether packages can be installed here; otherwise says what to have installed, and ends the script. Sets as_root.
apt_ready() {
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
}

apt_install() {
  apt_ready "$@"
  $as_root apt-get update -qq
  # sudo takes no variables along, env sets them on its far side.
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
