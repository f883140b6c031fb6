/*
 * path_fuzz.c - what passes path.h cannot end or extend a command.
 *
 * Whatever of sender, recipient, ENVID, ORCPT and EHLO name the input may be
 * by path.h is given to an engine, whose lines must then be well-formed.
 */
#include "base/fuzz.h"
#include "smtp/engine.h"
#include "smtp/path.h"
#include "smtp/test_wire.h"

static bool may_be_path(struct slice s, bool *ret_utf8)
{
	enum path_verdict verdict = path_check(s);

	*ret_utf8 = verdict == PATH_NEEDS_SMTPUTF8;
	return verdict == PATH_OK || *ret_utf8;
}

/* All commands that are due are well-formed; returns how many they are. */
static size_t take_output(struct smtp_engine *e)
{
	struct slice out = smtp_output(e), line;
	size_t n = 0;

	while (out.len > 0) {
		size_t at = slice_find_text(out, SLICE("\r\n"));

		FUZZ_CHECK(at < out.len);
		line = slice_head(out, at);
		FUZZ_CHECK(wire_is_command(line));
		out = slice_from(out, at + 2);
		n++;
	}
	smtp_sent(e, smtp_output(e).len);
	return n;
}

static void say_all(struct slice s)
{
	struct arena *a = arena_new();
	struct smtp_rcpt rcpt = { .path = SLICE("r@y.example") };
	struct smtp_transaction t = { .arena = a,
				      .rcpts = &rcpt,
				      .n_rcpts = 1 };
	struct smtp_config config = { .helo_name = SLICE("me") };
	struct smtp_engine *e;

	if (may_be_path(s, &t.needs_smtputf8))
		t.sender = rcpt.path = s;
	if (envid_valid(s))
		t.envid = s;
	if (orcpt_valid(s))
		rcpt.orcpt = s;
	if (s.len > 0 && helo_name_valid(s))
		config.helo_name = s;
	e = smtp_new(&config);
	smtp_input(e, SLICE("220 hello\r\n"));
	FUZZ_CHECK(take_output(e) == 1);
	smtp_input(e, SLICE("250-hello\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n"
			    "250 DSN\r\n"));
	smtp_add(e, &t);
	FUZZ_CHECK(take_output(e) == 3);
	smtp_free(e);
	arena_free(a);
}

/* Behind the local part there is nothing, or one domain. */
static bool has_one_domain(struct slice s)
{
	struct slice rest = slice_from(s, path_local_length(s));

	if (rest.len == 0)
		return true;
	return rest.len > 1 && rest.p[0] == '@' &&
	       !slice_has(slice_from(rest, 1), '@') && !slice_has(rest, '"') &&
	       rest.p[rest.len - 1] != '.';
}

/* Commas, colons, comments and '@' only in quotes, a route or a literal. */
static bool is_plain_local(struct slice s)
{
	struct slice local = slice_head(s, path_local_length(s));

	if (s.p[0] == '"' || s.p[0] == '@')
		return true;
	for (size_t i = 0; i < local.len; i++)
		if (slice_has(SLICE("@,;:()[]<>\"\\ "), local.p[i]))
			return false;
	return true;
}

FUZZ(data, size)
{
	struct slice s = slice_make((const char *)data, size);
	bool is_utf8;

	if (path_check(s) == PATH_OK) {
		FUZZ_CHECK(s.len > 0 && s.len <= PATH_MAX_BYTES);
		FUZZ_CHECK(!slice_has_control(s) && !slice_has_8bit(s));
	}
	if (may_be_path(s, &is_utf8)) {
		FUZZ_CHECK(wire_path_length(s) == s.len);
		FUZZ_CHECK(has_one_domain(s) && is_plain_local(s));
	}
	if (envid_valid(s))
		FUZZ_CHECK(s.len <= 100);
	if (orcpt_valid(s))
		FUZZ_CHECK(s.len <= 500);
	if (helo_name_valid(s))
		FUZZ_CHECK(!slice_has(s, ' ') && !slice_has_control(s));
	say_all(s);
	return 0;
}
