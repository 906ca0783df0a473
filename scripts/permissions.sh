# What kv may do, for scripts/kv and scripts/build. Data folders and files are named by the user, and so are the
# addresses: reading, writing and the network cannot be narrowed. Of the environment only these names are seen, the
# rest reads as absent; statfs tells how much room a disk has.
# shellcheck shell=bash disable=SC2034
kv_permissions=(
  --no-prompt
  --allow-net
  --allow-read
  --allow-write
  --allow-sys=statfs
  --allow-env=KV_SELF,HOME,XDG_STATE_HOME
  --ignore-env
)

# How kv runs. V8's young generation is two halves of 8 MB at most, not of 32: nodes with many keys take far less memory.
kv_runtime=(--v8-flags=--max-semi-space-size=8)

# True for `up ... --zookeeper`, the one command that starts processes: kv itself, by the path in KV_SELF, and scripts/zk.
kv_starts_processes() {
  [ "${1:-}" = up ] || return 1
  local argument
  for argument in "$@"; do
    case $argument in --zookeeper | --zookeeper=*) return 0 ;; esac
  done
  return 1
}
