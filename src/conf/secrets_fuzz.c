/*
 * secrets_fuzz.c - any bytes as a file of secrets.
 *
 * The first two lines are channel and host. What is found can be used as it
 * is, and errors name file and line and show nothing of it.
 */
#include "base/fuzz.h"
#include "conf/secrets.h"

#include <string.h>

static void check_entry(const struct secrets_entry *e)
{
	FUZZ_CHECK(e->line > 0 && e->over <= SECRETS_OVER_CLEAR);
	FUZZ_CHECK(e->secret.len == 0 || e->command.len == 0);
	FUZZ_CHECK(e->command.len == 0 || e->command.p[0] == '/');
	FUZZ_CHECK(!slice_has(str_slice(&e->command), '\0'));
	FUZZ_CHECK(!slice_has(str_slice(&e->mechanisms), ','));
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct slice channel = { 0 }, host = { 0 };
	struct secrets s = { .file = "F" };
	struct secrets_entry e = { 0 };
	struct err err = { 0 };
	int found;

	(void)slice_cut(&in, '\n', &channel);
	(void)slice_cut(&in, '\n', &host);
	str_add(&s.text, in);
	found = secrets_find(&s, channel, host, &e, &err);
	if (found > 0)
		check_entry(&e);
	else
		FUZZ_CHECK(e.line == 0);
	if (found < 0)
		FUZZ_CHECK(strncmp(err.text, "F:", 2) == 0 &&
			   strlen(err.text) < 100);
	secrets_entry_done(&e);
	secrets_done(&s);
	return 0;
}
