/*
 * metrics_test.c - names and numbers, and that there is never too much.
 */
#include "base/test.h"
#include "sched/sched_internal.h"

#include <stdio.h>
#include <string.h>

static int no_clause(void *context, struct slice channel, struct slice host)
{
	(void)context;
	(void)channel;
	(void)host;
	return QUEUE_NO_CLAUSE;
}

struct world {
	struct sched_options o;
	struct sched s;
};

static void begin(struct world *w)
{
	const struct queue_config config = { .find = no_clause,
					     .max_agents = 1,
					     .start_rate = 1 };

	*w = (struct world){ .o = { .version = "1.2\"3\\" } };
	w->s.o = &w->o;
	w->s.queue = queue_new(&config);
	w->s.metrics = sched_metrics_new();
}

static void end(struct world *w)
{
	sched_metrics_free(w->s.metrics);
	queue_free(w->s.queue);
}

static size_t count(const struct str *text, const char *what)
{
	size_t n = 0;

	for (const char *at = str_cstr(text); (at = strstr(at, what)) != NULL;
	     at++)
		n++;
	return n;
}

static void check_has(struct world *w, const char *line)
{
	struct str text = STR_INIT;

	sched_metrics_print(&w->s, &text);
	if (count(&text, line) != 1)
		fail_msg("%zu times %s", count(&text, line), line);
	str_done(&text);
}

static void test_labels_are_quoted(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	check_has(&w, "\nzpost_build_info{version=\"1.2\\\"3\\\\\"} 1\n");
	sched_metrics_fate(
	    w.s.metrics,
	    sched_metrics_channel(w.s.metrics, SLICE("a\"b\\c\nd\xff e")),
	    SCHED_FAILED, SLICE("5.7.1"), 0);
	check_has(&w, "\nzpost_results_total{channel=\"a\\\"b\\\\c?d??e\","
		      "outcome=\"failed\"} 1\n");
	end(&w);
}

static void test_only_codes_are_counted_as_codes(void **state)
{
	static const char *const bad[] = {
		"",	  "5",	      "5.1",	"3.1.1",   "5.1.x",  "5..1",
		"5.1.1x", "5.1.1111", "15.1.1", "5.1.1\n", "-5.1.1", "5 .1.1",
	};
	struct world w;
	struct str text = STR_INIT;

	(void)state;
	begin(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		sched_metrics_fate(
		    w.s.metrics, sched_metrics_channel(w.s.metrics, SLICE("c")),
		    SCHED_FAILED, slice_of(bad[i]), 0);
	sched_metrics_print(&w.s, &text);
	assert_int_equal(count(&text, ",status=\""), 0);
	sched_metrics_fate(w.s.metrics, 0, SCHED_FAILED, SLICE("5.1.1"), 0);
	sched_metrics_fate(w.s.metrics, 0, SCHED_FAILED,
			   SLICE("5.1.1 (no such user)"), 0);
	sched_metrics_fate(w.s.metrics, 0, SCHED_DEFERRED, SLICE("4.999.999"),
			   0);
	check_has(&w, "zpost_results_by_status_total{outcome=\"failed\","
		      "status=\"5.1.1\"} 2\n");
	check_has(&w, "zpost_results_by_status_total{outcome=\"deferred\","
		      "status=\"4.999.999\"} 1\n");
	str_done(&text);
	end(&w);
}

static void test_endless_channels_and_codes_make_few_rows(void **state)
{
	struct world w;
	struct str text = STR_INIT, name = STR_INIT;

	(void)state;
	begin(&w);
	for (unsigned i = 0; i < 5000; i++) {
		struct str status = STR_INIT;

		str_clear(&name);
		str_addf(&name, "channel%u", i);
		str_addf(&status, "5.%u.%u", i / 1000, i % 1000);
		sched_metrics_fate(
		    w.s.metrics,
		    sched_metrics_channel(w.s.metrics, str_slice(&name)),
		    SCHED_FAILED, str_slice(&status), 0);
		str_done(&status);
	}
	sched_metrics_print(&w.s, &text);
	assert_int_equal(count(&text, "\nzpost_agents{"), 32);
	assert_int_equal(count(&text, "\nzpost_results_by_status_total{"), 193);
	check_has(&w, "{channel=\"all others\",outcome=\"failed\"} 4969\n");
	check_has(&w, "{outcome=\"failed\",status=\"other\"} 4808\n");
	str_done(&name);
	str_done(&text);
	end(&w);
}

static void test_agents_that_run_are_those_not_ended(void **state)
{
	struct world w;
	unsigned row;

	(void)state;
	begin(&w);
	row = sched_metrics_channel(w.s.metrics, SLICE("smtp"));
	for (int i = 0; i < 5; i++)
		sched_metrics_agent_start(w.s.metrics, row);
	sched_metrics_agent_end(w.s.metrics, row, true);
	sched_metrics_agent_end(w.s.metrics, row, false);
	check_has(&w, "\nzpost_agents{channel=\"smtp\"} 3\n");
	check_has(&w, "\nzpost_agents_ended_badly_total{channel=\"smtp\"} 1\n");
	end(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels_are_quoted),
		cmocka_unit_test(test_only_codes_are_counted_as_codes),
		cmocka_unit_test(test_endless_channels_and_codes_make_few_rows),
		cmocka_unit_test(test_agents_that_run_are_those_not_ended),
	};

	return TEST_RUN(tests);
}
