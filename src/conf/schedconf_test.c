/*
 * schedconf_test.c - scheduler.conf(5): grammar, inheritance, every keyword,
 * and errors that say where.
 */
#include "conf/schedconf.h"

#include "base/keyword.h"
#include "base/str.h"
#include "base/test.h"

#include <stdlib.h>
#include <string.h>

static struct arena *arena;
static struct err err;

static int start(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct zenv *zenv(void)
{
	return zenv_parse(SLICE("LOGDIR=/var/log/x\nMAILSHARE=/etc/x\n"), "Z",
			  arena);
}

static int parse(const char *text, struct schedconf *ret)
{
	return schedconf_parse((struct textfile){ slice_of(text), "F" }, zenv(),
			       arena, ret, &err);
}

static struct schedconf must_parse(const char *text)
{
	struct schedconf conf;

	if (parse(text, &conf) < 0)
		fail_msg("%s", err.text);
	return conf;
}

/* The first clause of a text. */
static struct schedconf_clause clause_of(const char *text)
{
	struct schedconf conf = must_parse(text);

	assert_true(conf.n_clauses > 0);
	return conf.clauses[0];
}

static void test_sample_of_the_manual_is_read(void **state)
{
	static const char text[] =
	    "PARAMglobal-report-interval = 15m\n\n"
	    "*/*\tinterval=1m idlemax=4m expiry=5d expiry2=2d\n"
	    "\tretries=\"1 1 2 3 5 8 13 21 34\"\n"
	    "\tmaxchannel=0 maxring=20 maxta=0 overfeed=150\n"
	    "\tuser=root group=daemon\n\n"
	    "smtp/*\n\tmaxchannel=199 maxring=50\n"
	    "\tcommand=\"smtp -s -l ${LOGDIR}/smtp\"\n"
	    "uucp/*\tmaxchannel=5\n\tcommand=\"sm -8c $channel uucp\"\n";
	struct schedconf conf = must_parse(text);
	const struct schedconf_clause *smtp = &conf.clauses[0];

	(void)state;
	assert_int_equal(conf.n_clauses, 2);
	assert_int_equal(conf.report_interval, 900);
	assert_int_equal(conf.max_agents, SCHEDCONF_UNLIMITED);
	assert_slice_is(smtp->channel, "smtp");
	assert_int_equal(smtp->line, 8);
	assert_int_equal(smtp->queue.interval, 60);
	assert_int_equal(smtp->queue.idlemax, 240);
	assert_int_equal(smtp->queue.expiry, 5 * 86400);
	assert_int_equal(smtp->queue.expiry2, 2 * 86400);
	assert_int_equal(smtp->queue.n_retries, 9);
	assert_int_equal(smtp->queue.retries[8], 34);
	assert_int_equal(smtp->queue.maxchannel, 199);
	assert_int_equal(smtp->queue.maxring, 50);
	assert_int_equal(smtp->queue.overfeed, 150);
	assert_slice_is(smtp->user, "root");
	assert_slice_is(smtp->group, "daemon");
	assert_int_equal(conf.clauses[1].queue.maxchannel, 5);
	assert_int_equal(conf.clauses[1].queue.maxring, 20);
}

static void test_what_is_nowhere_said(void **state)
{
	struct schedconf_clause c = clause_of("a command=x\n");

	(void)state;
	assert_int_equal(c.queue.interval, 3600);
	assert_int_equal(c.queue.idlemax, 3 * 3600);
	assert_int_equal(c.queue.expiry, 0);
	assert_int_equal(c.queue.expiry2, 86400);
	assert_int_equal(c.queue.n_retries, 0);
	assert_int_equal(c.queue.maxthr, 1);
	assert_int_equal(c.queue.overfeed, 0);
	assert_int_equal(c.queue.skew, 5);
	assert_int_equal(c.queue.maxchannel, SCHEDCONF_UNLIMITED);
	assert_int_equal(c.queue.rate.jobs, 0);
	assert_int_equal(c.user.len, 0);
	assert_false(c.has_nice);
	assert_slice_is(c.host, "*");
}

static void test_values_in_every_spelling(void **state)
{
	struct schedconf_clause c = clause_of(
	    "a/b AGEORDER Rate=100/m channelrate = 20/10s siterate=\"5/1h\" "
	    "maxthr=0 maxring=-1 nice=-5 priority = 3 queueonly bychannel "
	    "wakeuprestartonly skew=0 reporttimes=\"4h 1d\" # maxta=1\n");

	(void)state;
	assert_true(c.queue.is_age_order);
	assert_true(c.queue.is_queue_only);
	assert_int_equal(c.queue.rate.jobs, 100);
	assert_int_equal(c.queue.rate.seconds, 60);
	assert_int_equal(c.queue.channel_rate.seconds, 10);
	assert_int_equal(c.queue.site_rate.seconds, 3600);
	assert_int_equal(c.queue.maxthr, 1);
	assert_int_equal(c.queue.maxring, SCHEDCONF_UNLIMITED);
	assert_int_equal(c.queue.skew, 1);
	assert_int_equal(c.nice, -5);
	assert_int_equal(c.priority, 3);
	assert_int_equal(c.queue.n_report_times, 2);
	assert_int_equal(c.queue.report_times[1], 86400);
}

static void test_defaults_hold_behind_them_only(void **state)
{
	struct schedconf conf = must_parse("a command=x\n"
					   "*/* interval=5m\nb command=y\n"
					   "* interval=7m\nc command=z\n");

	(void)state;
	assert_int_equal(conf.n_clauses, 3);
	assert_int_equal(conf.clauses[0].queue.interval, 3600);
	assert_int_equal(conf.clauses[1].queue.interval, 300);
	assert_int_equal(conf.clauses[2].queue.interval, 420);
	assert_int_equal(
	    schedconf_find(&conf, SLICE("other"), SLICE("example.com")), -1);
}

static void test_clauses_above_one_text_share_it(void **state)
{
	struct schedconf conf = must_parse(
	    "a/*.example\n"
	    "b\n  # nothing here\n"
	    "c/{x,y}\n\tmaxthr=4 command=\"x $host\"\nd command=y\n");

	(void)state;
	assert_int_equal(conf.n_clauses, 4);
	for (size_t i = 0; i < 3; i++) {
		assert_slice_is(conf.clauses[i].command, "x $host");
		assert_int_equal(conf.clauses[i].queue.maxthr, 4);
		assert_true(conf.clauses[i].queue.is_host_bound);
	}
	assert_slice_is(conf.clauses[1].channel, "b");
	assert_false(conf.clauses[3].queue.is_host_bound);
	assert_int_equal(schedconf_find(&conf, SLICE("c"), SLICE("y")), 2);
	assert_int_equal(schedconf_find(&conf, SLICE("c"), SLICE("z")), -1);
}

static void test_quoted_value_goes_on_behind_a_backslash(void **state)
{
	struct schedconf_clause c = clause_of(
	    "a command=\"x \\\n\t-y #z\"\n\tretries=\"1 \\\n2\" nice=4");

	(void)state;
	assert_slice_is(c.command, "x \t-y #z");
	assert_int_equal(c.queue.n_retries, 2);
	assert_int_equal(c.nice, 4);
}

static void test_params_are_expanded(void **state)
{
	struct schedconf conf = must_parse(
	    "PARAMmailqsock = \"UNIX:${LOGDIR}/q\"\nparamauthfile=/a\n"
	    "PARAMstore-error-on-error\nPARAMmsgwriteasync=1\na command=x\n");

	(void)state;
	assert_slice_is(conf.mailq_socket, "UNIX:/var/log/x/q");
	assert_slice_is(conf.auth_file, "/a");
	assert_true(conf.store_error_on_error);
	assert_int_equal(conf.report_interval, 300);
}

static void test_errors_name_file_and_line(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\na byhost\n", "F:2: unknown keyword 'byhost'" },
		{ "a retries=\"1 0\"\n", "F:1: retries: '0': expected" },
		{ "a interval=0\n", "F:1: interval: '0': expected" },
		{ "a interval=\n", "F:1: interval: '': expected" },
		{ "a interval\n", "F:1: interval: expected a '='" },
		{ "a nice=41\n", "F:1: nice: '41': expected" },
		{ "a maxthr=x\n", "F:1: maxthr: 'x': expected" },
		{ "a rate=5/\n", "F:1: rate: '5/': expected" },
		{ "a rate=5\n", "F:1: rate: '5': expected" },
		{ "a ageorder=yes\n", "F:1: ageorder: 'yes': expected" },
		{ "a reporttimes=\"1 2 3 4 5\"\n", "F:1: reporttimes: more" },
		{ " maxthr=1\n", "F:1: 'maxthr': no clause is open" },
		{ "PARAMx=1\n", "F:1: unknown PARAM 'x'" },
		{ "PARAMmailqsock=${NO}\n", "F:1: mailqsock: '${NO}'" },
		{ "PARAMauthfile=/x\n a=1\n", "F:2: 'a': no clause" },
		{ "\n\na maxthr=1\n", "F:3: clause a/* has no command" },
		{ "a command=x\nb/c\n", "F:2: clause b/c says nothing" },
		{ "a command=\"x\n", "F:1: a quoted value without" },
		{ "a\n =x\n", "F:2: a '=' without a word" },
		{ "interval=5m\n", "F:1: 'interval': a keyword in column 0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct schedconf conf;

		assert_int_equal(parse(rows[i].text, &conf), -1);
		if (!slice_starts(slice_of(err.text), slice_of(rows[i].want)))
			fail_msg("row %zu: got '%s'", i, err.text);
	}
}

static void test_globs(void **state)
{
	static const struct {
		const char *glob, *text;
		bool want;
	} rows[] = {
		{ "*", "", true },
		{ "*", "anything", true },
		{ "", "", true },
		{ "", "a", false },
		{ "smtp*", "smtp-tls", true },
		{ "*.example.com", "a.b.example.com", true },
		{ "*.example.com", "example.com", false },
		{ "a?c", "abc", true },
		{ "a?c", "ac", false },
		{ "[ab]x", "bx", true },
		{ "[^ab]x", "bx", false },
		{ "[^ab]x", "cx", true },
		{ "[a-c]", "b", false },
		{ "[a-c]", "-", true },
		{ "\\*", "*", true },
		{ "\\*", "x", false },
		{ "[ab", "[ab", true },
		{ "x{a,bc}", "xbc", true },
		{ "x{a,bc}", "xb", false },
		{ "*{.com,.net}", "a.net", true },
		{ "*{.com,.net}", "a.org", false },
		{ "{a}b", "{a}b", true },
		{ "*a*b*c", "xaybzc", true },
		{ "*a*b*c", "xaybz", false },
		{ "A", "a", false },
		{ "x\\", "x\\", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (schedconf_glob(slice_of(rows[i].glob),
				   slice_of(rows[i].text)) != rows[i].want)
			fail_msg("%s on %s", rows[i].glob, rows[i].text);
}

/* A command's words, with '|' between and '/' before the program. */
static void show(const char *command, struct str *to)
{
	const struct schedconf_for who = { zenv(), SLICE("ch an"),
					   SLICE("mx.example") };
	struct schedconf_command c;

	str_clear(to);
	if (schedconf_command(slice_of(command), &who, arena, &c, &err) < 0) {
		str_adds(to, err.text);
		return;
	}
	for (size_t i = 0; c.environment[i] != NULL; i++)
		str_addf(to, "%s|", c.environment[i]);
	for (size_t i = 0; c.argv[i] != NULL; i++)
		str_addf(to, "%s%s", i > 0 ? "|" : "/", c.argv[i]);
}

static void test_a_host_makes_no_option(void **state)
{
	const struct schedconf_for who = { NULL, SLICE("smtp"), SLICE("-Fx") };
	const struct schedconf_for local = { NULL, SLICE("local"), SLICE("-") };
	static const char *const bad[] = { "smtp $host", "smtp ${host}",
					   "smtp ${host}:25" };
	struct schedconf_command c;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(
		    schedconf_command(slice_of(bad[i]), &who, arena, &c, &err),
		    -1);
		assert_string_equal(err.text,
				    "command: host '-Fx' begins with '-'");
	}
	assert_int_equal(schedconf_command(SLICE("smtp -h${host} x${host}"),
					   &who, arena, &c, &err),
			 0);
	assert_int_equal(
	    schedconf_command(SLICE("sm $host"), &local, arena, &c, &err), 0);
}

static void test_commands(void **state)
{
	static const struct {
		const char *command, *want;
	} rows[] = {
		{ "smtp -s -l ${LOGDIR}/smtp", "/smtp|-s|-l|/var/log/x/smtp" },
		{ "A=1 B=${channel} sm -c $channel x",
		  "A=1|B=ch an|/sm|-c|ch an|x" },
		{ "smtp C=d $host ${host}:25 $LOGDIR",
		  "/smtp|C=d|mx.example|mx.example:25|$LOGDIR" },
		{ "A=1", "command: no program" },
		{ "", "command: no program" },
		{ "x ${NO}", "command: ${NO} is not set" },
		{ "x ${NO", "command: a \"${\" without its \"}\"" },
	};
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		show(rows[i].command, &got);
		assert_slice_is(str_slice(&got), rows[i].want);
	}
	str_clear(&got);
	for (int i = 0; i < SCHEDCONF_WORDS_MAX + 1; i++)
		str_adds(&got, "x ");
	{
		struct str command = got;

		got = STR_INIT;
		show(str_cstr(&command), &got);
		assert_slice_is(str_slice(&got), "command: more than 40 words");
		str_done(&command);
	}
	str_done(&got);
}

static void test_no_word_stands_twice(void **state)
{
	(void)state;
	for (size_t i = 1; schedconf_keyword(i) != NULL; i++)
		assert_true(
		    strcmp(schedconf_keyword(i - 1), schedconf_keyword(i)) < 0);
	for (size_t i = 1; schedconf_param(i) != NULL; i++)
		assert_true(strcmp(schedconf_param(i - 1), schedconf_param(i)) <
			    0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
		T(test_sample_of_the_manual_is_read),
		T(test_what_is_nowhere_said),
		T(test_values_in_every_spelling),
		T(test_defaults_hold_behind_them_only),
		T(test_clauses_above_one_text_share_it),
		T(test_quoted_value_goes_on_behind_a_backslash),
		T(test_params_are_expanded),
		T(test_errors_name_file_and_line),
		T(test_globs),
		T(test_commands),
		T(test_a_host_makes_no_option),
		T(test_no_word_stands_twice),
	};

	return TEST_RUN(tests);
}
