/*
 * md5.c - MD5 and HMAC-MD5.
 *
 * Four rounds of sixteen steps over each block of 64 bytes, numbers with the
 * lowest byte first. The sines of the steps are written out, as RFC 1321 3.4
 * defines them: the whole part of 2^32 times |sin(i + 1)|.
 */
#include "smtp/md5.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_AT = 56 };

struct md5 {
	uint32_t state[4];
	unsigned char block[BLOCK];
	size_t n_block; /* bytes in it */
	uint64_t n_bytes;
};

static const uint32_t md5_sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a,
	0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be,
	0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
	0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
	0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
	0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391
};

/* By round and step of four. */
static const unsigned char md5_turns[4][4] = { { 7, 12, 17, 22 },
					       { 5, 9, 14, 20 },
					       { 4, 11, 16, 23 },
					       { 6, 10, 15, 21 } };

static uint32_t turn_left(uint32_t n, unsigned by)
{
	return n << by | n >> (32 - by);
}

/* What a round makes of three words, and which word of the block it takes. */
static uint32_t mix(unsigned i, const uint32_t s[4], unsigned *ret_word)
{
	uint32_t b = s[1], c = s[2], d = s[3];

	switch (i / 16) {
	case 0:
		*ret_word = i;
		return (b & c) | (~b & d);
	case 1:
		*ret_word = (5 * i + 1) % 16;
		return (d & b) | (~d & c);
	case 2:
		*ret_word = (3 * i + 5) % 16;
		return b ^ c ^ d;
	default:
		*ret_word = 7 * i % 16;
		return c ^ (b | ~d);
	}
}

static void take_block(struct md5 *m)
{
	uint32_t words[16], s[4];

	for (size_t i = 0; i < 16; i++)
		words[i] = (uint32_t)m->block[4 * i] |
			   (uint32_t)m->block[4 * i + 1] << 8 |
			   (uint32_t)m->block[4 * i + 2] << 16 |
			   (uint32_t)m->block[4 * i + 3] << 24;
	memcpy(s, m->state, sizeof(s));
	for (unsigned i = 0; i < 64; i++) {
		unsigned word;
		uint32_t sum = mix(i, s, &word);

		sum += s[0] + md5_sines[i] + words[word];
		s[0] = s[3];
		s[3] = s[2];
		s[2] = s[1];
		s[1] += turn_left(sum, md5_turns[i / 16][i % 4]);
	}
	for (size_t i = 0; i < 4; i++)
		m->state[i] += s[i];
	explicit_bzero(words, sizeof(words));
	m->n_block = 0;
}

static void begin(struct md5 *m)
{
	*m = (struct md5){ .state = { 0x67452301, 0xefcdab89, 0x98badcfe,
				      0x10325476 } };
}

static void push_byte(struct md5 *m, unsigned char byte)
{
	m->block[m->n_block++] = byte;
	if (m->n_block == BLOCK)
		take_block(m);
}

static void push(struct md5 *m, struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		push_byte(m, (unsigned char)text.p[i]);
	m->n_bytes += text.len;
}

static void end(struct md5 *m, unsigned char ret[MD5_SIZE])
{
	uint64_t n_bits = m->n_bytes * 8;

	push_byte(m, 0x80);
	while (m->n_block != LENGTH_AT)
		push_byte(m, 0);
	for (unsigned i = 0; i < 8; i++)
		push_byte(m, (unsigned char)(n_bits >> 8 * i & 0xff));
	for (unsigned i = 0; i < MD5_SIZE; i++)
		ret[i] = (unsigned char)(m->state[i / 4] >> 8 * (i % 4) & 0xff);
	explicit_bzero(m, sizeof(*m));
}

void md5_digest(struct slice text, unsigned char ret[MD5_SIZE])
{
	struct md5 m;

	begin(&m);
	push(&m, text);
	end(&m, ret);
}

/* Begins a digest with the key, each byte of its block changed by pad. */
static void begin_keyed(struct md5 *m, const unsigned char key[BLOCK],
			unsigned char pad)
{
	begin(m);
	for (size_t i = 0; i < BLOCK; i++)
		push_byte(m, key[i] ^ pad);
	m->n_bytes = BLOCK;
}

void md5_hmac(struct slice key, struct slice text, unsigned char ret[MD5_SIZE])
{
	unsigned char block[BLOCK] = { 0 };
	struct md5 m;

	if (key.len > BLOCK)
		md5_digest(key, block);
	else if (key.len > 0)
		memcpy(block, key.p, key.len);
	begin_keyed(&m, block, 0x36);
	push(&m, text);
	end(&m, ret);
	begin_keyed(&m, block, 0x5c);
	push(&m, slice_make((const char *)ret, MD5_SIZE));
	end(&m, ret);
	explicit_bzero(block, sizeof(block));
}
