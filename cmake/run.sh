#!/bin/sh
# Sets up a machine, builds the library and its examples, and runs the main job on real trees: this
# checkout and the system's headers.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
usage="usage: sh cmake/run.sh [--deps-only] [--only=TARGETS] [-- DIRECTORY...]
  --deps-only      only install what the build needs
  --only=TARGETS   with --deps-only: also what these need, of: tests clang mingw aarch64 musl macos
  DIRECTORY        count the words of these trees instead"
. "$root/cmake/deps.sh"
parse_options "$@"

# shellcheck disable=SC2046  # a list of words
install_dependencies build $(groups_for "$only")
[ "$deps_only" = no ] || exit 0

cd "$root"
cmake --preset release >/dev/null
cmake --build --preset release --parallel "$(jobs)"
# shellcheck disable=SC2086  # a list of directories
for tree in ${rest:-$root /usr/include}; do
  [ -d "$tree" ] || fail "no such directory: $tree"
  printf '\n== %s\n' "scan $tree"
  build/release/examples/bin/scan "$tree"
done
