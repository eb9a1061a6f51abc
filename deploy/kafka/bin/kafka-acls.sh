#!/bin/sh
# Kafka's own command as its distribution has it, from the jars that kafka.sh installed.
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.level=warn \
  -cp "$here/../target/lib/*" org.apache.kafka.tools.AclCommand "$@"
