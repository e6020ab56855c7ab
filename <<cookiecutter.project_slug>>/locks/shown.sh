# Sourced by what installs packages: uv and pip show their own progress in a terminal, and are quiet in a log.
if [ -t 2 ]; then quiet=''; else quiet=--quiet; fi

# shown WHAT COMMAND...: runs a command; a log says each ten seconds that WHAT goes on.
shown() {
  what=$1
  shift
  if [ -t 2 ]; then
    "$@"
    return
  fi
  # A background process outlives an interruption, so it looks whether this shell is still there.
  (
    seconds=10
    while sleep 10 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
      echo "$what, $seconds s so far" >&2
      seconds=$((seconds + 10))
    done
  ) >/dev/null &
  watcher=$!
  status=0
  "$@" || status=$?
  kill "$watcher" 2>/dev/null || true
  return "$status"
}
