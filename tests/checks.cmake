# Checks that are not doctest binaries: what must not compile, headers alone, layers.
