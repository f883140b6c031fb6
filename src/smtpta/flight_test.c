/*
 * flight_test.c - job lines as flights, and their recipients in batches.
 */
#include "smtpta/flight.h"

#include "agent/test_post.h"

/* Opens job "24700" as a flight. */
static struct flight *flight_open(struct post *p)
{
	struct flight *f = flight_of_job(SLICE("24700"), SLICE("example.com"));

	assert_int_equal(f->state, FLIGHT_WAITING);
	post_open_job(p, &f->job);
	f->state = FLIGHT_OPEN;
	body_begin(&f->body, &f->job.message);
	return f;
}

/* All batches as "0 1|2": their recipients, and bars between them. */
static const char *print_batches(const struct flight *f)
{
	struct str text = STR_INIT;
	const struct batch *b;
	const char *kept;

	TAILQ_FOREACH (b, &f->batches, link) {
		str_adds(&text, text.len > 0 ? "|" : "");
		for (size_t i = 0; i < b->t.n_rcpts; i++)
			str_addf(&text, "%s%zu", i > 0 ? " " : "", b->rcpts[i]);
	}
	kept = arena_cstr(f->job.arena, str_slice(&text));
	str_done(&text);
	return kept;
}

static void test_line_without_work_is_over_at_once(void **state)
{
	struct flight *f = flight_of_line();
	struct post p;

	(void)state;
	post_open(&p);
	assert_int_equal(f->state, FLIGHT_OVER);
	assert_false(f->is_job);
	post_said(&p);
	flight_free(p.agent, f);
	assert_string_equal(post_said(&p), "");
	post_close(&p);
}

static void test_flight_keeps_the_words_of_its_line(void **state)
{
	char name[] = "24700", host[] = "mx.example";
	struct flight *f = flight_of_job(slice_of(name), slice_of(host));
	struct post p;

	(void)state;
	post_open(&p);
	memset(name, 'x', sizeof(name) - 1);
	memset(host, 'x', sizeof(host) - 1);
	assert_true(f->is_job);
	assert_slice_is(f->name, "24700");
	assert_slice_is(f->host, "mx.example");
	flight_free(p.agent, f); /* without having been opened */
	post_close(&p);
}

static void test_each_group_is_a_batch(void **state)
{
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@x") POST_RCPT("b@x")
		     POST_HEADER POST_RCPT("c@x") POST_HEADER
		 "s local - other@x 501\n" POST_RCPT("d@x") POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	assert_string_equal(print_batches(f), "0 1|2|3");
	assert_int_equal(f->n_open, 3);
	assert_int_equal(f->state, FLIGHT_OPEN);
	flight_free(p.agent, f);
	assert_string_equal(post_tags(&p, "24700"), "    ");
	post_close(&p);
}

/* Counts the reports that hold a text. */
static size_t count_said(struct post *p, const char *text)
{
	const char *at = post_said(p);
	size_t n = 0;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		n++;
	}
	return n;
}

static void test_bad_recipient_is_refused_and_leaves_the_others(void **state)
{
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@x") POST_RCPT("b>@x") POST_RCPT("c@x")
		     POST_HEADER POST_RCPT("<d@x>") POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	assert_string_equal(print_batches(f), "0 2");
	assert_string_equal(post_tags(&p, "24700"), "~-~-");
	agent_job_say(p.agent, &f->job);
	assert_int_equal(count_said(&p, "\terror2 recipient address is not a "
					"valid RFC 5321 path: <"),
			 2);
	flight_free(p.agent, f);
	assert_string_equal(post_tags(&p, "24700"), " - -");
	assert_int_equal(count_said(&p, "\tdeferred "), 2);
	post_close(&p);
}

static void test_bad_sender_refuses_all_its_recipients(void **state)
{
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD "s smtp - bad> 501\n" POST_RCPT("a@x")
		     POST_RCPT("b@x") POST_HEADER
		 "s error - bad> 501\n" POST_RCPT("c@x") POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	assert_string_equal(print_batches(f), "2");
	agent_job_say(p.agent, &f->job);
	assert_int_equal(count_said(&p, "\terror2 sender address is not a "
					"valid RFC 5321 path: <bad>>"),
			 2);
	flight_free(p.agent, f);
	assert_string_equal(post_tags(&p, "24700"), "-- ");
	post_close(&p);
}

/* BY= stands at the time of the test; it counts only with R. */
static void test_passed_deadline_is_settled_before_any_host(void **state)
{
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@x") "N BY=1767268805;R\n" POST_RCPT(
	    "b@x") "N BY=1767268806;R\n" POST_RCPT("c@x") "N "
							  "BY=1767268805;N"
							  "\n" POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	assert_string_equal(print_batches(f), "1 2");
	agent_job_say(p.agent, &f->job);
	assert_int_equal(count_said(&p, "\terror2 deliver-by time has passed"),
			 1);
	flight_free(p.agent, f);
	assert_string_equal(post_tags(&p, "24700"), "-  ");
	post_close(&p);
}

static void test_flight_without_anybody_to_send_to_is_over(void **state)
{
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a>@x") POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	assert_int_equal(f->state, FLIGHT_OVER);
	assert_true(TAILQ_EMPTY(&f->batches));
	flight_free(p.agent, f);
	post_close(&p);
}

static void test_flight_is_over_with_its_last_batch(void **state)
{
	static size_t more[] = { 1, 0 };
	struct batch *first, *added;
	struct flight *f;
	struct post p;

	(void)state;
	post_open(&p);
	post_job(POST_HEAD POST_RCPT("a@x") POST_RCPT("b@x") POST_RCPT("c@x")
		     POST_HEADER POST_RCPT("d@x") POST_HEADER);
	f = flight_open(&p);
	flight_make_batches(p.agent, f);
	first = TAILQ_FIRST(&f->batches);
	flight_split_batch(first, 2);
	assert_string_equal(print_batches(f), "0 1|2|3");
	added = flight_add_batch(f, NULL, more, 1);
	assert_string_equal(print_batches(f), "0 1|2|3|1");
	flight_end_batch(added);
	added = flight_add_batch(f, first, more, 2);
	assert_string_equal(print_batches(f), "0 1|1 0|2|3");
	assert_int_equal(added->state, BATCH_WAITING);
	assert_int_equal(f->n_open, 4);
	while (f->n_open > 0) {
		assert_int_equal(f->state, FLIGHT_OPEN);
		flight_end_batch(first);
		assert_int_equal(first->state, BATCH_OVER);
		first = TAILQ_NEXT(first, link);
	}
	assert_int_equal(f->state, FLIGHT_OVER);
	flight_free(p.agent, f);
	post_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_without_work_is_over_at_once),
		cmocka_unit_test(test_flight_keeps_the_words_of_its_line),
		cmocka_unit_test(test_each_group_is_a_batch),
		cmocka_unit_test(
		    test_bad_recipient_is_refused_and_leaves_the_others),
		cmocka_unit_test(test_bad_sender_refuses_all_its_recipients),
		cmocka_unit_test(
		    test_passed_deadline_is_settled_before_any_host),
		cmocka_unit_test(
		    test_flight_without_anybody_to_send_to_is_over),
		cmocka_unit_test(test_flight_is_over_with_its_last_batch),
	};

	return TEST_RUN(tests);
}
