/*
 * settings_test.c - what zmailer.conf says to submit.
 */
#include "subm/settings.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_settings_come_from_the_file(void **state)
{
	static const struct {
		const char *text, *postoffice, *trusted;
		unsigned levels;
	} cases[] = {
		{ "", "/var/spool/postoffice", "", 0 },
		{ "POSTOFFICE=/p\nSCHEDULERDIRHASH=2\nTRUSTEDUSER=\"a, b\"\n",
		  "/p", "a, b", 2 },
		{ "SCHEDULERDIRHASH=\n", "/var/spool/postoffice", "", 0 },
		{ "SCHEDULERDIRHASH=1\nTRUSTEDUSER=\n", "/var/spool/postoffice",
		  "", 1 },
		{ "SCHEDULERDIRHASH=0\n", "/var/spool/postoffice", "", 0 },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct zenv *z = zenv_parse(slice_of(cases[i].text), "f", a);
		struct subm_settings s;
		struct err err;

		assert_int_equal(subm_settings_read(z, &s, &err), 0);
		assert_string_equal(s.postoffice, cases[i].postoffice);
		assert_slice_is(s.trusted, cases[i].trusted);
		assert_int_equal(s.hash_levels, cases[i].levels);
	}
	arena_free(a);
}

static void test_limits_are_those_of_ordinary_users_unless_set(void **state)
{
	struct arena *a = arena_new();
	struct zenv *z = zenv_parse(SLICE("MAILSHARE=/s\n"), "f", a);
	struct subm_settings s;
	struct err err;

	(void)state;
	assert_int_equal(subm_settings_read(z, &s, &err), 0);
	assert_int_equal(s.privileged.size + s.privileged.rcpts, 0);
	assert_int_equal(s.ordinary.size, 64 * 1024 * 1024);
	assert_int_equal(s.ordinary.rcpts, 1000);
	assert_int_equal(s.ordinary.connections, 20);
	assert_int_equal(s.ordinary.silence, 300);
	assert_true(s.reserve.bytes == SPOOL_RESERVE_DEFAULT &&
		    s.reserve.inodes == SPOOL_RESERVE_DEFAULT);
	z = zenv_parse(SLICE("SUBMITMAXSIZE=7\nSUBMITMAXRCPTS=8\n"
			     "SUBMITMAXCONN=0\nSUBMITTIMEOUT=1m\n"
			     "SUBMITMINFREE=9\nSUBMITMINFREEINODES=0\n"),
		       "f", a);
	assert_int_equal(subm_settings_read(z, &s, &err), 0);
	assert_int_equal(s.privileged.size, 7);
	assert_int_equal(s.ordinary.size, 7);
	assert_int_equal(s.privileged.rcpts, 8);
	assert_int_equal(s.ordinary.connections, 0);
	assert_int_equal(s.ordinary.silence, 60);
	assert_int_equal(s.reserve.bytes, 9);
	assert_int_equal(s.reserve.inodes, 0);
	arena_free(a);
}

static void test_setting_that_makes_no_sense_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "SCHEDULERDIRHASH=3\n", "SCHEDULERDIRHASH is '3'" },
		{ "SCHEDULERDIRHASH=two\n", "SCHEDULERDIRHASH is 'two'" },
		{ "SCHEDULERDIRHASH=-1\n", "SCHEDULERDIRHASH is '-1'" },
		{ "POSTOFFICE=\n", "POSTOFFICE is ''" },
		{ "POSTOFFICE=spool\n", "POSTOFFICE is 'spool'" },
		{ "SUBMITMAXSIZE=1k\n", "SUBMITMAXSIZE is '1k'" },
		{ "SUBMITMAXRCPTS=-1\n", "SUBMITMAXRCPTS is '-1'" },
		{ "SUBMITMAXCONN=x\n", "SUBMITMAXCONN is 'x'" },
		{ "SUBMITTIMEOUT=1y\n", "SUBMITTIMEOUT is '1y'" },
		{ "SUBMITMINFREE=1G\n", "SUBMITMINFREE is '1G'" },
		{ "SUBMITMINFREEINODES=-\n", "SUBMITMINFREEINODES is '-'" },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct zenv *z = zenv_parse(slice_of(cases[i].text), "f", a);
		struct subm_settings s;
		struct err err;

		assert_int_equal(subm_settings_read(z, &s, &err), -1);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	arena_free(a);
}

/* A world with two users; counts how often it is asked. */
static bool find_uid(void *context, const char *name, uid_t *ret)
{
	int *asked = context;

	++*asked;
	if (strcmp(name, "daemon") == 0)
		*ret = 1;
	else if (strcmp(name, "cron") == 0)
		*ret = 102;
	else
		return false;
	return true;
}

static void test_root_and_named_users_are_trusted(void **state)
{
	const struct {
		struct slice trusted;
		uid_t uid;
		bool want;
	} cases[] = {
		{ SLICE(""), 0, true },
		{ SLICE(""), 1, false },
		{ SLICE("cron"), 0, true },
		{ SLICE("cron"), 102, true },
		{ SLICE("cron"), 1, false },
		{ SLICE("daemon,cron"), 102, true },
		{ SLICE("daemon cron"), 102, true },
		{ SLICE(" , daemon ,\tcron, "), 102, true },
		{ SLICE("daemoncron"), 102, false },
		{ SLICE("nobody-there"), 102, false },
		{ SLICE("102"), 102, true },
		{ SLICE("103,1020,10"), 102, false },
		{ SLICE("4294967398"), 102, false }, /* 2^32 + 102 */
		{ SLICE("4294967295"), (uid_t)-1, false },
		{ SLICE("cron\0x"), 102, false },
	};
	int asked = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(subm_is_trusted(cases[i].trusted, cases[i].uid,
						 find_uid, &asked),
				 cases[i].want);
	assert_true(asked > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings_come_from_the_file),
		cmocka_unit_test(
		    test_limits_are_those_of_ordinary_users_unless_set),
		cmocka_unit_test(test_setting_that_makes_no_sense_is_named),
		cmocka_unit_test(test_root_and_named_users_are_trusted),
	};

	return TEST_RUN(tests);
}
