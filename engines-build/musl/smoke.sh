#!/bin/sh
# A program built with the new C library runs.
set -eu
printf '#include <stdio.h>\n#include <linux/seccomp.h>\nint main(void) { return puts("musl works") < 0; }\n' > smoke.c
MUSL_CC=$CC "$OUT/bin/musl-cc" -O2 smoke.c -o smoke
[ "$(./smoke)" = "musl works" ]
