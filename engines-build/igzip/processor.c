/* Which of isa-l's loops this processor can run.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * isa-l chooses in assembler, for all that it can do; this links what inflating gzip needs, and no more.
 */
#include <stdint.h>
#include <stdlib.h>

#include "crc.h"
#include "igzip_lib.h"

typedef int decoder(struct inflate_state *state, uint8_t *start);
typedef uint32_t checksum(uint32_t seed, const unsigned char *data, uint64_t size);

decoder decode_huffman_code_block_stateless, decode_huffman_code_block_stateless_base;
checksum isal_adler32_bam1;

static uint32_t crc_in_c(uint32_t seed, const unsigned char *data, uint64_t size)
{
	return crc32_gzip_refl_base(seed, (unsigned char *) data, size);
}

#if defined(__x86_64__)
decoder decode_huffman_code_block_stateless_01, decode_huffman_code_block_stateless_04;
checksum crc32_gzip_refl_by8;

static decoder *decode(void)
{
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("bmi"))
		return decode_huffman_code_block_stateless_04;
	if (__builtin_cpu_supports("sse4.2"))
		return decode_huffman_code_block_stateless_01;
	return decode_huffman_code_block_stateless_base;
}

static checksum *crc(void)
{
	if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"))
		return crc32_gzip_refl_by8;
	return crc_in_c;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>
#define CRC32 (1 << 7) /* HWCAP_CRC32 of <asm/hwcap.h> */
decoder decode_huffman_code_block_stateless_aarch64;
checksum crc32_gzip_refl_crc_ext;

static decoder *decode(void)
{
	return getauxval(AT_HWCAP) & CRC32 ? decode_huffman_code_block_stateless_aarch64 : decode_huffman_code_block_stateless_base;
}

static checksum *crc(void)
{
	return getauxval(AT_HWCAP) & CRC32 ? crc32_gzip_refl_crc_ext : crc_in_c;
}
#else
static decoder *decode(void)
{
	return decode_huffman_code_block_stateless_base;
}

static checksum *crc(void)
{
	return crc_in_c;
}
#endif

int decode_huffman_code_block_stateless(struct inflate_state *state, uint8_t *start)
{
	static decoder *chosen;

	if (!chosen)
		chosen = decode();
	return chosen(state, start);
}

uint32_t crc32_gzip_refl(uint32_t seed, const unsigned char *data, uint64_t size)
{
	static checksum *chosen;

	if (!chosen)
		chosen = crc();
	return chosen(seed, data, size);
}

/* Of zlib's format, and of headers, which main.c reads: isal_inflate names them and never gets there. */
uint32_t isal_adler32_bam1(uint32_t seed, const unsigned char *data, uint64_t size)
{
	(void) seed, (void) data, (void) size;
	abort();
}

void isal_gzip_header_init(struct isal_gzip_header *header)
{
	(void) header;
	abort();
}

void isal_zlib_header_init(struct isal_zlib_header *header)
{
	(void) header;
	abort();
}
