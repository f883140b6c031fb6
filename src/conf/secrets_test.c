/*
 * secrets_test.c - zpost-secrets(5): both forms, errors, and whose file is
 * relied on.
 */
#include "conf/secrets.h"

#include "base/keyword.h"
#include "base/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find(const char *text, const char *channel, const char *host,
		struct secrets_entry *ret, struct err *err)
{
	struct secrets s = { .file = "F" };
	int r;

	str_adds(&s.text, text);
	r = secrets_find(&s, slice_of(channel), slice_of(host), ret, err);
	secrets_done(&s);
	return r;
}

static struct secrets_entry found(const char *text)
{
	struct secrets_entry e = { 0 };
	struct err err;

	if (find(text, "smtp", "mx.example.org", &e, &err) != 1)
		fail_msg("'%s' was not found", text);
	return e;
}

/* As the original has it, with its example and what it ignores. */
static void test_original_form(void **state)
{
	static const struct {
		const char *channel, *host, *user, *secret;
		unsigned line;
	} rows[] = {
		{ "smtp-lmtp", "imap.example.org", "myname", "secret", 4 },
		{ "smtp", "IMAP.Example.ORG", "me", "first", 5 },
		{ "smtp", "imap.example.org.", "me", "first", 5 },
		{ "SMTP", "imap.example.org", NULL, NULL, 0 },
		{ "any", "every.example.org", "a", "b", 7 },
		{ "smtp", "[192.0.2.1]", "me", "last", 8 },
		{ "smtp", "example.org", NULL, NULL, 0 },
	};
	static const char text[] =
	    "# channel host user secret\n"
	    "\n"
	    "  \t# smtp imap.example.org bm8= bm8=\n"
	    "smtp-lmtp   imap.example.org   bXluYW1l   c2VjcmV0\r\n"
	    "\tsmtp\timap.example.org\tbWU=\tZmlyc3Q= ignored words\n"
	    "smtp imap.example.org bWU= c2Vjb25k\n"
	    "* every.example.org YQ== Yg==\n"
	    "smtp [192.0.2.1] bWU= bGFzdA==";

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct secrets_entry e = { 0 };
		struct err err;
		int r = find(text, rows[i].channel, rows[i].host, &e, &err);

		assert_int_equal(r, rows[i].user != NULL);
		if (r == 0)
			continue;
		assert_slice_is(str_slice(&e.user), rows[i].user);
		assert_slice_is(str_slice(&e.secret), rows[i].secret);
		assert_int_equal(e.line, rows[i].line);
		assert_int_equal(e.over, SECRETS_OVER_VERIFIED);
		assert_int_equal(e.command.len + e.mechanisms.len, 0);
		secrets_entry_done(&e);
	}
}

static void test_settings(void **state)
{
	struct secrets_entry e = found(
	    "smtp mx.example.org user=me secret=\"two words, a \\\" and a "
	    "\\\\\"  mechanism=PLAIN,login over=encrypted\n");

	(void)state;
	assert_slice_is(str_slice(&e.user), "me");
	assert_slice_is(str_slice(&e.secret), "two words, a \" and a \\");
	assert_slice_is(str_slice(&e.mechanisms), "PLAIN login");
	assert_int_equal(e.over, SECRETS_OVER_ENCRYPTED);
	secrets_entry_done(&e);
	e = found("* mx.example.org USER=me@example.org "
		  "command=\"/usr/bin/token --of me\" over=clear "
		  "mechanism=\"XOAUTH2 OAUTHBEARER\"");
	assert_slice_is(str_slice(&e.user), "me@example.org");
	assert_slice_is(str_slice(&e.command), "/usr/bin/token --of me");
	assert_slice_is(str_slice(&e.mechanisms), "XOAUTH2 OAUTHBEARER");
	assert_int_equal(e.over, SECRETS_OVER_CLEAR);
	assert_int_equal(e.secret.len, 0);
	secrets_entry_done(&e);
	e = found("smtp mx.example.org\tmechanism=EXTERNAL");
	assert_slice_is(str_slice(&e.mechanisms), "EXTERNAL");
	assert_int_equal(e.user.len + e.secret.len, 0);
	secrets_entry_done(&e);
}

/* '=', '#' and a backslash are nothing special without quotes. */
static void test_value_may_hold_signs(void **state)
{
	struct secrets_entry e =
	    found("smtp mx.example.org secret==#x= user=u\\v");

	(void)state;
	assert_slice_is(str_slice(&e.secret), "=#x=");
	assert_slice_is(str_slice(&e.user), "u\\v");
	secrets_entry_done(&e);
}

static void test_errors_say_where_and_nothing_secret(void **state)
{
	static const struct {
		const char *line, *why;
	} rows[] = {
		{ "", "no user" },
		{ " bWU=", "no secret" },
		{ " h HUSH", "not base64" },
		{ " me HUSH=", "not base64, and no setting" },
		{ " bWU= HUSH!", "the secret is not base64" },
		{ " usr=HUSH secret=HUSH", "not base64, and no setting" },
		{ " user=HUSH sekret=HUSH", "unknown setting" },
		{ " user=HUSH HUSH", "unknown setting" },
		{ " user=HUSH", "neither secret= nor command=" },
		{ " secret=HUSH", "no user=" },
		{ " command=/HUSH", "no user=" },
		{ " user=HUSH command=HUSH", "path from /" },
		{ " user=HUSH secret=HUSH command=/HUSH", "both" },
		{ " user=HUSH user=HUSH", "twice" },
		{ " user=HUSH secret=", "without a value" },
		{ " user=HUSH secret=\"\"", "without a value" },
		{ " user=HUSH secret=\"HUSH", "quote" },
		{ " user=HUSH secret=\"HUSH\\", "quote" },
		{ " user=HUSH secret=\"HUSH\"HUSH", "quote" },
		{ " user=HUSH secret=HU\"SH", "quote" },
		{ " user=HUSH secret=HUSH over=HUSH", "over= is verified" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct secrets_entry e = { 0 };
		struct str text = STR_INIT;
		struct err err = { 0 };

		str_addf(&text, "# 1\n\nsmtp mx.example.org%s\n", rows[i].line);
		if (find(str_cstr(&text), "smtp", "mx.example.org", &e, &err) !=
		    -1)
			fail_msg("'%s' was taken", rows[i].line);
		assert_int_equal(strncmp(err.text, "F:3: ", 5), 0);
		if (strstr(err.text, rows[i].why) == NULL)
			fail_msg("'%s': %s", rows[i].line, err.text);
		assert_null(strstr(err.text, "HUSH"));
		assert_null(e.user.p);
		/* Whom it does not concern it does not trouble. */
		assert_int_equal(
		    find(str_cstr(&text), "smtp", "other", &e, &err), 0);
		str_done(&text);
	}
}

static void test_nul_in_a_line(void **state)
{
	struct secrets s = { .file = "F" };
	struct secrets_entry e = { 0 };
	struct err err;

	(void)state;
	str_add(&s.text, SLICE("smtp mx user=a\0b secret=c"));
	assert_int_equal(secrets_find(&s, SLICE("smtp"), SLICE("mx"), &e, &err),
			 -1);
	assert_non_null(strstr(err.text, "NUL"));
	secrets_done(&s);
}

/* ---- the file ----------------------------------------------------------- */

static char folder[] = "/tmp/secrets-test-XXXXXX";
static char path[200], other[200];

static void write_file(const char *text, mode_t mode)
{
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/secrets", folder);
	(void)snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(other);
	return rmdir(folder);
}

static void refuse(const char *file, const char *why)
{
	struct secrets s = { 0 };
	struct err err = { 0 };

	assert_int_equal(secrets_read(file, &s, &err), -1);
	if (strstr(err.text, why) == NULL || strstr(err.text, file) == NULL)
		fail_msg("%s", err.text);
	assert_null(s.text.p);
}

static void test_file_that_others_can_open_is_refused(void **state)
{
	static const mode_t modes[] = { 0604, 0640, 0602, 0620,
					0601, 0610, 0444, 0666 };
	struct secrets s = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(modes); i++) {
		write_file("x", modes[i]);
		refuse(path, "open to others");
	}
	write_file("smtp mx bWU= c2VjcmV0\n", 0600);
	assert_int_equal(secrets_read(path, &s, &err), 0);
	assert_slice_is(str_slice(&s.text), "smtp mx bWU= c2VjcmV0\n");
	secrets_done(&s);
	assert_null(s.text.p);
}

static void test_file_that_is_none_is_refused(void **state)
{
	(void)state;
	write_file("x", 0600);
	(void)unlink(other);
	refuse(other, "No such file");
	assert_int_equal(symlink(path, other), 0);
	refuse(other, "symbolic link");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(mkfifo(other, 0600), 0);
	refuse(other, "not a regular file");
	assert_int_equal(unlink(other), 0);
	refuse(folder, "not a regular file");
	refuse("/dev/null", "not a regular file");
}

/* Only root can give a file away. */
static void test_file_of_another_user_is_refused(void **state)
{
	(void)state;
	write_file("x", 0600);
	if (chown(path, 12345, (gid_t)-1) < 0)
		skip();
	refuse(path, "belongs neither");
}

static void test_file_too_large_is_refused(void **state)
{
	(void)state;
	write_file("x", 0600);
	assert_int_equal(truncate(path, 1024 * 1024 + 1), 0);
	refuse(path, "larger than");
}

static void test_change_of_the_file_is_seen(void **state)
{
	struct secrets s = { 0 };
	struct err err;

	(void)state;
	assert_false(secrets_is_current(&s));
	write_file("one", 0600);
	assert_int_equal(secrets_read(path, &s, &err), 0);
	assert_true(secrets_is_current(&s));
	assert_int_equal(chmod(path, 0400), 0);
	assert_false(secrets_is_current(&s));
	secrets_done(&s);
	assert_int_equal(secrets_read(path, &s, &err), 0);
	assert_int_equal(rename(path, other), 0);
	assert_false(secrets_is_current(&s));
	write_file("two", 0400);
	assert_false(secrets_is_current(&s));
	secrets_done(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_original_form),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_value_may_hold_signs),
		cmocka_unit_test(test_errors_say_where_and_nothing_secret),
		cmocka_unit_test(test_nul_in_a_line),
		cmocka_unit_test(test_file_that_others_can_open_is_refused),
		cmocka_unit_test(test_file_that_is_none_is_refused),
		cmocka_unit_test(test_file_of_another_user_is_refused),
		cmocka_unit_test(test_file_too_large_is_refused),
		cmocka_unit_test(test_change_of_the_file_is_seen),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
