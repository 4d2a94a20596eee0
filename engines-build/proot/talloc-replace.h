/*
 * What talloc takes from samba's portability layer ("replace.h"), for one C library of today: musl.
 * This file stands in for that layer, so that talloc.c compiles alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TALLOC_REPLACE_H
#define TALLOC_REPLACE_H

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#define HAVE_CONSTRUCTOR_ATTRIBUTE 1
#define HAVE_GETAUXVAL 1
#define HAVE_INTPTR_T 1
#define HAVE_SYS_AUXV_H 1
#define HAVE_VA_COPY 1

#define _PUBLIC_
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
