/*
 * md5_test.c - the vectors of RFC 1321 A.5 and RFC 2202 2.
 */
#include "smtp/md5.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

static void check(const unsigned char got[MD5_SIZE], const char *want)
{
	struct str hex = STR_INIT;

	for (size_t i = 0; i < MD5_SIZE; i++)
		str_addf(&hex, "%02x", got[i]);
	assert_slice_is(str_slice(&hex), want);
	str_done(&hex);
}

static struct str repeat(char c, size_t n)
{
	struct str s = STR_INIT;

	while (n-- > 0)
		str_addc(&s, c);
	return s;
}

static void test_md5_of_rfc_1321(void **state)
{
	static const char *const rows[][2] = {
		{ "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ "a", "0cc175b9c0f1b6a831c399e269772661" },
		{ "abc", "900150983cd24fb0d6963f7d28e17f72" },
		{ "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
		{ "abcdefghijklmnopqrstuvwxyz",
		  "c3fcd3d76192e4007dfb496cca67e13b" },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		  "0123456789",
		  "d174ab98d277d9f5a5611c2c9f419d9f" },
		{ "1234567890123456789012345678901234567890123456789012345678"
		  "9012345678901234567890",
		  "57edf4a22be3c955ac49da2e2107b67a" },
	};
	unsigned char got[MD5_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		md5_digest(slice_of(rows[i][0]), got);
		check(got, rows[i][1]);
	}
}

/* Lengths about the end of a block, as other programs know them. */
static void test_md5_at_the_edge_of_a_block(void **state)
{
	static const struct {
		size_t n;
		const char *want;
	} rows[] = {
		{ 55, "ef1772b6dff9a122358552954ad0df65" },
		{ 56, "3b0c8ac703f828b04c6c197006d17218" },
		{ 63, "b06521f39153d618550606be297466d5" },
		{ 64, "014842d480b571495a4a0363793f7367" },
		{ 65, "c743a45e0d2e6a95cb859adae0248435" },
	};
	unsigned char got[MD5_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str text = repeat('a', rows[i].n);

		md5_digest(str_slice(&text), got);
		check(got, rows[i].want);
		str_done(&text);
	}
}

static void test_hmac_of_rfc_2202(void **state)
{
	unsigned char got[MD5_SIZE];
	struct str key = repeat('\x0b', 16), text = STR_INIT;

	(void)state;
	md5_hmac(str_slice(&key), SLICE("Hi There"), got);
	check(got, "9294727a3638bb1c13f48ef8158bfc9d");
	str_done(&key);
	md5_hmac(SLICE("Jefe"), SLICE("what do ya want for nothing?"), got);
	check(got, "750c783e6ab0b503eaa86e310a5db738");
	key = repeat('\xaa', 16);
	text = repeat('\xdd', 50);
	md5_hmac(str_slice(&key), str_slice(&text), got);
	check(got, "56be34521d144c88dbb8c733f0e8b3f6");
	str_done(&key);
	str_done(&text);
	key = repeat('\xaa', 80);
	md5_hmac(
	    str_slice(&key),
	    SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
	    got);
	check(got, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
	md5_hmac(str_slice(&key),
		 SLICE("Test Using Larger Than Block-Size Key and Larger Than "
		       "One Block-Size Data"),
		 got);
	check(got, "6f630fad67cda0ee1fb1f562db3aa53e");
	str_done(&key);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_md5_of_rfc_1321),
		cmocka_unit_test(test_md5_at_the_edge_of_a_block),
		cmocka_unit_test(test_hmac_of_rfc_2202),
	};

	return TEST_RUN(tests);
}
