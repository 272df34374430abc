#!/bin/sh
# Runs a Windows program under wine, quietly, in a prefix of its own. The first to come makes the
# prefix, which takes some seconds; others wait for it.
export WINEDEBUG="${WINEDEBUG:--all}"
# A program that crashes on purpose needs no debugger, which would print pages and take seconds.
export WINEDLLOVERRIDES="${WINEDLLOVERRIDES:-winedbg.exe=d;mscoree,mshtml=}"
export WINEPREFIX="${WINEPREFIX:-${XDG_CACHE_HOME:-$HOME/.cache}/multiprocessing/wine}"
if [ ! -e "$WINEPREFIX/made" ]; then
  mkdir -p "$WINEPREFIX"
  # wineboot leaves a server behind that would hold the lock, so it does not get the lock's descriptor.
  ( flock 9
    if [ ! -e "$WINEPREFIX/made" ]; then
      wine wineboot --init 9>&- >/dev/null 2>&1 && touch "$WINEPREFIX/made"
    fi
  ) 9>"$WINEPREFIX/lock"
fi
# The output goes through files: wine's console server for a child that was killed while it started
# stays behind, and would hold a pipe of ours open, so that whoever reads it waits for ever.
output=$(mktemp -d) || exit 1
finish() {
  cat "$output/out"
  cat "$output/err" >&2
  rm -r "$output"
}
trap finish EXIT
trap 'exit 143' TERM INT
# wine maps a page at a fixed address, which a random layout now and then has taken: then a start fails.
fixed_layout=
if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_layout="setarch $(uname -m) -R"; fi
$fixed_layout wine "$@" >"$output/out" 2>"$output/err"
