/*
 * gauge_test.c - what the live view keeps, counts and draws.
 */
#include "mailqb/gauge.h"

#include "base/keyword.h"
#include "base/test.h"

#include <string.h>

static void setup_gauge(struct mailq_gauge *g)
{
	memset(g, 0, sizeof(*g));
	g->arena = arena_new();
	g->is_up = true;
	g->now = 1000;
}

static void test_metrics_are_added_up(void **state)
{
	struct mailq_gauge g;

	(void)state;
	setup_gauge(&g);
	mailq_gauge_metric(&g, SLICE("zpost_results_total{channel=\"a\","
				     "outcome=\"delivered\"} 17"));
	mailq_gauge_metric(&g,
			   SLICE("zpost_results_total{outcome=\"delivered\","
				 "channel=\"b\"} 3"));
	mailq_gauge_metric(&g,
			   SLICE("zpost_results_total{outcome=\"expired\"} 5"));
	mailq_gauge_metric(&g,
			   SLICE("zpost_results_total{outcome=\"failed\"} 2"));
	mailq_gauge_metric(&g,
			   SLICE("zpost_results_total{outcome=\"held\"} 9"));
	mailq_gauge_metric(
	    &g, SLICE("zpost_results_total{outcome=\"deferred\"} x"));
	mailq_gauge_metric(&g, SLICE("zpost_results_total{outcome=\"deferred"));
	mailq_gauge_metric(&g,
			   SLICE("other_total{outcome=\"delivered\"} 1000"));
	mailq_gauge_metric(&g, SLICE("# HELP zpost_results_total x"));
	assert_int_equal(g.outcomes[MAILQ_DELIVERIES], 20);
	assert_int_equal(g.outcomes[MAILQ_FAILURES], 7);
	assert_int_equal(g.outcomes[MAILQ_DEFERRALS], 0);
	arena_free(g.arena);
}

static void test_rates(void **state)
{
	struct mailq_gauge g, before;

	(void)state;
	setup_gauge(&g);
	setup_gauge(&before);
	g.clock = 12000;
	before.clock = 10000;
	g.outcomes[MAILQ_DELIVERIES] = 125;
	before.outcomes[MAILQ_DELIVERIES] = 100;
	assert_int_equal(mailq_gauge_rate(&g, &before, MAILQ_DELIVERIES), 125);
	before.started = 7; /* another scheduler */
	assert_int_equal(mailq_gauge_rate(&g, &before, MAILQ_DELIVERIES), 0);
	before.started = 0;
	before.is_up = false;
	assert_int_equal(mailq_gauge_rate(&g, &before, MAILQ_DELIVERIES), 0);
	before.is_up = true;
	before.outcomes[MAILQ_DELIVERIES] = 126;
	assert_int_equal(mailq_gauge_rate(&g, &before, MAILQ_DELIVERIES), 0);
	before.clock = 12000;
	assert_int_equal(mailq_gauge_rate(&g, &before, MAILQ_DELIVERIES), 0);
	arena_free(g.arena);
	arena_free(before.arena);
}

static void test_only_the_first_are_kept_in_order(void **state)
{
	struct mailq_gauge g;

	(void)state;
	setup_gauge(&g);
	for (uint64_t i = 0; i < 1000; i++) {
		struct mailq_destination d = {
			.channel = SLICE("smtp"),
			.host = SLICE("x"),
			.recipients = i * 7919 % 1000,
			.until = (int64_t)(i * 7919 % 1000) + 500,
		};
		struct mailq_agent a = { .pid = (int64_t)i,
					 .since = (int64_t)(1000 - i) };

		if (i % 100 == 0)
			a.message = SLICE("1");
		mailq_gauge_place(&g, &d);
		mailq_gauge_agent(&g, &a);
	}
	assert_int_equal(g.places.n, MAILQ_GAUGE_ROWS);
	for (size_t i = 0; i < g.places.n; i++)
		assert_int_equal(g.places.rows[i].recipients, 999 - i);
	assert_int_equal(g.retries.n, MAILQ_GAUGE_ROWS);
	for (size_t i = 0; i < g.retries.n; i++)
		assert_int_equal(g.retries.rows[i].until, 1001 + i);
	assert_int_equal(g.n_agents, MAILQ_GAUGE_ROWS);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(g.agents[i].pid, 900 - i * 100);
	arena_free(g.arena);
}

/* The columns of the widest line, what a terminal does not show apart. */
static size_t widest(struct slice text, unsigned *ret_lines)
{
	size_t most = 0, at = 0;

	*ret_lines = 1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\033') {
			while (!ascii_is_alpha(text.p[i]))
				i++;
		} else if (text.p[i] == '\n') {
			(*ret_lines)++;
			at = 0;
		} else if (text.p[i] != '\r') {
			at++;
		}
		most = at > most ? at : most;
	}
	return most;
}

static void test_drawing_keeps_within_the_screen(void **state)
{
	struct mailq_gauge g, before;
	struct str text = STR_INIT;
	unsigned lines;

	(void)state;
	setup_gauge(&g);
	setup_gauge(&before);
	for (int i = 0; i < 100; i++) {
		struct mailq_destination d = {
			.channel = SLICE("a-channel-with-a-long-name"),
			.host = SLICE("a.host.with.a.long.name.example.com"),
			.recipients = UINT64_MAX,
			.until = 99999999999,
			.oldest = 1,
			.is_suspended = true,
			.reason = { SLICE("4.4.1"), SLICE("dns; x"),
				    SLICE("a long reason of many words") },
		};
		struct mailq_agent a = { .pid = INT64_MAX,
					 .host = d.host,
					 .message = d.host,
					 .since = 1,
					 .has_progress = true,
					 .done = UINT64_MAX,
					 .all = 1 };

		mailq_gauge_place(&g, &d);
		mailq_gauge_agent(&g, &a);
	}
	for (unsigned rows = 0; rows < 70; rows += 3)
		for (unsigned columns = 0; columns < 200; columns += 13) {
			str_clear(&text);
			mailq_gauge_draw(&text, &g, &before, rows, columns);
			assert_true(widest(str_slice(&text), &lines) <=
				    (columns > 20 ? columns : 20));
			assert_true(lines <= (rows > 6 ? rows : 6));
		}
	str_done(&text);
	arena_free(g.arena);
	arena_free(before.arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics_are_added_up),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_only_the_first_are_kept_in_order),
		cmocka_unit_test(test_drawing_keeps_within_the_screen),
	};

	return TEST_RUN(tests);
}
