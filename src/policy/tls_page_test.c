/*
 * tls_page_test.c - docs/tls-decision.md says what the code decides.
 *
 * The page's tables are made here from the code, and the test compares. To
 * write them anew, with B being the folder of the build:
 *
 *	sed -i '/^<!-- tables/q' docs/tls-decision.md
 *	B/test/policy/tls_page_test --print >> docs/tls-decision.md
 */
#include "policy/tls.h"

#include "base/fd.h"
#include "base/test.h"
#include "policy/test_tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PAGE "docs/tls-decision.md"

static const struct slice marker = { "<!-- tables", 11 };

static const char *const request_names[] = {
	[TLS_ASKS_NOTHING] = "nothing",
	[TLS_ASKS_REQUIRED] = "REQUIRETLS",
	[TLS_ASKS_OPTIONAL] = "`TLS-Required: No`",
};

/* ---- the rules in their order ------------------------------------------- */

static const char *level_name(int i)
{
	return tls_level_word((enum tls_level)i);
}

static const char *request_name(int i)
{
	return request_names[i];
}

static const char *dane_name(int i)
{
	return tls_dane_word((enum tls_dane)i);
}

static const char *sts_name(int i)
{
	return tls_sts_word((enum tls_sts)i);
}

/* Adds a cell: the names of a set's n values. */
static void print_set(struct str *to, unsigned set, int n,
		      const char *(*name)(int))
{
	const char *before = "";

	str_adds(to, " ");
	if (set == TLS_ANY) {
		str_adds(to, "any |");
		return;
	}
	for (int i = 0; i < n; i++)
		if ((set & TLS_SET(i)) != 0) {
			str_addf(to, "%s%s", before, name(i));
			before = ", ";
		}
	str_adds(to, " |");
}

static void print_rules(struct str *to)
{
	str_adds(to, "\n## The rules\n\nThe first one that fits decides.\n\n"
		     "| reason | level | message asks | DANE | MTA-STS | only "
		     "if | need | because |\n|---|---|---|---|---|---|---|---|"
		     "\n");
	for (int i = 0; i < TLS_ROWS; i++) {
		const struct tls_row *row = &tls_rows[i];

		str_addf(to, "| `%s` |", row->word);
		print_set(to, row->levels, TLS_LEVELS, level_name);
		print_set(to, row->requests, (int)COUNT(request_names),
			  request_name);
		print_set(to, row->danes, TLS_DANES, dane_name);
		print_set(to, row->stses, TLS_STSES, sts_name);
		str_addf(to, " %s%s | **%s** | %s |\n",
			 row->is_unix ? "UNIX socket" : "",
			 row->is_good_name ? "name believed" : "",
			 tls_need_word(row->need), row->text);
	}
}

/* ---- the verdict about DANE --------------------------------------------- */

static void print_dane_row(struct str *to, const char *who, const char *facts)
{
	static const char *const tlsa[] = { "absent",	"insecure", "failed",
					    "bogus",	"unusable", "usable",
					    "not-asked" };
	struct arena *a = arena_new();

	str_addf(to, "| %s |", who);
	for (size_t i = 0; i < COUNT(tlsa); i++) {
		struct slice text =
		    arena_printf(a, "auto %s tlsa:%s", facts, tlsa[i]);
		struct tls_facts f = facts_of(text.p);

		str_addf(to, " %s |", tls_dane_word(tls_decide(&f, a).dane));
	}
	str_addc(to, '\n');
	arena_free(a);
}

static void print_dane(struct str *to)
{
	static const char *const dns[] = { "secure", "insecure", "failed",
					   "bogus" };
	struct arena *a = arena_new();

	str_adds(to,
		 "\n## The verdict about DANE\n\n"
		 "By the answers about MX and addresses, and that about TLSA "
		 "records.\n\n"
		 "| MX, addresses | absent | insecure | failed | bogus | "
		 "unusable | usable | not asked |\n"
		 "|---|---|---|---|---|---|---|---|\n");
	for (size_t mx = 0; mx <= COUNT(dns); mx++)
		for (size_t addr = 0; addr < COUNT(dns); addr++) {
			bool is_forced = mx == COUNT(dns);
			const char *word = is_forced ? "none" : dns[mx];
			struct slice who = arena_printf(
			    a, "%s, %s", is_forced ? "host configured" : word,
			    dns[addr]);
			struct slice facts = arena_printf(
			    a, "%smx:%s addr:%s",
			    is_forced ? "next:forced " : "", word, dns[addr]);

			print_dane_row(to, who.p, facts.p);
		}
	arena_free(a);
}

/* ---- what follows ------------------------------------------------------- */

static const struct {
	const char *name, *facts;
} situations[] = {
	{ "none, MX secure", "mx:secure addr:insecure" },
	{ "none, MX insecure", "mx:insecure addr:insecure" },
	{ "usable", "mx:secure addr:secure tlsa:usable" },
	{ "mx-insecure", "mx:insecure addr:secure tlsa:usable" },
	{ "unusable, MX secure", "mx:secure addr:secure tlsa:unusable" },
	{ "unusable, MX insecure", "mx:insecure addr:secure tlsa:unusable" },
	{ "unknown", "mx:secure addr:secure tlsa:failed" },
	{ "lost", "dnssec:lost mx:insecure addr:insecure" },
	{ "forged", "mx:bogus" },
};

static void print_outcome(struct str *to, enum tls_level level, int request,
			  const char *facts)
{
	static const char *const asks[] = { "nothing", "required", "optional" };
	struct arena *a = arena_new();
	struct slice text = arena_printf(
	    a, "%s asks:%s %s", tls_level_word(level), asks[request], facts);
	struct tls_facts f = facts_of(text.p);
	struct tls_decision d = tls_decide(&f, a);

	str_addf(to, " **%s** %s |", tls_need_word(d.need),
		 tls_reason_word(d.reason));
	arena_free(a);
}

enum { POLICIES = 4 };

/* One row for each thing that can be said about DANE, one column for STS. */
static void fill_cells(struct str (*cells)[POLICIES], enum tls_level level,
		       int request)
{
	static const char *const sts[POLICIES] = { "none", "testing", "enforce",
						   "enforce-" };
	struct arena *a = arena_new();

	for (size_t i = 0; i < COUNT(situations); i++)
		for (size_t j = 0; j < POLICIES; j++)
			print_outcome(&cells[i][j], level, request,
				      arena_printf(a, "%s sts:%s",
						   situations[i].facts, sts[j])
					  .p);
	arena_free(a);
}

/* How many columns differ: all, or one for any policy. */
static size_t columns_of(struct str (*cells)[POLICIES])
{
	for (size_t i = 0; i < COUNT(situations); i++)
		for (size_t j = 1; j < POLICIES; j++)
			if (!slice_eq(str_slice(&cells[i][0]),
				      str_slice(&cells[i][j])))
				return POLICIES;
	return 1;
}

static bool is_same_row(const struct str *a, const struct str *b, size_t n)
{
	for (size_t j = 0; j < n; j++)
		if (!slice_eq(str_slice(&a[j]), str_slice(&b[j])))
			return false;
	return true;
}

/* Neighbours that come to the same share a row. */
static void print_matrix(struct str *to, enum tls_level level, int request)
{
	struct str cells[COUNT(situations)][POLICIES] = { { { 0 } } };
	size_t n;

	fill_cells(cells, level, request);
	n = columns_of(cells);
	str_adds(to, n == 1 ? "\n| DANE | any policy |\n|---|---|\n"
			    : "\n| DANE | no policy | testing | enforce | "
			      "mismatch |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT(situations); i++) {
		bool is_last = i + 1 == COUNT(situations) ||
			       !is_same_row(cells[i], cells[i + 1], n);
		bool is_first =
		    i == 0 || !is_same_row(cells[i - 1], cells[i], n);

		str_addf(to, "%s %s%s", is_first ? "|" : "", situations[i].name,
			 is_last ? " |" : ";");
		for (size_t j = 0; is_last && j < n; j++)
			str_add(to, str_slice(&cells[i][j]));
		str_adds(to, is_last ? "\n" : "");
	}
	for (size_t i = 0; i < COUNT(situations); i++)
		for (size_t j = 0; j < POLICIES; j++)
			str_done(&cells[i][j]);
}

/* Levels that come to the same share a table. */
static void print_request(struct str *to, int request)
{
	struct str tables[TLS_LEVELS] = { { 0 } };
	bool is_done[TLS_LEVELS] = { false };

	for (int i = 0; i < TLS_LEVELS; i++)
		print_matrix(&tables[i], (enum tls_level)i, request);
	for (int i = 0; i < TLS_LEVELS; i++) {
		if (is_done[i])
			continue;
		str_addf(to, "\n### The message asks for %s; level %s",
			 request_names[request], level_name(i));
		for (int j = i + 1; j < TLS_LEVELS; j++)
			if (slice_eq(str_slice(&tables[i]),
				     str_slice(&tables[j]))) {
				str_addf(to, ", %s", level_name(j));
				is_done[j] = true;
			}
		str_addc(to, '\n');
		str_add(to, str_slice(&tables[i]));
	}
	for (int i = 0; i < TLS_LEVELS; i++)
		str_done(&tables[i]);
}

/* Hosts that have no name: sockets of this machine, address literals. */
static void print_nameless(struct str *to, const char *what, const char *facts)
{
	str_addf(to,
		 "\n### %s\n\n| level | nothing | REQUIRETLS | "
		 "`TLS-Required: No` |\n|---|---|---|---|\n",
		 what);
	for (int i = 0; i < TLS_LEVELS; i++) {
		str_addf(to, "| %s |", level_name(i));
		for (int r = 0; r < (int)COUNT(request_names); r++)
			print_outcome(to, (enum tls_level)i, r, facts);
		str_addc(to, '\n');
	}
}

static void print_tables(struct str *to)
{
	print_rules(to);
	print_dane(to);
	str_adds(to, "\n## What follows, case by case\n");
	for (int i = 0; i < (int)COUNT(request_names); i++)
		print_request(to, i);
	print_nameless(to, "A UNIX socket", "path:unix");
	print_nameless(to, "An address literal", "next:literal");
}

/* ---- the tests ---------------------------------------------------------- */

static void read_page(struct str *to)
{
	int fd = open(PAGE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s cannot be read: run this in the top folder", PAGE);
	assert_int_equal(fd_read_all(fd, 0, 1u << 20, to), 0);
	fd_close(fd);
}

static void test_published_table_is_what_the_code_does(void **state)
{
	struct str page = STR_INIT, want = STR_INIT;
	struct slice rest, line = { 0 }, got, made;

	(void)state;
	read_page(&page);
	print_tables(&want);
	rest = str_slice(&page);
	while (!slice_starts(line, marker))
		assert_true(slice_cut(&rest, '\n', &line));
	made = str_slice(&want);
	while (slice_cut(&made, '\n', &line)) {
		assert_true(slice_cut(&rest, '\n', &got));
		if (!slice_eq(got, line))
			fail_msg("%s says '%.*s', wanted '%.*s'", PAGE,
				 SLICE_ARG(got), SLICE_ARG(line));
	}
	assert_int_equal(rest.len, 0);
	str_done(&page);
	str_done(&want);
}

/* Somebody who looks a reason up in the page finds it. */
static void test_published_page_names_every_reason(void **state)
{
	struct str page = STR_INIT, word = STR_INIT;

	(void)state;
	read_page(&page);
	for (int i = 0; i < TLS_REASONS; i++) {
		str_clear(&word);
		str_addf(&word, "`%s`", tls_reason_word((enum tls_reason)i));
		if (slice_find_text(str_slice(&page), str_slice(&word)) ==
		    page.len)
			fail_msg("%s does not say %s", PAGE, str_cstr(&word));
	}
	str_done(&page);
	str_done(&word);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_table_is_what_the_code_does),
		cmocka_unit_test(test_published_page_names_every_reason),
	};
	struct str text = STR_INIT;

	if (argc == 2 && strcmp(argv[1], "--print") == 0) {
		print_tables(&text);
		fputs(str_cstr(&text), stdout);
		str_done(&text);
		return 0;
	}
	return TEST_RUN(tests);
}
