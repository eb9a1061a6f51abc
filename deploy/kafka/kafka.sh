#!/bin/sh
# Apache Kafka in KRaft mode on this machine, without Docker: for development, tests and small trials.
# Everything of a cluster is in DIR: settings, data, logs, process ids; with --security sasl_tls also its CA and passwords.
# All listeners are on 127.0.0.1. Node number i (from 0) takes the ports N+i (clients), N+10+i (brokers among themselves;
# with sasl_tls by client certificate) and N+20+i (controllers).
set -eu

here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
lib=$here/target/lib
host=127.0.0.1
ready_s=60
stop_s=20

usage() {
  cat <<EOF
usage: kafka.sh install                fetch Kafka (Maven; JDK and Maven too if absent)
       kafka.sh start  [options]       start and wait until it is ready; nothing to do if it runs
       kafka.sh stop   [--dir DIR]     stop all nodes
       kafka.sh status [--dir DIR]     say what runs; exit code 1 if not all nodes do
       kafka.sh tool   [--dir DIR] NAME ARGUMENTS…
                                       Kafka's own command, as administrator: topics, acls, configs, …
options: --nodes 1|3                   brokers, each a controller too (default 1)
         --dir DIR                     where the cluster lives (default deploy/kafka/target/cluster)
         --port N                      first client port (default 9092)
         --security none|sasl_tls      sasl_tls: SCRAM-SHA-512 over TLS, ACLs enforced (default none)
         --property NAME=VALUE         broker property besides the ones here, may be repeated
environment: KAFKA_HEAP                heap of a node (default 512m)
EOF
}

fail() {
  echo "Error: $1" >&2
  exit "${2:-2}"
}

# --- command line ------------------------------------------------------------------------------------------

dir=$here/target/cluster
nodes=''
port=''
security=''
properties=''

command=${1:-}
[ $# -gt 0 ] && shift
case $command in
  install | start | stop | status | tool) ;;
  -h | --help | help) usage && exit 0 ;;
  '') usage >&2 && exit 2 ;;
  *) fail "unknown command '$command'; see kafka.sh --help" ;;
esac

while [ $# -gt 0 ]; do
  case $1 in
    --dir | --nodes | --port | --security | --property)
      [ $# -ge 2 ] || fail "$1 needs a value; see kafka.sh --help"
      case $1 in
        --dir) dir=$2 ;;
        --nodes) nodes=$2 ;;
        --port) port=$2 ;;
        --security) security=$2 ;;
        --property) properties="$properties$2
" ;;
      esac
      shift 2
      ;;
    *)
      [ "$command" = tool ] && break
      fail "unknown option '$1'; see kafka.sh --help"
      ;;
  esac
done

case $nodes in '' | 1 | 3) ;; *) fail "--nodes must be 1 or 3, not '$nodes'" ;; esac
case $security in '' | none | sasl_tls) ;; *) fail "--security must be none or sasl_tls, not '$security'" ;; esac
case $port in
  '') ;;
  *[!0-9]* | 0* | ??????*) fail "--port must be a number from 1 to 65500, not '$port'" ;;
  *) { [ "$port" -ge 1 ] && [ "$port" -le 65500 ]; } || fail "--port must be a number from 1 to 65500, not '$port'" ;;
esac
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac

# --- what runs ---------------------------------------------------------------------------------------------

java=${JAVA_HOME:+$JAVA_HOME/bin/}java

node_ids() { seq 0 $((nodes - 1)); }

home_of() { echo "$dir/node-$1"; }

# The process id of node $1 if it runs. A number that another program has got meanwhile does not count.
running() {
  pid=$(cat "$(home_of "$1")/pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null &&
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "-Doncegate.kafka=$(home_of "$1")" && echo "$pid"
}

ready() { grep -q 'Kafka Server started' "$(home_of "$1")/server.log" 2>/dev/null; }

# Sets nodes, port, security to those that DIR was made with.
recall() {
  [ -f "$dir/settings" ] || fail "there is no cluster in $dir; start one with kafka.sh start --dir $dir" 1
  . "$dir/settings"
}

bootstrap() {
  for id in $(node_ids); do printf '%s%s:%s' "${comma:-}" "$host" $((port + id)) && comma=,; done
}

# --- install -----------------------------------------------------------------------------------------------

installed() { cmp -s "$here/pom.xml" "$here/target/pom.installed"; }

install() {
  installed && return 0
  sh "$here/../setup/jdk.sh" || exit 1
  rm -rf "$lib"
  mvn -q -B -f "$here/pom.xml" package >&2 || fail 'Maven could not fetch Kafka; see above' 1
  cp "$here/pom.xml" "$here/target/pom.installed"
}

# --- files of a cluster ------------------------------------------------------------------------------------

secret() { openssl rand -hex 24; }

# $1 name, $2 further lines of the certificate's extensions: tls/$1.key, tls/$1.crt, and both in tls/$1.pem for Kafka.
certificate() {
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n%s\n' "$2" >"$dir/tls/extensions"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/tls/$1.key" -subj "/CN=$1" \
    -out "$dir/tls/request" 2>/dev/null
  openssl x509 -req -in "$dir/tls/request" -CA "$dir/tls/ca.crt" -CAkey "$dir/tls/ca.key" -CAcreateserial -days 3650 \
    -extfile "$dir/tls/extensions" -out "$dir/tls/$1.crt" 2>/dev/null
  cat "$dir/tls/$1.key" "$dir/tls/$1.crt" >"$dir/tls/$1.pem"
}

make_tls() {
  command -v openssl >/dev/null || fail 'openssl is not installed; it makes the certificates' 1
  mkdir -p "$dir/tls" "$dir/secrets"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/tls/ca.key" -days 3650 \
    -subj '/CN=oncegate trial CA' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -out "$dir/tls/ca.crt" 2>/dev/null
  certificate broker "extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:localhost,IP:$host"
  certificate oncegate extendedKeyUsage=clientAuth
  rm -f "$dir/tls/extensions" "$dir/tls/request"
  for user in admin oncegate; do secret >"$dir/secrets/$user.password"; done
}

common_properties() {
  for id in $(node_ids); do printf '%s%s@%s:%s' "${comma:-}" "$id" "$host" $((port + 20 + id)) && comma=,; done |
    sed 's/^/controller.quorum.voters=/'
  cat <<EOF

process.roles=broker,controller
inter.broker.listener.name=BROKERS
controller.listener.names=CONTROLLERS
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=$nodes
offsets.topic.replication.factor=$nodes
transaction.state.log.replication.factor=$nodes
min.insync.replicas=$(((nodes + 1) / 2))
transaction.state.log.min.isr=$(((nodes + 1) / 2))
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
group.initial.rebalance.delay.ms=0
EOF
}

none_properties() {
  echo 'listener.security.protocol.map=CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT,CONTROLLERS:PLAINTEXT'
}

sasl_tls_properties() {
  scram=org.apache.kafka.common.security.scram.ScramLoginModule
  cat <<EOF
listener.security.protocol.map=CLIENTS:SASL_SSL,BROKERS:SSL,CONTROLLERS:SSL
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.crt
ssl.client.auth=required
listener.name.clients.ssl.client.auth=none
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*\$/\$1/,DEFAULT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config=$scram required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:broker
EOF
}

admin_properties() {
  [ "$security" = none ] || cat <<EOF
security.protocol=SASL_SSL
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.crt
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="$(cat "$dir/secrets/admin.password")";
EOF
}

node_properties() {
  listeners=CLIENTS://$host:$((port + $1)),BROKERS://$host:$((port + 10 + $1))
  cat <<EOF
node.id=$1
listeners=$listeners,CONTROLLERS://$host:$((port + 20 + $1))
advertised.listeners=$listeners
log.dirs=$(home_of "$1")/data
EOF
  common_properties
  "${security}_properties"
  printf '%s' "$properties"
}

# Formatting writes the cluster's id and the first SCRAM credentials. Arguments go by file: `ps` shows no password.
format() {
  home=$(home_of "$1")
  {
    echo "-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp \"$lib/*\" kafka.tools.StorageTool format"
    echo "--cluster-id=$cluster --config \"$home/server.properties\""
    [ "$security" = none ] || for user in admin oncegate; do
      echo "--add-scram SCRAM-SHA-512=[name=$user,password=$(cat "$dir/secrets/$user.password")]"
    done
  } >"$home/format.args"
  "$java" "@$home/format.args" >"$home/format.log" 2>&1 ||
    fail "Kafka refuses these settings: $(grep -m 1 Exception "$home/format.log") (log: $home/format.log)" 1
  rm "$home/format.args"
  echo "$1" >"$home/formatted"
}

# --- start -------------------------------------------------------------------------------------------------

# What DIR was made with stays; only a stopped cluster's port may change.
settle() {
  asked_nodes=$nodes asked_port=$port asked_security=$security
  nodes=1 port=9092 security=none
  cluster=$(openssl rand -base64 16 2>/dev/null | tr '+/' '-_' | cut -c 1-22)
  if [ -f "$dir/settings" ]; then
    . "$dir/settings"
    [ "${asked_nodes:-$nodes}" = "$nodes" ] || fail "the cluster in $dir has $nodes node(s); use another --dir"
    [ "${asked_security:-$security}" = "$security" ] || fail "the cluster in $dir has security $security; use another --dir"
  fi
  nodes=${asked_nodes:-$nodes} security=${asked_security:-$security}
  if any_running && [ "${asked_port:-$port}" != "$port" ]; then
    fail "the cluster in $dir runs on port $port; stop it first, or use another --dir"
  fi
  port=${asked_port:-$port}
}

any_running() { for id in $(node_ids); do running "$id" >/dev/null && return 0; done; return 1; }

prepare() {
  mkdir -p "$dir" || fail "cannot make $dir"
  [ "$security" = none ] || [ -f "$dir/secrets/oncegate.password" ] || make_tls
  admin_properties >"$dir/admin.properties"
  printf 'nodes=%s\nport=%s\nsecurity=%s\ncluster=%s\n' "$nodes" "$port" "$security" "$cluster" >"$dir/settings"
}

launch() {
  home=$(home_of "$1")
  mkdir -p "$home"
  node_properties "$1" >"$home/server.properties"
  [ -f "$home/formatted" ] || format "$1"
  [ ! -f "$home/server.log" ] || mv "$home/server.log" "$home/server.log.before"
  nohup "$java" -Xms128m "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
    "-Doncegate.kafka=$home" "-Dlog4j2.configurationFile=$here/log4j2.properties" \
    -cp "$lib/*" kafka.Kafka "$home/server.properties" >"$home/out.log" 2>&1 </dev/null &
  echo $! >"$home/pid"
}

# Why the node in $1 ended, in one line.
reason() {
  sed -n "s/.*Address already in use.*/one of its ports is in use ($port and up)/p
          s/^\\(Caused by: \\)\\{0,1\\}[a-z][A-Za-z.]*\\(Exception\\|Error\\): //p" "$1/server.log" "$1/out.log" 2>/dev/null |
    head -n 1
}

await() {
  home=$(home_of "$1")
  tries=$((ready_s * 10))
  until ready "$1"; do
    running "$1" >/dev/null || fail "node $1 ended: $(reason "$home") (log: $home/server.log)" 1
    tries=$((tries - 1))
    [ $tries -gt 0 ] || fail "node $1 is not ready after $ready_s s (log: $home/server.log)" 1
    sleep 0.1
  done
}

start() {
  umask 077
  settle
  install
  prepare
  for id in $(node_ids); do running "$id" >/dev/null || launch "$id"; done
  for id in $(node_ids); do await "$id"; done
  status
}

# --- stop, status, tool ------------------------------------------------------------------------------------

end() {
  tries=$((stop_s * 10))
  while running "$1" >/dev/null; do
    [ $tries -gt 0 ] || kill -KILL "$(cat "$(home_of "$1")/pid")" 2>/dev/null || true
    tries=$((tries - 1))
    sleep 0.1
  done
  rm -f "$(home_of "$1")/pid"
}

stop() {
  [ -f "$dir/settings" ] || { echo "nothing runs in $dir" && return 0; }
  recall
  for id in $(node_ids); do kill "$(running "$id")" 2>/dev/null || true; done
  for id in $(node_ids); do end "$id"; done
  echo "stopped: $dir"
}

status() {
  recall
  up=0
  for id in $(node_ids); do running "$id" >/dev/null && ready "$id" && up=$((up + 1)); done
  echo "$up of $nodes node(s) ready"
  echo "bootstrap = $(bootstrap)"
  echo "security  = $security"
  if [ "$security" = sasl_tls ]; then
    echo "CA        = $dir/tls/ca.crt"
    echo "users     = admin, oncegate (SCRAM-SHA-512; $dir/secrets/USER.password)"
  fi
  [ "$up" = "$nodes" ]
}

tool() {
  recall
  case ${1:-} in
    topics) main=org.apache.kafka.tools.TopicCommand ;;
    acls) main=org.apache.kafka.tools.AclCommand ;;
    configs) main=org.apache.kafka.tools.ConfigCommand ;;
    quorum) main=org.apache.kafka.tools.MetadataQuorumCommand ;;
    dump-log) main=org.apache.kafka.tools.DumpLogSegments ;;
    *) fail "unknown tool '${1:-}'; known: topics, acls, configs, quorum, dump-log" ;;
  esac
  name=$1 && shift
  [ "$name" = dump-log ] || set -- --bootstrap-server "$(bootstrap)" --command-config "$dir/admin.properties" "$@"
  exec "$java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.level=warn -cp "$lib/*" "$main" "$@"
}

"$command" "$@"
