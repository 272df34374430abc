#!/bin/sh
# Sets up a machine, builds everything and runs all tests, on the machine itself or, with --only, for
# another target.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
usage="usage: sh cmake/test.sh [--deps-only] [--only=PRESETS] [-- CTEST_OPTIONS...]
  --deps-only      only install what the build and the tests need
  --only=PRESETS   of: dev clang asan tsan mingw aarch64 musl macos-arm64 macos-x64 (default: dev)
  CTEST_OPTIONS    for example: -L unit, or -R process"
. "$root/cmake/deps.sh"
parse_options "$@"
shift "$consumed"
presets=$(printf '%s' "${only:-dev}" | tr ',' ' ')

find_groups "${only:-dev}"
# shellcheck disable=SC2086  # a list of words
install_dependencies build tests $groups
[ "$deps_only" = no ] || exit 0

cd "$root"
status=0
for preset in $presets; do
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --parallel "$(jobs)"
  case $preset in
    macos-*) say "$preset: built and linked; it cannot run here" ;;
    *)
      (cd "build/$preset" && ctest --output-on-failure --parallel "$(($(jobs) + 4))" "$@") || status=1
      ;;
  esac
done
exit $status
