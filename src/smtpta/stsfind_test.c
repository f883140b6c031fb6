/*
 * stsfind_test.c - which MTA-STS policy is in force, by a stsfetch that is
 * played and a DNS that is written down.
 */
#include "smtpta/stsfind.h"

#include "base/keyword.h"
#include "net/conn.h"
#include "smtpta/test_answers.h"
#include "store/stspolicies.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POLICY		"version: STSv1\nmode: enforce\nmx: *.example.org\n"
#define SAY_POLICY(age) "printf '" POLICY "max_age: " age "\\n'\n"

enum { DAY = 24 * 3600 };

/* ---- the world ---------------------------------------------------------- */

static int64_t clock_now;

struct scene;

/* What another agent does as soon as ours has run stsfetch, once. */
static struct scene *is_raced;

static void race(struct scene *s);

static int64_t clock_read(void)
{
	if (is_raced != NULL)
		race(is_raced);
	return clock_now;
}

struct scene {
	char top[64];
	char program[PATH_MAX], store_dir[PATH_MAX];
	struct dns_resolver *dns;
	struct store *store;
	struct stsfinder *finder;
	struct stsfind_options options;
	struct arena *arena;
};

/* Answers that the test may change; the source of the resolver. */
static struct dns_source *answers;

static void ask_current(struct dns_source *source, struct dns_answer *questions,
			size_t n, int64_t deadline, struct arena *a)
{
	(void)source;
	answers->ask(answers, questions, n, deadline, a);
}

static void free_nothing(struct dns_source *source)
{
	(void)source;
}

static struct dns_source current = { ask_current, free_nothing };

static void set_answers(const char *text)
{
	struct dns_source *old = answers;

	answers = text != NULL ? answers_of(text) : NULL;
	if (old != NULL)
		old->free(old);
}

/* The TXT record at _mta-sts.example.org, or what else is there. */
static void set_record(const char *record)
{
	struct str text = STR_INIT;

	str_adds(&text, "_mta-sts.example.org TXT ok insecure network 5 - ");
	for (; *record != '\0'; record++)
		str_addf(&text, "%02x", (unsigned)*record);
	set_answers(str_cstr(&text));
	str_done(&text);
}

static void write_text(const struct scene *s, const char *name,
		       const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%.50s/%.50s", s->top, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0 ||
	    chmod(path, 0755) < 0)
		fail_msg("%s cannot be written", path);
}

/* What stsfetch does from now on, in the shell's words. */
static void set_stsfetch(const struct scene *s, const char *body)
{
	char script[2000];

	snprintf(script, sizeof(script),
		 "#!/bin/sh\necho \"$@\" >> %s/calls\n%s", s->top, body);
	write_text(s, "stsfetch", script);
}

/* Its words since this was last asked; lives until then. */
static const char *calls(const struct scene *s)
{
	static char text[2000];
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%.50s/calls", s->top);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	unlink(path);
	return text;
}

/* Another agent begins, with the same store. */
static void restart(struct scene *s)
{
	stsfinder_free(s->finder);
	s->finder = stsfinder_new(&s->options);
}

static void scene_begin(struct scene *s)
{
	struct dns_options dns = { .source = &current };

	*s = (struct scene){ .top = "/tmp/zpost-sts-XXXXXX" };
	if (mkdtemp(s->top) == NULL)
		fail_msg("no folder");
	snprintf(s->program, sizeof(s->program), "%s/stsfetch", s->top);
	snprintf(s->store_dir, sizeof(s->store_dir), "%s/store", s->top);
	clock_now = 1000 * DAY;
	s->dns = dns_new(&dns);
	s->store = store_new(s->store_dir);
	s->arena = arena_new();
	s->options = (struct stsfind_options){
		.dns = s->dns,
		.store = s->store,
		.store_dir = s->store_dir,
		.program = s->program,
		.wall = clock_read,
	};
	set_record("v=STSv1; id=1;");
	set_stsfetch(s, SAY_POLICY("604800"));
	restart(s);
}

static void remove_all(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[PATH_MAX];

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (unlink(path) < 0)
			remove_all(path);
	}
	if (d != NULL)
		closedir(d);
	rmdir(folder);
}

static void scene_end(struct scene *s)
{
	stsfinder_free(s->finder);
	dns_free(s->dns);
	store_free(s->store);
	arena_free(s->arena);
	set_answers(NULL);
	remove_all(s->top);
}

static struct sts_found find(struct scene *s)
{
	return stsfind(s->finder, SLICE("example.org"), conn_now() + 60000,
		       s->arena);
}

/* What is found, in one line. */
static const char *found(struct scene *s)
{
	struct sts_found f = find(s);
	struct str text = STR_INIT;
	const char *line;

	stsfind_print(&text, &f);
	line = arena_cstr(s->arena, str_slice(&text));
	str_done(&text);
	if (f.trouble.len > 0)
		fail_msg("%.*s", SLICE_ARG(f.trouble));
	return line;
}

static void race(struct scene *s)
{
	static struct slice mx[] = { { "mx.example", 10 } };
	const struct sts_policy policy = { STS_MODE_TESTING, 604800, mx, 1 };
	struct sts_entry e = { 0 };
	struct err err;

	if (calls(s)[0] == '\0')
		return;
	is_raced = NULL;
	sts_entry_fetched(&e, &policy, SLICE("1"), clock_now);
	if (stspolicies_save(s->store, SLICE("example.org"), &e, clock_now,
			     &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- the ordinary way --------------------------------------------------- */

static void test_without_a_record_nothing_is_fetched(void **state)
{
	static const char *const rows[][2] = {
		{ "_mta-sts.example.org TXT nxdomain secure network 5 -",
		  "no policy txt=none step=use" },
		{ "_mta-sts.example.org TXT nodata insecure network 5 -",
		  "no policy txt=none step=use" },
		{ "_mta-sts.example.org TXT ok insecure network 5 - 7661",
		  "no policy txt=none step=use" },
		{ "_mta-sts.example.org TXT servfail indeterminate network 5 -",
		  "no policy txt=unknown step=use" },
		{ "_mta-sts.example.org TXT bogus bogus network 5 -",
		  "no policy txt=unknown step=use" },
		{ "_mta-sts.example.org TXT loop insecure network 5 -",
		  "no policy txt=none step=use" },
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < COUNT(rows); i++) {
		set_answers(rows[i][0]);
		assert_string_equal(found(&s), rows[i][1]);
	}
	set_record("v=STSv1; id=!");
	assert_string_equal(found(&s), "no policy txt=bad step=use");
	assert_string_equal(calls(&s), "");
	scene_end(&s);
}

static void test_more_than_one_record_is_none(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	set_answers("_mta-sts.example.org TXT ok insecure network 5 - "
		    "763d53545376313b2069643d31 763d53545376313b2069643d32");
	assert_string_equal(found(&s), "no policy txt=many step=use");
	scene_end(&s);
}

static void test_a_policy_is_fetched_once_for_all_agents(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	assert_string_equal(calls(&s), "policy example.org\n");
	clock_now += 60;
	assert_string_equal(found(&s),
			    "enforce id=1 from=memory age=60 txt=ok step=use");
	restart(&s);
	assert_string_equal(found(&s),
			    "enforce id=1 from=store age=60 txt=ok step=use");
	f = find(&s);
	assert_int_equal(f.policy->n_mx, 1);
	assert_slice_is(f.policy->mx[0], "*.example.org");
	assert_int_equal(f.policy->max_age, 604800);
	assert_int_equal(f.failure, TLSRPT_SUCCESS);
	assert_string_equal(calls(&s), "");
	scene_end(&s);
}

static void test_a_record_behind_an_alias_counts(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	set_answers("_mta-sts.example.org TXT ok insecure network 5 "
		    "_mta-sts.host.example 763d53545376313b2069643d31");
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	assert_string_equal(calls(&s), "policy example.org\n");
	scene_end(&s);
}

static void test_words_of_the_options_come_first(void **state)
{
	static char option[] = "-O", value[] = "ca-file=/ca";
	static char *const words[] = { option, value, NULL };
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.options.words = words;
	restart(&s);
	found(&s);
	assert_string_equal(calls(&s), "-O ca-file=/ca policy example.org\n");
	scene_end(&s);
}

static void test_a_new_id_is_fetched_by_one_agent(void **state)
{
	struct stsfinder *other;
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	other = s.finder;
	s.finder = NULL;
	restart(&s);
	found(&s);
	calls(&s);
	set_record("v=STSv1; id=2;");
	assert_string_equal(found(&s),
			    "enforce id=2 from=fetch age=0 txt=ok step=fetch");
	assert_string_equal(calls(&s), "policy example.org\n");
	/* The other still remembers the old one, and looks into the store. */
	stsfinder_free(s.finder);
	s.finder = other;
	assert_string_equal(found(&s),
			    "enforce id=2 from=store age=0 txt=ok step=use");
	assert_string_equal(calls(&s), "");
	scene_end(&s);
}

/* ---- failures ----------------------------------------------------------- */

static void test_a_failed_fetch_leaves_the_cached_policy(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	calls(&s);
	set_record("v=STSv1; id=2;");
	set_stsfetch(&s, "echo 'sts-policy-fetch-error: HTTP status 404' >&2\n"
			 "exit 69\n");
	assert_string_equal(found(&s),
			    "enforce id=1 from=store age=0 txt=ok step=fetch "
			    "failures=1 (HTTP status 404)");
	f = find(&s);
	assert_int_equal(f.failure, TLSRPT_STS_POLICY_FETCH_ERROR);
	assert_int_equal(f.step, STS_USE);
	assert_non_null(f.policy);
	assert_string_equal(calls(&s), "policy example.org\n");
	scene_end(&s);
}

static void test_a_failure_is_remembered_by_all_agents(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	set_stsfetch(&s, "echo 'sts-webpki-invalid: expired\033[1m' >&2\n"
			 "exit 77\n");
	assert_string_equal(
	    found(&s), "no policy txt=ok step=fetch failures=1 (expired?[1m)");
	f = find(&s);
	assert_int_equal(f.failure, TLSRPT_STS_WEBPKI_INVALID);
	assert_string_equal(calls(&s), "policy example.org\n");
	restart(&s);
	assert_string_equal(found(&s), "no policy txt=ok step=use failures=1");
	assert_int_equal(find(&s).failure, TLSRPT_STS_POLICY_FETCH_ERROR);
	assert_string_equal(calls(&s), "");
	/* Later it is tried again, and comes. */
	set_stsfetch(&s, SAY_POLICY("604800"));
	clock_now += STS_RETRY_MIN;
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	assert_int_equal(find(&s).failure, TLSRPT_SUCCESS);
	scene_end(&s);
}

static void test_what_another_agent_got_meanwhile_counts(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	set_stsfetch(&s, "echo 'sts-policy-fetch-error: no' >&2; exit 75\n");
	is_raced = &s;
	assert_string_equal(found(&s),
			    "testing id=1 from=store age=0 txt=ok step=fetch");
	assert_null(is_raced);
	assert_string_equal(found(&s),
			    "testing id=1 from=memory age=0 txt=ok step=use");
	scene_end(&s);
}

static void test_a_cached_policy_survives_the_dns(void **state)
{
	static const char *const rows[][2] = {
		{ "_mta-sts.example.org TXT servfail indeterminate network 5 -",
		  "enforce id=1 from=memory age=0 txt=unknown step=use" },
		{ "_mta-sts.example.org TXT timeout indeterminate network 5 -",
		  "enforce id=1 from=memory age=0 txt=unknown step=use" },
		{ "_mta-sts.example.org TXT nxdomain secure network 5 -",
		  "enforce id=1 from=memory age=0 txt=none step=use" },
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	calls(&s);
	for (size_t i = 0; i < COUNT(rows); i++) {
		set_answers(rows[i][0]);
		assert_string_equal(found(&s), rows[i][1]);
	}
	s.options.dns = NULL;
	restart(&s);
	assert_string_equal(
	    found(&s), "enforce id=1 from=store age=0 txt=unknown step=use");
	assert_string_equal(calls(&s), "");
	scene_end(&s);
}

static void test_a_policy_ends_after_max_age(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	set_stsfetch(&s, "echo 'sts-policy-fetch-error: no' >&2; exit 75\n");
	clock_now += 604800;
	assert_string_equal(found(&s),
			    "no policy txt=ok step=fetch failures=1 (no)");
	restart(&s);
	assert_string_equal(found(&s), "no policy txt=ok step=use failures=1");
	scene_end(&s);
}

static void test_what_is_no_policy_is_a_failure(void **state)
{
	static const struct {
		const char *body;
		enum tlsrpt_type type;
	} rows[] = {
		{ "echo hello", TLSRPT_STS_POLICY_INVALID },
		{ "exit 0", TLSRPT_STS_POLICY_INVALID },
		{ "head -c 100000 /dev/zero", TLSRPT_STS_POLICY_INVALID },
		{ "echo 'sts-policy-invalid: mode' >&2; exit 65",
		  TLSRPT_STS_POLICY_INVALID },
		{ SAY_POLICY("604800") "exit 1", TLSRPT_SUCCESS },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sts_found f;

		scene_begin(&s);
		set_stsfetch(&s, rows[i].body);
		f = find(&s);
		assert_null(f.policy);
		assert_int_equal(f.failures, 1);
		assert_int_equal(f.failure, rows[i].type);
		assert_true(f.reason.len > 0);
		scene_end(&s);
	}
}

static void test_a_slow_fetch_is_ended(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.options.fetch_ms = 200;
	restart(&s);
	set_stsfetch(&s, "exec sleep 100\n");
	f = find(&s);
	assert_null(f.policy);
	assert_int_equal(f.failure, TLSRPT_STS_POLICY_FETCH_ERROR);
	assert_slice_is(f.reason, "no policy within the time for it");
	scene_end(&s);
}

static void test_without_time_nothing_is_begun(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	f = stsfind(s.finder, SLICE("example.org"), conn_now() + 1000, s.arena);
	assert_null(f.policy);
	assert_int_equal(f.step, STS_FETCH);
	assert_int_equal(f.failures, 0);
	assert_string_equal(calls(&s), "");
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	scene_end(&s);
}

/* ---- faults of our own -------------------------------------------------- */

static void test_a_missing_program_is_our_own_fault(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	unlink(s.program);
	f = find(&s);
	assert_null(f.policy);
	assert_int_equal(f.failure, TLSRPT_SUCCESS);
	assert_true(slice_find_text(f.trouble, SLICE("No such file")) <
		    f.trouble.len);
	/* It is no other agent's business. */
	set_stsfetch(&s, SAY_POLICY("604800"));
	f = find(&s);
	assert_int_equal(f.step, STS_USE);
	assert_int_equal(f.failures, 1);
	restart(&s);
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	s.options.program = NULL;
	set_record("v=STSv1; id=2;");
	restart(&s);
	assert_string_equal(found(&s),
			    "enforce id=1 from=store age=0 txt=ok step=fetch");
	scene_end(&s);
}

static void test_without_a_store_there_is_memory(void **state)
{
	struct scene s;

	(void)state;
	scene_begin(&s);
	s.options.store = NULL;
	s.options.store_dir = NULL;
	restart(&s);
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=fetch");
	assert_string_equal(found(&s),
			    "enforce id=1 from=memory age=0 txt=ok step=use");
	calls(&s);
	clock_now += DAY;
	assert_string_equal(found(&s),
			    "enforce id=1 from=fetch age=0 txt=ok step=renew");
	assert_string_equal(calls(&s), "policy example.org\n");
	assert_int_equal(access(s.store_dir, F_OK), -1);
	scene_end(&s);
}

static void test_a_broken_store_blocks_nothing(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	write_text(&s, "store", "this is no folder");
	f = find(&s);
	assert_non_null(f.policy);
	assert_int_equal(f.origin, STS_FROM_FETCH);
	assert_true(f.trouble.len > 0);
	f = find(&s);
	assert_non_null(f.policy);
	assert_string_equal(calls(&s), "policy example.org\n");
	scene_end(&s);
}

/* ---- renewal ------------------------------------------------------------ */

static void test_renewal_goes_on_beside_the_delivery(void **state)
{
	struct arena *a = arena_new();
	struct sts_entry e;
	struct str want = STR_INIT;
	struct sts_found f;
	struct err err;
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	calls(&s);
	clock_now += DAY;
	set_stsfetch(&s, "exit 0\n");
	f = find(&s);
	assert_int_equal(f.step, STS_RENEW);
	assert_true(f.is_renewed);
	assert_non_null(f.policy);
	assert_int_equal(f.age, DAY);
	str_addf(&want, "-O background -O store=%s refresh example.org\n",
		 s.store_dir);
	assert_string_equal(calls(&s), str_cstr(&want));
	/* Not again until there may be something new. */
	f = find(&s);
	assert_false(f.is_renewed);
	assert_non_null(f.policy);
	assert_string_equal(calls(&s), "");
	/* What it wrote is found. */
	assert_int_equal(
	    stspolicies_load(s.store, SLICE("example.org"), a, &e, &err), 1);
	sts_entry_fetched(&e, &e.policy, e.id, clock_now);
	assert_int_equal(stspolicies_save(s.store, SLICE("example.org"), &e,
					  clock_now, &err),
			 0);
	assert_string_equal(found(&s),
			    "enforce id=1 from=store age=0 txt=ok step=use");
	str_done(&want);
	arena_free(a);
	scene_end(&s);
}

static void test_a_renewal_that_cannot_begin_is_told(void **state)
{
	struct sts_found f;
	struct scene s;

	(void)state;
	scene_begin(&s);
	found(&s);
	clock_now += DAY;
	set_stsfetch(&s, "echo 'local: no fork'; exit 71\n");
	f = find(&s);
	assert_false(f.is_renewed);
	assert_non_null(f.policy);
	assert_slice_is(f.trouble, "local: no fork");
	scene_end(&s);
}

static void test_memory_is_bounded(void **state)
{
	struct scene s;
	char name[40];

	(void)state;
	scene_begin(&s);
	s.options.store = NULL;
	s.options.store_dir = NULL;
	restart(&s);
	found(&s);
	calls(&s);
	for (int i = 0; i < STSFIND_DOMAINS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		stsfind(s.finder, slice_of(name), conn_now() + 60000, s.arena);
	}
	/* It was the one that was not used for longest. */
	found(&s);
	assert_string_equal(calls(&s), "policy example.org\n");
	scene_end(&s);
}

static void test_reasons_of_stsfetch(void **state)
{
	static const struct {
		const char *output;
		enum tlsrpt_type type;
		const char *text;
	} rows[] = {
		{ "sts-policy-fetch-error: HTTP status 404\n",
		  TLSRPT_STS_POLICY_FETCH_ERROR, "HTTP status 404" },
		{ "sts-webpki-invalid: a: b\nmore\n", TLSRPT_STS_WEBPKI_INVALID,
		  "a: b" },
		{ "sts-policy-invalid:x", TLSRPT_STS_POLICY_INVALID, "x" },
		{ "local: no memory\n", TLSRPT_SUCCESS, "local: no memory" },
		{ "sts-policy-invalid", TLSRPT_STS_POLICY_INVALID, "" },
		{ "\n", TLSRPT_SUCCESS, "" },
		{ "", TLSRPT_SUCCESS, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice text;

		assert_int_equal(
		    stsfind_read_reason(slice_of(rows[i].output), &text),
		    rows[i].type);
		assert_slice_is(text, rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_record_nothing_is_fetched),
		cmocka_unit_test(test_more_than_one_record_is_none),
		cmocka_unit_test(test_a_policy_is_fetched_once_for_all_agents),
		cmocka_unit_test(test_a_record_behind_an_alias_counts),
		cmocka_unit_test(test_words_of_the_options_come_first),
		cmocka_unit_test(test_a_new_id_is_fetched_by_one_agent),
		cmocka_unit_test(test_a_failed_fetch_leaves_the_cached_policy),
		cmocka_unit_test(test_a_failure_is_remembered_by_all_agents),
		cmocka_unit_test(test_what_another_agent_got_meanwhile_counts),
		cmocka_unit_test(test_a_cached_policy_survives_the_dns),
		cmocka_unit_test(test_a_policy_ends_after_max_age),
		cmocka_unit_test(test_what_is_no_policy_is_a_failure),
		cmocka_unit_test(test_a_slow_fetch_is_ended),
		cmocka_unit_test(test_without_time_nothing_is_begun),
		cmocka_unit_test(test_a_missing_program_is_our_own_fault),
		cmocka_unit_test(test_without_a_store_there_is_memory),
		cmocka_unit_test(test_a_broken_store_blocks_nothing),
		cmocka_unit_test(test_renewal_goes_on_beside_the_delivery),
		cmocka_unit_test(test_a_renewal_that_cannot_begin_is_told),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_reasons_of_stsfetch),
	};

	return TEST_RUN(tests);
}
