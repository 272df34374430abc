#!/bin/sh
# Sets up a machine, builds the library and the main job, and runs that on real trees: this checkout and the
# system's headers.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
usage="usage: sh cmake/run.sh [--deps-only] [--only=TARGETS] [-- DIRECTORY...]
  --deps-only      only install what the build needs
  --only=TARGETS   with --deps-only: also what these need, of: tests clang tidy mingw aarch64 musl macos
  DIRECTORY        count the words of these trees instead"
. "$root/cmake/deps.sh"
parse_options "$@"
shift "$consumed"
for tree in "$@"; do
  [ -d "$tree" ] || fail "no such directory: $tree"
done

find_groups "$only"
# shellcheck disable=SC2086  # a list of words
install_dependencies build $groups
[ "$deps_only" = no ] || exit 0

(
  cd "$root"
  cmake --preset release >/dev/null
  cmake --build --preset release --parallel "$(jobs)" --target example_scan
)

if [ $# -eq 0 ]; then
  set -- "$root"
  headers=/usr/include  # macOS keeps its headers in the SDK
  [ -d "$headers" ] || headers="$(xcrun --show-sdk-path 2>/dev/null || true)/usr/include"
  if [ -d "$headers" ]; then set -- "$@" "$headers"; fi
fi
# What a tree lacks does not keep the next one from being counted.
status=0
for tree in "$@"; do
  printf '\n== %s\n' "scan $tree"
  "$root/build/release/examples/bin/scan" "$tree" || status=1
done
exit $status
