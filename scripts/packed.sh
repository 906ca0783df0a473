#!/bin/sh
# kv in one file: this script, then an archive of the Deno runtime and the program. The first start unpacks the
# archive into a private folder that is named by its hash; every start runs it from there.
set -eu

hash=@HASH@
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

fail() {
  echo "kv: $1" >&2
  exit 6
}

if [ -n "${XDG_CACHE_HOME:-}" ]; then
  cache=$XDG_CACHE_HOME/kv
elif [ -n "${HOME:-}" ]; then
  cache=$HOME/.cache/kv
else
  cache=${TMPDIR:-/tmp}/kv-$(id -u)
fi
unpacked=$cache/$hash

payload() {
  line=$(grep -a -n -m 1 '^__PAYLOAD__$' "$self" | cut -d : -f 1)
  tail -n "+$((line + 1))" "$self"
}

sha256() {
  { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1
}

complete() {
  [ -x "$unpacked/deno" ] && [ -f "$unpacked/kv.js" ]
}

# Unpacks aside and renames file by file into the final folder, the program that starts it last: a start that was cut off
# leaves nothing that would be run, and of two starts at once each puts the same files in the place of the other's.
# Nothing is ever taken away, or the other start would miss it.
unpack() {
  umask 077
  mkdir -p "$cache" || fail "cannot make the cache folder $cache; name another with XDG_CACHE_HOME"
  staging=$(mktemp -d "$cache/.unpack.XXXXXX") || fail "cannot write to $cache; name another folder with XDG_CACHE_HOME"
  trap 'rm -rf "$staging"' EXIT
  trap 'exit 6' HUP INT TERM
  [ "$(payload | sha256)" = "$hash" ] || fail "$self is damaged: its content does not match its hash; fetch or build it again"
  payload | tar -xzf - -C "$staging" || fail "cannot unpack into $cache; is the disk full?"
  mkdir "$unpacked" 2>/dev/null || own
  mv -f "$staging/kv.js" "$unpacked/kv.js" && mv -f "$staging/deno" "$unpacked/deno" || fail "cannot write to $unpacked"
  rm -rf "$staging"
  trap - EXIT HUP INT TERM
}

# Somebody else's folder in a shared place is neither written to nor run.
own() {
  [ -O "$unpacked" ] && [ ! -L "$unpacked" ] || fail "$unpacked belongs to another user; name another folder with XDG_CACHE_HOME"
}

complete || unpack
own

run=
if [ "${1:-}" = up ]; then
  for argument in "$@"; do
    case $argument in --zookeeper | --zookeeper=*) run=--allow-run=$self ;; esac
  done
fi
export KV_SELF="$self" DENO_DIR="$unpacked/deno-dir" DENO_NO_UPDATE_CHECK=1
exec "$unpacked/deno" run --quiet --no-config --no-lock --cached-only --no-npm --no-remote \
  @FLAGS@ ${run:+"$run"} "$unpacked/kv.js" "$@"
exit
__PAYLOAD__
