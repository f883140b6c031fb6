/*
 * peers_test.c - what is remembered of servers, and which are forgotten.
 */
#include "smtpta/peers.h"

#include "base/str.h"
#include "base/test.h"

static void test_nothing_is_known_of_a_new_peer(void **state)
{
	struct peers *p = peers_new();
	struct peer *peer = peers_get(p, SLICE("mx.example"));

	(void)state;
	assert_int_equal(peer->ignored | peer->doubted, 0);
	assert_false(peer->no_window);
	peers_free(p);
}

static void test_peers_are_told_apart_by_name_without_case(void **state)
{
	struct peers *p = peers_new();

	(void)state;
	peers_get(p, SLICE("mx.example"))->ignored = 1;
	peers_get(p, SLICE("[192.0.2.1]"))->no_window = true;
	assert_int_equal(peers_get(p, SLICE("MX.Example"))->ignored, 1);
	assert_false(peers_get(p, SLICE("MX.Example"))->no_window);
	assert_true(peers_get(p, SLICE("[192.0.2.1]"))->no_window);
	assert_int_equal(peers_get(p, SLICE("mx.example."))->ignored, 0);
	assert_int_equal(peers_get(p, SLICE("mx"))->ignored, 0);
	assert_int_equal(peers_get(p, SLICE(""))->ignored, 0);
	peers_free(p);
}

static struct peer *numbered(struct peers *p, int number)
{
	struct str name = STR_INIT;
	struct peer *peer;

	str_addf(&name, "mx%d.example", number);
	peer = peers_get(p, str_slice(&name));
	str_done(&name);
	return peer;
}

/* 256 are remembered. */
static void test_the_one_asked_about_longest_ago_is_forgotten(void **state)
{
	struct peers *p = peers_new();

	(void)state;
	for (int i = 0; i < 256; i++)
		numbered(p, i)->no_window = true;
	assert_true(numbered(p, 0)->no_window); /* so it is not the oldest */
	assert_false(numbered(p, 256)->no_window);
	assert_true(numbered(p, 0)->no_window);
	for (int i = 2; i < 256; i++)
		assert_true(numbered(p, i)->no_window);
	assert_false(numbered(p, 1)->no_window);
	peers_free(p);
}

static void test_many_peers_take_no_more_room(void **state)
{
	struct peers *p = peers_new();

	(void)state;
	for (int i = 0; i < 10000; i++)
		numbered(p, i)->no_window = true;
	for (int i = 0; i < 9744; i++)
		assert_false(numbered(p, i)->no_window);
	peers_free(p);
}

static void test_no_memory_to_free(void **state)
{
	(void)state;
	peers_free(NULL);
	peers_free(peers_new());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_known_of_a_new_peer),
		cmocka_unit_test(
		    test_peers_are_told_apart_by_name_without_case),
		cmocka_unit_test(
		    test_the_one_asked_about_longest_ago_is_forgotten),
		cmocka_unit_test(test_many_peers_take_no_more_room),
		cmocka_unit_test(test_no_memory_to_free),
	};

	return TEST_RUN(tests);
}
