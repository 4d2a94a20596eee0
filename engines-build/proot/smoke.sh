#!/bin/sh
# PRoot has its accelerators, runs a program in a root of its own, passes its exit status on, and
# contains it: a file of the host is not seen.
set -eu
"$OUT/bin/proot" --version > version 2>&1
grep -F "process_vm = yes, seccomp_filter = yes" version

cat > guest.c <<'EOF'
#include <fcntl.h>
int main(void) { return open("/etc/passwd", O_RDONLY) >= 0 ? 1 : open("/guest", O_RDONLY) >= 0 ? 42 : 2; }
EOF
mkdir root
MUSL_CC=$CC "$DEP_MUSL/bin/musl-cc" guest.c -o root/guest
status=0
PROOT_TMP_DIR=$(pwd) "$OUT/bin/proot" -r root /guest || status=$?
[ "$status" -eq 42 ] || { echo "proot: the guest ended with $status, not 42" >&2; exit 1; }
