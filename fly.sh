#!/bin/sh
# What Fly says of a machine, under the names that litefs.yml and blog know. In the image it is `on-fly`; fly.toml
# starts the node with it.
set -eu
: "${FLY_CONSUL_URL:?is not set: run fly consul attach}"
name=$FLY_MACHINE_ID.vm.$FLY_APP_NAME.internal
export NODE="$FLY_MACHINE_ID" REGION="$FLY_REGION"
export LITEFS_HOSTNAME="$name:4001" LITEFS_ADVERTISE_URL="http://$name:20202"
export LITEFS_CONSUL_URL="$FLY_CONSUL_URL"
exec "$@"
