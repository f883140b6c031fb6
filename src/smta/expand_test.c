/*
 * expand_test.c - argument vectors: the manual's entries, replication, values
 * that are missing, and values that look like options.
 */
#include "smta/expand.h"

#include "base/keyword.h"
#include "base/test.h"
#include "smta/flags.h"

#include <string.h>

static const char zenv_text[] = "MAILBIN=/m\nEMPTY=\nDASH=-x\n";

/* One vector and what it is made of. */
struct made {
	struct arena *arena;
	struct expand_argv args;
	struct str joined; /* the arguments, each between '[' and ']' */
};

/* Splits an entry's words at blanks. */
static void set_words(struct smconf_mailer *m, const char *words,
		      struct arena *a)
{
	struct slice rest = slice_of(words), word;

	m->argv = arena_array(a, strlen(words), sizeof(*m->argv));
	while (slice_word(&rest, &word))
		m->argv[m->argc++] = word;
}

/* For the first n of rcpts. */
struct run {
	const char *sender;
	const struct expand_rcpt *rcpts;
	size_t n;
};

static void make(const char *words, unsigned flags, struct run run,
		 struct made *ret)
{
	struct smconf_mailer m = { .name = SLICE("m") };
	struct expand_facts f = { .mailer = &m,
				  .flags = flags,
				  .sender = slice_of(run.sender),
				  .rcpts = run.rcpts,
				  .n_rcpts = run.n };

	*ret = (struct made){ .arena = arena_new() };
	set_words(&m, words, ret->arena);
	f.zenv = zenv_parse(slice_of(zenv_text), "F", ret->arena);
	ret->args = expand_make(&f, ret->arena);
	assert_non_null(ret->args.argv);
	for (size_t i = 0; i < ret->args.argc; i++)
		str_addf(&ret->joined, "[%s]", ret->args.argv[i]);
	assert_null(ret->args.argv[ret->args.argc]);
}

static void make_done(struct made *m)
{
	str_done(&m->joined);
	arena_free(m->arena);
}

static const struct expand_rcpt two[] = {
	{ { "Example.COM", 11 }, { "User2", 5 } },
	{ { "example.com", 11 }, { "user1", 5 } },
};

static void check_one(const char *words, unsigned flags, const char *want)
{
	struct made m;

	make(words, flags, (struct run){ "sender@example.org", two, 1 }, &m);
	assert_slice_is(str_slice(&m.joined), want);
	assert_int_equal(m.args.option_like.len, 0);
	assert_int_equal(m.args.n_nulls, 0);
	make_done(&m);
}

static void test_entries_of_the_manual(void **state)
{
	static const struct {
		const char *words;
		unsigned flags;
		const char *want;
	} rows[] = {
		{ "localm -r $g $u", SMTA_MANY,
		  "[localm][-r][sender@example.org][User2]" },
		{ "sh -c $u", 0, "[sh][-c][User2]" },
		{ "to $u", SMTA_ARG_R, "[to][-r][sender@example.org][User2]" },
		{ "uux - -r -a$g -gC $h!rmail ($u)", SMTA_REMOTE_FROM,
		  "[uux][-][-r][-asender@example.org][-gC]"
		  "[Example.COM!rmail][(User2)]" },
		{ "usenet $u", SMTA_MANY, "[usenet][User2]" },
		{ "gwsmean -d $u", SMTA_MANY, "[gwsmean][-d][User2]" },
		{ "test $u", SMTA_NO_FROM_LINE, "[test][User2]" },
		{ "sms-gw $g $u", SMTA_KEEP_IDS,
		  "[sms-gw][sender@example.org][User2]" },
		/* of the sample file */
		{ "deliver -e -m $h -- $u", SMTA_RETURN_PATH,
		  "[deliver][-e][-m][Example.COM][--][User2]" },
		{ "procmail -a $h -d $u", SMTA_ARG_F,
		  "[procmail][-f][sender@example.org][-a][Example.COM][-d]"
		  "[User2]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_one(rows[i].words, rows[i].flags, rows[i].want);
}

static void test_sequences_within_words(void **state)
{
	static const struct {
		const char *words, *want;
	} rows[] = {
		{ "$u", "[User2]" },
		{ "$U", "[user2]" },
		{ "a${MAILBIN}/x $u", "[a/m/x][User2]" },
		{ "x $g$h$u$U",
		  "[x][sender@example.orgExample.COMUser2user2]" },
		{ "x $$u $$$u $$$$", "[x][$u][$User2][$$]" },
		{ "x u g h {MAILBIN}", "[x][u][g][h][{MAILBIN}]" },
		{ "x ${DASH} -$u", "[x][-x][-User2]" },
		{ "x ~ `id` ;|&*", "[x][~][`id`][;|&*]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_one(rows[i].words, 0, rows[i].want);
}

static void test_f_wins_over_r(void **state)
{
	(void)state;
	check_one("x $u", SMTA_ARG_F | SMTA_ARG_R,
		  "[x][-f][sender@example.org][User2]");
}

static void test_words_with_user_are_replicated(void **state)
{
	static const struct {
		const char *words, *want;
	} rows[] = {
		{ "dump.sh -f $g -h $h $u tail",
		  "[dump.sh][-f][sender@example.org][-h][Example.COM]"
		  "[User2][user1][tail]" },
		{ "x $U", "[x][user2][user1]" },
		/* the rest of such a word is the same recipient's */
		{ "x $h!$u!$h", "[x][Example.COM!User2!Example.COM]"
				"[example.com!user1!example.com]" },
		{ "x $u$U", "[x][User2user2][user1user1]" },
		{ "x -t $u $u", "[x][-t][User2][user1][User2][user1]" },
		{ "x $h", "[x][Example.COM]" },
		{ "x $$u", "[x][$u]" },
		{ "x ${u}x", "[x][x]" },
		{ "$u x", "[User2][user1][x]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct made m;

		make(rows[i].words, SMTA_MANY,
		     (struct run){ "sender@example.org", two, 2 }, &m);
		assert_slice_is(str_slice(&m.joined), rows[i].want);
		make_done(&m);
	}
}

static void test_word_never_splits_and_no_shell_sees_it(void **state)
{
	static const struct expand_rcpt r = {
		{ "h h", 3 }, { "a b\"c d\" $g ${MAILBIN} `id`", 27 }
	};
	struct made m;

	(void)state;
	make("x $u $h", 0, (struct run){ "s s", &r, 1 }, &m);
	assert_slice_is(str_slice(&m.joined),
			"[x][a b\"c d\" $g ${MAILBIN} `id`][h h]");
	assert_int_equal(m.args.argc, 3);
	make_done(&m);
}

static void test_what_expands_to_nothing_is_told(void **state)
{
	static const struct {
		const char *words, *want, *nulls;
	} rows[] = {
		{ "x $x", "[x][]", "$x" },
		{ "x a$xb", "[x][ab]", "$x" },
		{ "x $", "[x][]", "$" },
		{ "x $u$", "[x][User2]", "$" },
		{ "x ${NONE} ${EMPTY}y", "[x][][y]", "${NONE}|${EMPTY}" },
		{ "x ${}", "[x][]", "${}" },
		{ "x $G$H", "[x][]", "$G|$H" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str nulls = STR_INIT;
		struct made m;

		make(rows[i].words, 0, (struct run){ "s", two, 1 }, &m);
		assert_slice_is(str_slice(&m.joined), rows[i].want);
		for (size_t k = 0; k < m.args.n_nulls; k++) {
			str_adds(&nulls, k > 0 ? "|" : "");
			str_add(&nulls, m.args.nulls[k]);
		}
		assert_slice_is(str_slice(&nulls), rows[i].nulls);
		str_done(&nulls);
		make_done(&m);
	}
}

static void test_value_that_looks_like_an_option_is_found(void **state)
{
	static const struct {
		const char *words, *sender, *host, *user;
		unsigned flags;
		const char *want; /* the sequence; "" if it may pass */
	} rows[] = {
		{ "x $u", "s", "h", "-rf", 0, "$u" },
		{ "x $U", "s", "h", "-RF", 0, "$U" },
		{ "x $u", "s", "h", "-", 0, "$u" },
		{ "x $g", "-s", "h", "u", 0, "$g" },
		{ "x $h", "s", "-h", "u", 0, "$h" },
		{ "x $h!rmail", "s", "-h", "u", 0, "$h" },
		{ "x $h!rmail", "s", "-", "u", 0, "$h" },
		{ "$u", "s", "h", "-sh", 0, "$u" },
		{ "x ${NONE}$u", "s", "h", "-rf", 0, "$u" },
		{ "x", "-s", "h", "u", SMTA_ARG_F, "$g" },
		{ "x -- $u", "-s", "h", "-u", SMTA_ARG_R, "$g" },
		{ "x $u --", "s", "h", "-u", 0, "$u" },
		{ "x --- $u", "s", "h", "-u", 0, "$u" },
		{ "-- $u", "s", "h", "-u", 0, "$u" },
		/* behind "--", or not at the start of an argument */
		{ "x -- $u", "s", "h", "-u", 0, "" },
		{ "x -- $h $u $g", "-s", "-h", "-u", 0, "" },
		{ "x -a$g", "-s", "h", "u", 0, "" },
		{ "x ($u)", "s", "h", "-u", 0, "" },
		{ "x $u", "s", "h", "u-", 0, "" },
		{ "x ${DASH}$u", "s", "h", "-u", 0, "" },
		{ "x $$$u", "s", "h", "-u", 0, "" },
		{ "x y", "-s", "-h", "-u", 0, "" },
		/* the spool's way to say that there is no host */
		{ "x -a $h", "s", "-", "u", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct expand_rcpt r = { slice_of(rows[i].host),
					 slice_of(rows[i].user) };
		struct made m;

		make(rows[i].words, rows[i].flags,
		     (struct run){ rows[i].sender, &r, 1 }, &m);
		if (!slice_eq(m.args.option_like, slice_of(rows[i].want)))
			fail_msg("%s: '%.*s'", rows[i].words,
				 SLICE_ARG(m.args.option_like));
		make_done(&m);
	}
}

static void test_no_limit_on_length_or_number(void **state)
{
	struct expand_rcpt *rcpts;
	struct arena *a = arena_new();
	struct str user = STR_INIT;
	struct made m;

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_addc(&user, (char)('A' + i % 26));
	rcpts = arena_array(a, 3000, sizeof(*rcpts));
	for (size_t i = 0; i < 3000; i++)
		rcpts[i] = (struct expand_rcpt){ SLICE("h"), SLICE("u") };
	rcpts[2999].user = str_slice(&user);
	make("x $u", SMTA_MANY, (struct run){ "s", rcpts, 3000 }, &m);
	assert_int_equal(m.args.argc, 3001);
	assert_int_equal(strlen(m.args.argv[3000]), 100000);
	make_done(&m);
	str_done(&user);
	arena_free(a);
}

static void test_unclosed_brace_is_an_error_of_the_entry(void **state)
{
	struct smconf_mailer m = { 0 };
	struct arena *a = arena_new();
	struct err err;

	(void)state;
	set_words(&m, "x $u ${MAILBIN/y", a);
	assert_int_equal(expand_check(&m, &err), -1);
	assert_string_equal(err.text, "'${MAILBIN/y': \"${\" without \"}\"");
	m.argc = 0;
	set_words(&m, "x $u ${MAILBIN}/y $ $x }", a);
	assert_int_equal(expand_check(&m, &err), 0);
	arena_free(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries_of_the_manual),
		cmocka_unit_test(test_sequences_within_words),
		cmocka_unit_test(test_f_wins_over_r),
		cmocka_unit_test(test_words_with_user_are_replicated),
		cmocka_unit_test(test_word_never_splits_and_no_shell_sees_it),
		cmocka_unit_test(test_what_expands_to_nothing_is_told),
		cmocka_unit_test(test_value_that_looks_like_an_option_is_found),
		cmocka_unit_test(test_no_limit_on_length_or_number),
		cmocka_unit_test(test_unclosed_brace_is_an_error_of_the_entry),
	};

	return TEST_RUN(tests);
}
