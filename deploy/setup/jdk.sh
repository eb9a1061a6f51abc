#!/bin/sh
# A Java of 17 or newer and Maven, if they are absent: what deploy/kafka needs. usage: jdk.sh
set -eu
. "$(dirname "$0")/apt.sh"

java_is_new_enough() {
  major=$("${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')
  [ "${major:-0}" -ge 17 ]
}

# Debian and Ubuntu differ in which release they call the default one, and in which others they have.
java_is_new_enough || (apt_install openjdk-17-jdk-headless) 2>/dev/null || apt_install default-jdk-headless
java_is_new_enough || {
  echo "Error: Java 17 or newer is needed; install one, or let JAVA_HOME point to it." >&2
  exit 1
}
command -v mvn >/dev/null || apt_install maven
