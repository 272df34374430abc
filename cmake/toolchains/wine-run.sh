#!/bin/sh
# Runs a Windows program under wine, quietly, in a prefix of its own. The first to come makes the
# prefix, which takes some seconds; others wait for it.
export WINEDEBUG="${WINEDEBUG:--all}"
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

# On a busy machine wine was seen to end at once with status 0 although the program had run nothing; why is
# not known. So a run of tests has to show doctest's summary as well, and a test that is a program of its own
# (MULTIPROCESSING_TEST_PROGRAM, set by its CTest entry) its last line. What an example prints is compared.
case " $* " in
  *" --test-suite="*) demanded='\[doctest\] Status: SUCCESS' ;;
  *)
    [ -n "${MULTIPROCESSING_TEST_PROGRAM:-}" ] || exec wine "$@"
    demanded='^\[program\] passed'
    ;;
esac

output=$(mktemp)
wine "$@" >"$output" 2>&1
status=$?
cat "$output"
if [ $status -eq 0 ] && ! grep -aq "$demanded" "$output"; then
  echo "wine ended before the tests did"
  status=1
fi
rm -f "$output"
exit $status
