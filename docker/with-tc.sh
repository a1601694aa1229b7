#!/bin/sh
# Shapes what leaves this container, gives up the privileges which that takes, and becomes the program.
set -eu

tc qdisc replace dev eth0 root tbf rate "$TC_RATE" burst "$TC_BURST" latency "$TC_LATENCY"
exec setpriv --reuid=node --regid=node --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
  node /postcopy/dist/src/cli/postcopy.js "$@"
