/*
 * race_test.c - who wins, in which order things happen, and what is learnt.
 *
 * What happens is written as "begin 0, fail 0 ECONNREFUSED, begin 1, won 1"
 * with indices of the list as it was given. A black hole is a listener whose
 * queue is full: Linux drops what comes. The tests have a network of their
 * own where they may, in which nothing but loopback can be reached.
 */
#include "net/race.h"

#include "net/test_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { LONG = 60000, LIST_MAX = 48 };

/* ---- the scene ---------------------------------------------------------- */

/* A kind of address for each letter. */
enum kind {
	GOOD = 'g',    /* takes connections */
	CLOSED = 'c',  /* refuses them */
	HOLE = 'h',    /* drops them */
	NOWHERE = 'n', /* cannot be reached at all */
	/* The same in IPv6. */
	GOOD6 = 'G',
	CLOSED6 = 'C',
	NOWHERE6 = 'N'
};

/* How often a socket was asked for. */
static unsigned sockets;

int socket(int family, int type, int protocol)
{
	sockets++;
	return (int)syscall(SYS_socket, family, type, protocol);
}

struct scene {
	struct net_addr addrs[LIST_MAX];
	struct crowd holes[LIST_MAX];
	int fds[LIST_MAX]; /* what listens, or is bound; -1: nothing */
	size_t n;
	int lowest_fd; /* that is free */
	struct race_options how;
	struct race *race;
	struct str said;
	size_t running, most; /* at a time */
	int opened;	      /* hole that opens when another begins; or -1 */
	bool dawdles;	      /* when one begins */
};

static int lowest_fd(void)
{
	int fd = dup(0);

	fd_close(fd);
	return fd;
}

static void add(struct scene *s, char kind)
{
	bool is_v6 = kind == GOOD6 || kind == CLOSED6;
	struct net_addr *addr = &s->addrs[s->n];
	int *fd = &s->fds[s->n];

	*addr = loopback(is_v6 ? "[IPv6:::1]" : "[127.0.0.1]");
	*fd = -1;
	if (kind == GOOD || kind == GOOD6)
		*fd = bind_to(addr, 4);
	else if (kind == CLOSED || kind == CLOSED6)
		*fd = bind_to(addr, -1);
	else if (kind == HOLE)
		crowd_make(&s->holes[s->n], addr);
	else
		*addr = loopback(kind == NOWHERE6 ? "[IPv6:2001:db8::1]:25"
						  : "[192.0.2.1]:25");
	/* Nowhere has many addresses. */
	if (kind == NOWHERE)
		addr->u.v4.sin_addr.s_addr += htonl((uint32_t)s->n);
	if (kind == NOWHERE6)
		addr->u.v6.sin6_addr.s6_addr[15] = (uint8_t)s->n;
	s->n++;
}

static void word(struct scene *s, const char *what, size_t index)
{
	str_addf(&s->said, "%s%s %zu", s->said.len > 0 ? ", " : "", what,
		 index);
}

static void tell(void *context, const struct race_news *news)
{
	struct scene *s = context;

	assert_int_equal(net_addr_port(news->addr),
			 net_addr_port(&s->addrs[news->index]));
	assert_true(news->began <= news->ended);
	assert_true(news->ended <= conn_now());
	assert_int_equal(news->err != NULL, news->state == RACE_FAILED);
	assert_int_equal(news->failure != 0, news->state == RACE_FAILED);
	switch (news->state) {
	case RACE_BEGUN:
		word(s, "begin", news->index);
		if (++s->running > s->most)
			s->most = s->running;
		/* Lets the next one become due. */
		if (s->dawdles)
			poll(NULL, 0, 2 * (int)s->how.stagger_ms);
		if (s->opened >= 0 && news->index > 0)
			/* It takes connections from now on. */
			listen(s->holes[s->opened].listener, 64);
		return;
	case RACE_CONNECTED:
		word(s, "won", news->index);
		break;
	case RACE_FAILED:
		word(s, "fail", news->index);
		str_addf(&s->said, " %s%s",
			 news->failure == CONN_NO_BIND ? "bind " : "",
			 strerrorname_np(news->err->code));
		break;
	case RACE_LOST:
		word(s, "lost", news->index);
		break;
	}
	s->running--;
}

/* The scene of these kinds; s->how can be changed until scene_begin(). */
static struct scene *scene_new(const char *kinds)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	for (; *kinds != '\0'; kinds++) {
		assert_true(s->n < LIST_MAX);
		add(s, *kinds);
	}
	s->opened = -1;
	s->how.conn.timeout_ms = LONG;
	s->how.stagger_ms = LONG;
	s->how.tell = tell;
	s->how.context = s;
	return s;
}

static void scene_begin(struct scene *s)
{
	s->lowest_fd = lowest_fd();
	s->race = race_new(s->addrs, s->n, &s->how);
}

/* Runs on, and closes what it got. */
static void expect(struct scene *s, enum race_result result, const char *want)
{
	struct conn *c = NULL;
	size_t index = 99;

	str_clear(&s->said);
	assert_int_equal(race_next(s->race, &c, &index), result);
	assert_slice_is(str_slice(&s->said), want);
	assert_int_equal(c != NULL, result == RACE_WON);
	if (c != NULL)
		assert_int_equal(net_addr_port(conn_peer(c)),
				 net_addr_port(&s->addrs[index]));
	conn_close(c);
	assert_int_equal(s->running, 0);
	assert_int_equal(lowest_fd(), s->lowest_fd);
}

static void scene_end(struct scene *s)
{
	race_free(s->race);
	for (size_t i = 0; i < s->n; i++) {
		fd_close(s->fds[i]);
		if (s->holes[i].n > 0)
			crowd_close(&s->holes[i]);
	}
	str_done(&s->said);
	free(s);
}

/* A race to its first end. */
static void check_race(const char *kinds, int64_t stagger_ms,
		       enum race_result result, const char *want)
{
	struct scene *s = scene_new(kinds);

	s->how.stagger_ms = stagger_ms;
	scene_begin(s);
	expect(s, result, want);
	scene_end(s);
}

static bool yes(void)
{
	return true;
}

static bool no(void)
{
	return false;
}

/* ---- who wins ----------------------------------------------------------- */

static void test_first_address_that_answers_wins(void **state)
{
	(void)state;
	check_race("g", LONG, RACE_WON, "begin 0, won 0");
	check_race("G", LONG, RACE_WON, "begin 0, won 0");
	check_race("ggg", LONG, RACE_WON, "begin 0, won 0");
}

static void test_next_starts_at_once_when_one_fails(void **state)
{
	(void)state;
	check_race("cg", LONG, RACE_WON,
		   "begin 0, fail 0 ECONNREFUSED, begin 1, won 1");
	check_race("cc", LONG, RACE_OVER,
		   "begin 0, fail 0 ECONNREFUSED, "
		   "begin 1, fail 1 ECONNREFUSED");
}

static void test_next_starts_after_a_while_beside_one_that_is_silent(void **st)
{
	(void)st;
	check_race("hg", 20, RACE_WON, "begin 0, begin 1, won 1, lost 0");
	check_race("hhg", 20, RACE_WON,
		   "begin 0, begin 1, begin 2, won 2, lost 0, lost 1");
	check_race("hcg", 20, RACE_WON,
		   "begin 0, begin 1, fail 1 ECONNREFUSED, begin 2, won 2, "
		   "lost 0");
}

static void test_nobody_starts_beside_one_who_is_there(void **state)
{
	struct scene *s = scene_new("gg");

	(void)state;
	s->how.stagger_ms = 10;
	s->dawdles = true;
	scene_begin(s);
	expect(s, RACE_WON, "begin 0, won 0");
	scene_end(s);
}

static void test_families_take_turns(void **state)
{
	(void)state;
	check_race("ccCC", LONG, RACE_OVER,
		   "begin 0, fail 0 ECONNREFUSED, "
		   "begin 2, fail 2 ECONNREFUSED, "
		   "begin 1, fail 1 ECONNREFUSED, "
		   "begin 3, fail 3 ECONNREFUSED");
	check_race("hcG", 20, RACE_WON, "begin 0, begin 2, won 2, lost 0");
	check_race("Ccg", LONG, RACE_WON,
		   "begin 0, fail 0 ECONNREFUSED, "
		   "begin 1, fail 1 ECONNREFUSED, begin 2, won 2");
}

static void test_network_that_cannot_be_reached_costs_no_time(void **state)
{
	(void)state;
	if (!has_own_network)
		skip();
	check_race("Nng", LONG, RACE_WON,
		   "begin 0, fail 0 ENETUNREACH, "
		   "begin 1, fail 1 ENETUNREACH, begin 2, won 2");
}

static void test_unix_socket_passes_through(void **state)
{
	struct net_addr addr;
	char dir[] = "/tmp/zpost-race-XXXXXX", path[64];
	struct scene *s = scene_new("");
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	assert_int_equal(net_unix_addr(slice_of(path), &addr, &err), 0);
	s->addrs[0] = addr;
	s->fds[0] = bind_to(&addr, 4);
	s->n = 1;
	scene_begin(s);
	expect(s, RACE_WON, "begin 0, won 0");
	scene_end(s);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* ---- going on ----------------------------------------------------------- */

static void test_race_goes_on_when_the_winner_is_of_no_use(void **state)
{
	struct scene *s = scene_new("cgg");
	struct err err;

	(void)state;
	scene_begin(s);
	assert_int_equal(race_left(s->race), 3);
	assert_int_equal(race_failure(s->race, &err), 0);
	expect(s, RACE_WON, "begin 0, fail 0 ECONNREFUSED, begin 1, won 1");
	assert_int_equal(race_left(s->race), 1);
	expect(s, RACE_WON, "begin 2, won 2");
	/* Each had its chance, once. */
	assert_int_equal(race_left(s->race), 0);
	expect(s, RACE_OVER, "");
	expect(s, RACE_OVER, "");
	assert_int_equal(race_failure(s->race, &err), CONN_NO_CONNECTION);
	assert_int_equal(err.code, ECONNREFUSED);
	scene_end(s);
}

static void test_overtaken_address_comes_again_behind_the_others(void **state)
{
	struct scene *s = scene_new("hgg");

	(void)state;
	s->how.stagger_ms = 20;
	s->how.conn.timeout_ms = 600;
	scene_begin(s);
	expect(s, RACE_WON, "begin 0, begin 1, won 1, lost 0");
	assert_int_equal(race_left(s->race), 2);
	expect(s, RACE_WON, "begin 2, won 2");
	expect(s, RACE_OVER, "begin 0, fail 0 ETIMEDOUT");
	scene_end(s);
}

/* The first one answers late, after the second began: that is no shame. */
static void test_address_that_began_later_comes_again_first(void **state)
{
	struct scene *s = scene_new("hhg");

	(void)state;
	s->how.stagger_ms = 600;
	s->opened = 0;
	scene_begin(s);
	/* The system sends again what was dropped, after a second. */
	expect(s, RACE_WON, "begin 0, begin 1, won 0, lost 1");
	expect(s, RACE_WON, "begin 1, begin 2, won 2, lost 1");
	scene_end(s);
}

/* ---- ends --------------------------------------------------------------- */

static void test_each_address_has_a_time_of_its_own(void **state)
{
	struct scene *s = scene_new("hhg");

	(void)state;
	s->how.conn.timeout_ms = 100;
	scene_begin(s);
	/* Long before its turn by the clock of the race. */
	expect(s, RACE_WON,
	       "begin 0, fail 0 ETIMEDOUT, begin 1, fail 1 ETIMEDOUT, "
	       "begin 2, won 2");
	scene_end(s);
}

static void test_race_ends_at_its_deadline(void **state)
{
	struct scene *s = scene_new("hhg");
	struct err err;

	(void)state;
	s->how.deadline = conn_now() + 300;
	scene_begin(s);
	expect(s, RACE_TIMEOUT, "begin 0, fail 0 ETIMEDOUT");
	assert_int_equal(race_left(s->race), 2);
	assert_int_equal(race_failure(s->race, &err), CONN_NO_CONNECTION);
	assert_int_equal(err.code, ETIMEDOUT);
	expect(s, RACE_TIMEOUT, "");
	scene_end(s);
}

static void test_signal_ends_a_race_if_we_are_to_stop(void **state)
{
	struct scene *s = scene_new("hhg");
	struct err err;

	(void)state;
	s->how.conn.should_stop = yes;
	alarm_in(50);
	scene_begin(s);
	expect(s, RACE_STOPPED, "begin 0, fail 0 EINTR");
	alarm_off();
	assert_true(alarms > 0);
	assert_int_equal(race_left(s->race), 2);
	assert_int_equal(race_failure(s->race, &err), CONN_NO_CONNECTION);
	assert_int_equal(err.code, EINTR);
	scene_end(s);
}

static void test_other_signals_are_none_of_its_business(void **state)
{
	struct scene *s = scene_new("hg");

	(void)state;
	s->how.conn.should_stop = no;
	s->how.conn.timeout_ms = 300;
	alarm_in(50);
	scene_begin(s);
	expect(s, RACE_WON, "begin 0, fail 0 ETIMEDOUT, begin 1, won 1");
	alarm_off();
	assert_true(alarms > 0);
	scene_end(s);
}

/* Many addresses that refuse at once leave no moment for a signal. */
static void test_we_can_stop_between_two_failures(void **state)
{
	struct scene *s = scene_new("cccg");

	(void)state;
	s->how.conn.should_stop = yes;
	scene_begin(s);
	expect(s, RACE_STOPPED, "begin 0, fail 0 ECONNREFUSED");
	assert_int_equal(race_left(s->race), 3);
	scene_end(s);
}

/* ---- many --------------------------------------------------------------- */

static void test_every_one_of_many_addresses_is_tried_once(void **state)
{
	struct scene *s = scene_new("cccccccccccccccccccccccccccccccccccccccg");
	struct str want = STR_INIT;

	(void)state;
	for (unsigned i = 0; i < 39; i++)
		str_addf(&want, "begin %u, fail %u ECONNREFUSED, ", i, i);
	str_adds(&want, "begin 39, won 39");
	scene_begin(s);
	expect(s, RACE_WON, str_cstr(&want));
	assert_int_equal(s->most, 1);
	str_done(&want);
	scene_end(s);
}

static void test_number_under_way_is_bounded(void **state)
{
	struct scene *s = scene_new("hhhhhhhhhhg");
	struct conn *c;
	size_t index;

	(void)state;
	s->how.stagger_ms = 1;
	s->how.conn.timeout_ms = 600;
	scene_begin(s);
	assert_int_equal(race_next(s->race, &c, &index), RACE_WON);
	assert_int_equal(index, 10);
	assert_int_equal(s->most, RACE_RUNNERS_MAX);
	conn_close(c);
	scene_end(s);
}

static void test_descriptors_that_have_run_out_are_waited_for(void **state)
{
	struct scene *s = scene_new("hg");
	struct rlimit old, low;

	(void)state;
	s->how.stagger_ms = 10;
	s->how.conn.timeout_ms = 200;
	scene_begin(s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)s->lowest_fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	sockets = 0;
	expect(s, RACE_WON, "begin 0, fail 0 ETIMEDOUT, begin 1, won 1");
	/* Not asked for again and again. */
	assert_int_equal(sockets, 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	scene_end(s);
}

static void test_lack_of_a_descriptor_is_a_failure_if_none_comes_back(void **st)
{
	struct scene *s = scene_new("gg");
	struct rlimit old, low;
	size_t index;
	struct conn *c;

	(void)st;
	s->how.reach = reach_new();
	scene_begin(s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)s->lowest_fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(race_next(s->race, &c, &index), RACE_OVER);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_slice_is(str_slice(&s->said),
			"begin 0, fail 0 EMFILE, begin 1, fail 1 EMFILE");
	/* No address is to blame. */
	assert_false(
	    reach_doubts_address(s->how.reach, &s->addrs[0], conn_now()));
	reach_free(s->how.reach);
	scene_end(s);
}

/* ---- our end ------------------------------------------------------------ */

static struct lookup look_up(void *context, struct slice name, struct arena *a)
{
	struct lookup found = { .detail = "", .n = 2 };
	struct err err;

	assert_slice_is(name, "source.example");
	*(unsigned *)context += 1;
	found.addrs = arena_array(a, 2, sizeof(*found.addrs));
	/* One that is not ours, and one that is. */
	assert_int_equal(net_literal_parse(SLICE("[198.51.100.1]"), 0,
					   &found.addrs[0], &err),
			 0);
	found.addrs[1] = loopback("[IPv6:::1]");
	return found;
}

static void test_end_that_cannot_be_ours_fails_its_family_alone(void **state)
{
	struct scene *s = scene_new("ggggG");
	unsigned asked = 0;
	struct err err;

	(void)state;
	s->how.reach = reach_new();
	s->how.conn.from.lookup = look_up;
	s->how.conn.from.context = &asked;
	assert_int_equal(
	    local_parse(SLICE("source.example"), &s->how.conn.from.end, &err),
	    0);
	scene_begin(s);
	expect(s, RACE_WON,
	       "begin 0, fail 0 bind EADDRNOTAVAIL, begin 4, won 4");
	expect(s, RACE_OVER,
	       "begin 1, fail 1 bind EADDRNOTAVAIL, "
	       "begin 2, fail 2 bind EADDRNOTAVAIL, "
	       "begin 3, fail 3 bind EADDRNOTAVAIL");
	assert_int_equal(race_failure(s->race, &err), CONN_NO_BIND);
	/* Once for each family, and nothing is held against the hosts. */
	assert_int_equal(asked, 2);
	assert_false(
	    reach_doubts_address(s->how.reach, &s->addrs[0], conn_now()));
	assert_false(reach_doubts_family(s->how.reach, AF_INET, conn_now()));
	reach_free(s->how.reach);
	scene_end(s);
}

/* ---- memory ------------------------------------------------------------- */

/* A further race with the same memory. */
static void expect_again(struct scene *s, enum race_result result,
			 const char *want)
{
	race_free(s->race);
	scene_begin(s);
	expect(s, result, want);
}

static void test_next_race_begins_with_those_that_worked(void **state)
{
	struct scene *s = scene_new("chg");

	(void)state;
	s->how.reach = reach_new();
	s->how.stagger_ms = 20;
	s->how.conn.timeout_ms = 600;
	scene_begin(s);
	expect(s, RACE_WON,
	       "begin 0, fail 0 ECONNREFUSED, begin 1, begin 2, won 2, "
	       "lost 1");
	/* To be overtaken is as bad as to fail. */
	expect_again(s, RACE_WON, "begin 2, won 2");
	/* And nobody is left out. */
	expect(s, RACE_OVER,
	       "begin 0, fail 0 ECONNREFUSED, begin 1, fail 1 ETIMEDOUT");
	reach_free(s->how.reach);
	scene_end(s);
}

static void test_address_that_answers_again_is_forgiven(void **state)
{
	struct scene *s = scene_new("cg");

	(void)state;
	s->how.reach = reach_new();
	scene_begin(s);
	expect(s, RACE_WON, "begin 0, fail 0 ECONNREFUSED, begin 1, won 1");
	assert_int_equal(listen(s->fds[0], 4), 0);
	expect_again(s, RACE_WON, "begin 1, won 1");
	expect(s, RACE_WON, "begin 0, won 0");
	expect_again(s, RACE_WON, "begin 0, won 0");
	reach_free(s->how.reach);
	scene_end(s);
}

static void test_family_that_cannot_be_reached_starts_later(void **state)
{
	struct scene *s = scene_new("NNNN"), *later = scene_new("Gg");

	(void)state;
	if (!has_own_network) {
		scene_end(s);
		scene_end(later);
		skip();
	}
	s->how.reach = later->how.reach = reach_new();
	scene_begin(later);
	expect(later, RACE_WON, "begin 0, won 0");
	scene_begin(s);
	expect(s, RACE_OVER,
	       "begin 0, fail 0 ENETUNREACH, begin 1, fail 1 ENETUNREACH, "
	       "begin 2, fail 2 ENETUNREACH, begin 3, fail 3 ENETUNREACH");
	expect_again(later, RACE_WON, "begin 1, won 1");
	expect(later, RACE_WON, "begin 0, won 0");
	/* Which has shown that the family works. */
	expect_again(later, RACE_WON, "begin 0, won 0");
	reach_free(s->how.reach);
	scene_end(s);
	scene_end(later);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_address_that_answers_wins),
		cmocka_unit_test(test_next_starts_at_once_when_one_fails),
		cmocka_unit_test(
		    test_next_starts_after_a_while_beside_one_that_is_silent),
		cmocka_unit_test(test_nobody_starts_beside_one_who_is_there),
		cmocka_unit_test(test_families_take_turns),
		cmocka_unit_test(
		    test_network_that_cannot_be_reached_costs_no_time),
		cmocka_unit_test(test_unix_socket_passes_through),
		cmocka_unit_test(
		    test_race_goes_on_when_the_winner_is_of_no_use),
		cmocka_unit_test(
		    test_overtaken_address_comes_again_behind_the_others),
		cmocka_unit_test(
		    test_address_that_began_later_comes_again_first),
		cmocka_unit_test(test_each_address_has_a_time_of_its_own),
		cmocka_unit_test(test_race_ends_at_its_deadline),
		cmocka_unit_test(test_signal_ends_a_race_if_we_are_to_stop),
		cmocka_unit_test(test_other_signals_are_none_of_its_business),
		cmocka_unit_test(test_we_can_stop_between_two_failures),
		cmocka_unit_test(
		    test_every_one_of_many_addresses_is_tried_once),
		cmocka_unit_test(test_number_under_way_is_bounded),
		cmocka_unit_test(
		    test_descriptors_that_have_run_out_are_waited_for),
		cmocka_unit_test(
		    test_lack_of_a_descriptor_is_a_failure_if_none_comes_back),
		cmocka_unit_test(
		    test_end_that_cannot_be_ours_fails_its_family_alone),
		cmocka_unit_test(test_next_race_begins_with_those_that_worked),
		cmocka_unit_test(test_address_that_answers_again_is_forgiven),
		cmocka_unit_test(
		    test_family_that_cannot_be_reached_starts_later),
	};

	make_network();
	return TEST_RUN(tests);
}
