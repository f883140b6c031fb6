/*
 * options_test.c - command lines, as programs that send mail write them.
 */
#include "subm/options.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>
#include <sysexits.h>

enum { WORDS_MAX = 20 };

/* Splits a line at blanks and reads it; "''" is an empty word. */
static int read_line(const char *line, struct arena *a,
		     struct subm_options *ret, struct err *err)
{
	char *argv[WORDS_MAX + 1];
	struct slice rest = slice_of(line), word;
	int n = 0;

	while (n < WORDS_MAX && slice_word(&rest, &word)) {
		if (slice_eq(word, SLICE("''")))
			word = SLICE("");
		argv[n] = arena_alloc(a, word.len + 1);
		memcpy(argv[n++], word.p, word.len);
	}
	argv[n] = NULL;
	return subm_options_read(n, argv, a, ret, err);
}

static void describe(const struct subm_options *o, struct str *to)
{
	const struct subm_request *r = &o->request;

	str_addf(to, "%d%s%s%s", (int)o->mode, o->is_quiet ? "q" : "",
		 o->ends_at_dot ? "." : "", r->reads_rcpts ? "t" : "");
	if (r->has_sender)
		str_addf(to, " f=%.*s", SLICE_ARG(r->sender));
	if (r->full_name.len > 0)
		str_addf(to, " F=%.*s", SLICE_ARG(r->full_name));
	if (r->channel.p != NULL)
		str_addf(to, " c=%.*s", SLICE_ARG(r->channel));
	if (r->has_host)
		str_addf(to, " h=%.*s", SLICE_ARG(r->host));
	if (r->has_notify)
		str_addf(to, " N=%u", r->notify);
	if (r->ret != CTL_RET_NONE)
		str_addf(to, " R=%d", (int)r->ret);
	if (r->envid.len > 0)
		str_addf(to, " V=%.*s", SLICE_ARG(r->envid));
	if (r->by.is_set)
		str_addf(to, " by=%u%d%d", (unsigned)r->by.seconds,
			 r->by.do_return, r->by.do_trace);
	if (r->body != SUBM_BODY_UNKNOWN)
		str_addf(to, " B=%d", (int)r->body);
	str_addf(to, "%s%s", r->requires_tls ? " tls" : "",
		 r->is_raw ? " raw" : "");
	for (size_t i = 0; i < r->n_rcpts; i++)
		str_addf(to, " [%.*s]", SLICE_ARG(r->rcpts[i]));
}

static void test_lines_are_understood(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "submit bob@x", "0 [bob@x]" },
		{ "submit -f a -c c -h h -- -b", "0 f=a c=c h=h [-b]" },
		{ "submit -fa -f '' bob", "0 f= [bob]" },
		{ "submit -ti", "0t" },
		{ "submit -it -oi -oem bob", "0t [bob]" },
		{ "submit -N success,DELAY -R hdrs -V x -B 8BITMIME bob",
		  "0 N=5 R=2 V=x B=2 [bob]" },
		{ "submit -N never -Rfull -B7bit -Oby=60;RT -O requiretls"
		  " -O raw bob",
		  "0 N=8 R=1 by=6011 B=1 tls raw [bob]" },
		{ "submit -O by=60 bob", "0 by=6000 [bob]" },
		{ "submit -bS", "1" },
		{ "submit -bm bob eve", "0 [bob] [eve]" },
		{ "submit --serve", "4" },
		{ "submit -q", "3" },
		{ "submit -q30m", "3" },
		{ "submit -bp", "2" },
		{ "/usr/sbin/sendmail -i -f a@b bob", "0q f=a@b [bob]" },
		{ "/usr/sbin/sendmail bob", "0q. [bob]" },
		{ "sendmail -FCronDaemon -i -B8BITMIME -oem root",
		  "0q F=CronDaemon B=2 [root]" },
		{ "sendmail -oi -t -v -h 3 -Am -d0.1 -ODeliveryMode=b -n",
		  "0qt" },
		{ "sendmail -bi", "3q." },
		{ "newaliases", "3q." },
		{ "mailq", "2q." },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_options o;
		struct str got = STR_INIT;
		struct err err = { 0 };

		assert_int_equal(read_line(cases[i].line, a, &o, &err), EX_OK);
		describe(&o, &got);
		assert_slice_is(str_slice(&got), cases[i].want);
		str_done(&got);
	}
	arena_free(a);
}

static void test_what_is_not_understood_is_named(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *says;
	} cases[] = {
		{ "submit", EX_USAGE, "usage: submit " },
		{ "submit -f", EX_USAGE, "usage: submit " },
		{ "submit -x bob", EX_USAGE, "usage: submit " },
		{ "submit -v bob", EX_USAGE, "usage: submit " },
		{ "submit -tx bob", EX_USAGE, "usage: submit " },
		{ "submit bob -f", EX_USAGE, "'-f' stands behind a recipient" },
		{ "submit -N now bob", EX_USAGE, "-N now: never, or a list" },
		{ "submit -N never,delay bob", EX_USAGE, "-N never,delay: " },
		{ "submit -R x bob", EX_USAGE, "-R x: full or hdrs" },
		{ "submit -B x bob", EX_USAGE, "-B x: 7bit or 8bitmime" },
		{ "submit -O x bob", EX_USAGE, "-O x: by=" },
		{ "submit -O by bob", EX_USAGE, "-O by: by=SECONDS" },
		{ "submit -O raw=1 bob", EX_USAGE, "-O raw=1: " },
		{ "submit -O by=0;R bob", EX_USAGE, "-O by=0;R: " },
		{ "submit -O by=1234567890;R bob", EX_USAGE, "-O by=123" },
		{ "submit -O by=1;X bob", EX_USAGE, "-O by=1;X: " },
		{ "submit -O by=1;RX bob", EX_USAGE, "-O by=1;RX: " },
		{ "submit -bs", EX_UNAVAILABLE, "-bs is not supported: SMTP" },
		{ "sendmail -bs", EX_UNAVAILABLE, "-bs is not supported: " },
		{ "sendmail -bd", EX_UNAVAILABLE, "-bd is not supported: " },
		{ "sendmail -b", EX_USAGE, "usage: submit " },
		{ "sendmail --serve", EX_USAGE, "usage: submit " },
		{ "sendmail", EX_USAGE, "usage: submit " },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subm_options o;
		struct err err = { 0 };

		assert_int_equal(read_line(cases[i].line, a, &o, &err),
				 cases[i].code);
		if (strstr(err.text, cases[i].says) != err.text)
			fail_msg("%s: '%s'", cases[i].line, err.text);
	}
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_understood),
		cmocka_unit_test(test_what_is_not_understood_is_named),
	};

	return TEST_RUN(tests);
}
