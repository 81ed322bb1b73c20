#!/bin/sh
# The `docker` of a private engine: the Docker CLI, with buildx found beside it.
#
# The Docker CLI looks for plugins in the user's configuration and in fixed folders of the machine only.
# This engine's buildx lies in neither, so that `docker buildx …` works with any DOCKER_CONFIG it is
# started directly, with the CLI's own options handed on as the variables that it reads.
#
# `engine.sh` writes into it where they are: two programs that say so take longer than all of this.
root=@root@
docker="$root/usr/bin/docker"
buildx="$root/usr/libexec/docker/cli-plugins/docker-buildx"

if [ "$1" = buildx ]; then
  shift
  exec "$buildx" "$@"
fi
config=$DOCKER_CONFIG host=$DOCKER_HOST context=$DOCKER_CONTEXT count=0
for argument in "$@"; do
  case $previous in
    --config) config=$argument ;;
    -H | --host) host=$argument context= ;;
    -c | --context) context=$argument host= ;;
    *)
      case $argument in
        --config=*) config=${argument#*=} ;;
        --host=* | -H=*) host=${argument#*=} context= ;;
        --context=*) context=${argument#*=} host= ;;
        --config | -H | --host | -c | --context | -l | --log-level | -D | --debug) ;;
        buildx)
          shift $((count + 1))
          [ -z "$config" ] || export DOCKER_CONFIG="$config"
          if [ -n "$host" ]; then export DOCKER_HOST="$host"; else unset DOCKER_HOST; fi
          if [ -n "$context" ]; then export DOCKER_CONTEXT="$context"; else unset DOCKER_CONTEXT; fi
          exec "$buildx" "$@"
          ;;
        *) break ;;
      esac
      ;;
  esac
  previous=$argument
  count=$((count + 1))
done
exec "$docker" "$@"
