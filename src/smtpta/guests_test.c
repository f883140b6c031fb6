/*
 * guests_test.c - who comes along over a session, and who is sent home.
 */
#include "smtpta/guests.h"

#include "agent/test_post.h"
#include "smtpta/test_talk.h"

#define OF(host, user) "r" POST_SLOTS "smtp " host " " user " 501\n"
#define HOST_OF(name)                                      \
	name " MX nodata insecure network 5 -\n" name      \
	     " A ok insecure network 5 - 127.0.0.1\n" name \
	     " AAAA nodata insecure network 5 -\n"

/* The servers' names, and who has them as exchangers. */
static const char answers[] = HOST_OF("mx.example") HOST_OF(
    "mx2.example") "good.example MX ok insecure network 5 - 10:mx.example "
		   "20:mx2.example\n"
		   "both.example MX ok insecure network 5 - 10:mx.example "
		   "10:MX2.example\n"
		   "far.example MX ok insecure network 5 - 10:mx2.example\n"
		   "later.example MX servfail insecure network 5 -\n";

static const char file[] =
    POST_HEAD POST_RCPT("own@x") OF("good.example", "good@x")
	OF("both.example", "both@x") OF("far.example", "far@x")
	    OF("later.example", "later@x") OF("[192.0.2.1]", "literal@x")
		OF("GOOD.example", "good2@x") POST_HEADER;

struct party {
	struct post post;
	struct talk talk;
	struct flight *flight;
	struct guests *guests;
	const char *refused; /* by may_share(); NULL: none */
	size_t n_asked;	     /* answers that came */
};

static void count_answer(void *context, const struct dns_answer *answer)
{
	struct party *p = context;

	p->n_asked += answer->type == DNS_MX;
}

static bool may_share(void *context, struct slice domain)
{
	const struct party *p = context;

	return p->refused == NULL || !slice_eq(domain, slice_of(p->refused));
}

static void party_begin(struct party *p)
{
	struct guests_setup setup;

	*p = (struct party){ 0 };
	post_open(&p->post);
	post_job(file);
	talk_begin(&p->talk, SERVER_HELLO("SIZE") "C:QUIT\n" SERVER_HELLO(
				 "SIZE") SERVER_QUIT);
	p->talk.options.dns.on_answer = count_answer;
	p->talk.options.dns.context = p;
	talk_by_source(&p->talk, answers_of(answers));
	assert_true(talk_open(&p->talk));
	p->flight = flight_of_job(SLICE("24700"), SLICE("example.com"));
	post_open_job(&p->post, &p->flight->job);
	p->flight->state = FLIGHT_OPEN;
	body_begin(&p->flight->body, &p->flight->job.message);
	flight_make_batches(p->post.agent, p->flight);
	setup = (struct guests_setup){ .options = &p->talk.options,
				       .agent = p->post.agent,
				       .session = p->talk.session,
				       .dns = p->talk.dns,
				       .may_share = may_share,
				       .context = p };
	p->guests = guests_new(&setup);
	p->n_asked = 0;
}

static void party_seat(struct party *p, const char *tags)
{
	guests_seat(p->guests, p->flight);
	assert_string_equal(post_tags(&p->post, "24700"), tags);
}

/* Goes to the other host, in a new session. */
static void move_on(struct party *p, const char *host)
{
	session_close(p->talk.session, "test");
	str_clear(&p->talk.host);
	str_adds(&p->talk.host, host);
	assert_true(talk_open(&p->talk));
}

static void party_end(struct party *p, const char *tags)
{
	guests_free(p->guests);
	flight_free(p->post.agent, p->flight);
	assert_string_equal(post_tags(&p->post, "24700"), tags);
	if (session_number(p->talk.session) == 1)
		move_on(p, "mx2.example"); /* the server expects it */
	session_close(p->talk.session, "test");
	talk_leave(&p->talk);
	server_end(&p->talk.server);
	server_done(&p->talk.server);
	str_done(&p->talk.host);
	post_close(&p->post);
}

static void test_those_with_the_host_as_best_exchanger_come(void **state)
{
	static const size_t order[] = { 0, 1, 2, 3 };
	const struct batch *b;
	struct party p;

	(void)state;
	party_begin(&p);
	party_seat(&p, "~~~   ~");
	b = TAILQ_FIRST(&p.flight->batches);
	assert_int_equal(b->t.n_rcpts, 4);
	assert_memory_equal(b->rcpts, order, sizeof(order));
	assert_null(TAILQ_NEXT(b, link));
	party_end(&p, "       ");
}

static void test_domains_are_asked_for_once_in_a_session(void **state)
{
	struct party p;

	(void)state;
	party_begin(&p);
	party_seat(&p, "~~~   ~");
	assert_int_equal(p.n_asked, 4);
	party_seat(&p, "~~~   ~");
	p.flight->seated_for = 0;
	party_seat(&p, "~~~   ~");
	assert_int_equal(p.n_asked, 4);
	party_end(&p, "       ");
}

static void test_each_domain_keeps_its_own_word(void **state)
{
	struct party p;

	(void)state;
	party_begin(&p);
	p.refused = "good.example";
	party_seat(&p, "~ ~    ");
	party_end(&p, "       ");
}

static void test_only_those_stay_whose_host_the_next_one_is(void **state)
{
	struct party p;

	(void)state;
	party_begin(&p);
	party_seat(&p, "~~~   ~");
	move_on(&p, "mx2.example");
	/* Whoever was put back is not taken again; the far one comes now. */
	party_seat(&p, "~ ~~   ");
	party_end(&p, "       ");
}

static void test_guests_leave_and_the_others_stay(void **state)
{
	struct batch *b;
	struct party p;

	(void)state;
	party_begin(&p);
	party_seat(&p, "~~~   ~");
	b = TAILQ_FIRST(&p.flight->batches);
	assert_true(guests_leave(p.post.agent, b));
	assert_int_equal(b->t.n_rcpts, 1);
	assert_string_equal(post_tags(&p.post, "24700"), "~      ");
	party_end(&p, "       ");
}

static void test_batch_of_guests_alone_is_over_when_they_leave(void **state)
{
	struct batch *b;
	struct party p;

	(void)state;
	party_begin(&p);
	party_seat(&p, "~~~   ~");
	b = TAILQ_FIRST(&p.flight->batches);
	flight_split_batch(b, 1);
	b = TAILQ_NEXT(b, link);
	assert_int_equal(b->t.n_rcpts, 3);
	assert_false(guests_leave(p.post.agent, b));
	assert_int_equal(p.flight->n_open, 1);
	assert_string_equal(post_tags(&p.post, "24700"), "~      ");
	party_end(&p, "       ");
}

static void test_nothing_is_asked_where_nobody_waits(void **state)
{
	struct party p;

	(void)state;
	party_begin(&p);
	flight_set_state(TAILQ_FIRST(&p.flight->batches), BATCH_SENT);
	party_seat(&p, "~      ");
	guests_seat(NULL, p.flight);
	assert_int_equal(p.n_asked, 0);
	party_end(&p, "       ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_those_with_the_host_as_best_exchanger_come),
		cmocka_unit_test(test_domains_are_asked_for_once_in_a_session),
		cmocka_unit_test(test_each_domain_keeps_its_own_word),
		cmocka_unit_test(
		    test_only_those_stay_whose_host_the_next_one_is),
		cmocka_unit_test(test_guests_leave_and_the_others_stay),
		cmocka_unit_test(
		    test_batch_of_guests_alone_is_over_when_they_leave),
		cmocka_unit_test(test_nothing_is_asked_where_nobody_waits),
	};

	return TEST_RUN(tests);
}
