#!/bin/sh
# crun has what we want of it, and can write a configuration (which needs no kernel feature).
set -eu
${RUN-} "$OUT/bin/crun" --version > version
grep -F "+CAP +SECCOMP +YAJL" version
mkdir bundle
( cd bundle && ${RUN-} "$OUT/bin/crun" spec --rootless && grep -q '"ociVersion"' config.json )
