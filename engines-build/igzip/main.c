/* igzip: inflates gzip from standard input to standard output, with isa-l's inflate.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Members one after another are one stream, each is checked by its CRC and its length, and zeros
 * after the last are padding (RFC 1952, and what gzip does). Anything else is an error: one line
 * on standard error, exit status 1.
 *
 * isa-l's own program forgets the flags of a header that comes in two reads, so headers are read here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "crc.h"
#include "igzip_lib.h"

enum { FLAG_HCRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_UNKNOWN = 0xe0 };

/* Large enough to be rarely asked for more, small enough for the cache of a processor. */
static uint8_t input[128 * 1024], output[256 * 1024];
static struct inflate_state state;

static void say(const char *text)
{
	if (write(2, text, strlen(text)) < 0)
		_exit(1); /* nobody listens, and the status says it */
}

static void fail(const char *what, const char *why)
{
	say("igzip: ");
	say(what);
	say(why);
	say("\n");
	_exit(1);
}

/* Whether there is input, after waiting for it. */
static int more(void)
{
	ssize_t got;

	if (state.avail_in)
		return 1;
	do
		got = read(0, input, sizeof input);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		fail("cannot read: ", strerror(errno));
	state.next_in = input;
	state.avail_in = got;
	return got > 0;
}

static void put(const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t done = write(1, data, size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			fail("cannot write: ", strerror(errno));
		data += done;
		size -= done;
	}
}

static uint8_t byte(void)
{
	if (!more())
		fail("the data ends too early", "");
	state.avail_in--;
	return *state.next_in++;
}

static uint8_t header_byte(uint32_t *crc)
{
	uint8_t value = byte();
	*crc = crc32_gzip_refl(*crc, &value, 1);
	return value;
}

static void header(void)
{
	uint32_t crc = 0;
	unsigned flags, left;

	if (header_byte(&crc) != 0x1f || header_byte(&crc) != 0x8b)
		fail("not gzip", "");
	if (header_byte(&crc) != 8)
		fail("not deflate", "");
	flags = header_byte(&crc);
	if (flags & FLAGS_UNKNOWN)
		fail("unknown flags in a header", "");
	for (left = 6; left; left--) /* time, extra flags, system */
		header_byte(&crc);
	if (flags & FLAG_EXTRA) {
		left = header_byte(&crc);
		left |= (unsigned) header_byte(&crc) << 8;
		while (left--)
			header_byte(&crc);
	}
	if (flags & FLAG_NAME)
		while (header_byte(&crc)) ;
	if (flags & FLAG_COMMENT)
		while (header_byte(&crc)) ;
	if (flags & FLAG_HCRC) {
		left = byte();
		left |= (unsigned) byte() << 8;
		if (left != (crc & 0xffff))
			fail("the CRC of a header is wrong", "");
	}
}

static void member(void)
{
	header();
	isal_inflate_reset(&state);
	state.crc_flag = ISAL_GZIP_NO_HDR_VER;
	while (state.block_state != ISAL_BLOCK_FINISH) {
		/* at the end of the input, what isa-l has already taken of it may still become output */
		int is_end = !more();
		int answer;

		state.next_out = output;
		state.avail_out = sizeof output;
		answer = isal_inflate(&state);
		put(output, sizeof output - state.avail_out);
		if (answer == ISAL_INCORRECT_CHECKSUM)
			fail("the CRC or the length is wrong", "");
		if (answer != ISAL_DECOMP_OK)
			fail("the data is damaged", "");
		if (is_end && state.avail_out == sizeof output && state.block_state != ISAL_BLOCK_FINISH)
			fail("the data ends too early", "");
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		static const char version[] = "igzip " VERSION "\n";
		return write(1, version, sizeof version - 1) < 0;
	}
	for (; argc > 1; argc--)
		if (strcmp(argv[argc - 1], "-d") && strcmp(argv[argc - 1], "-c") && strcmp(argv[argc - 1], "-dc")) {
			say("usage: igzip [-dc] < FILE.gz\n");
			return 2;
		}
	fcntl(1, F_SETPIPE_SZ, 1 << 20); /* fewer switches between us and the reader; as it is if this fails */
	isal_inflate_init(&state);
	do {
		member();
		while (more() && *state.next_in == 0)
			byte();
	} while (more());
	return 0;
}
