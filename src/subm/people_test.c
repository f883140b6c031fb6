/*
 * people_test.c - users are asked for now and then, and kept from the log.
 */
#include "subm/people.h"

#include "base/keyword.h"
#include "base/test.h"

static unsigned n_uids, n_users;
static uid_t of_name = 7;

static bool find_uid(void *context, const char *name, uid_t *ret)
{
	(void)context;
	(void)name;
	n_uids++;
	*ret = of_name;
	return true;
}

static bool find_user(uid_t uid, struct arena *a, struct slice *ret_login,
		      struct slice *ret_name)
{
	n_users++;
	if (uid == 9)
		return false;
	*ret_login = arena_printf(a, "u%u", (unsigned)uid);
	*ret_name = SLICE("N");
	return true;
}

static struct subm_people make(const char *trusted)
{
	n_uids = n_users = 0;
	of_name = 7;
	return (struct subm_people){
		.source = { find_uid, find_user },
		.trusted = slice_of(trusted),
	};
}

static void test_system_is_asked_once_a_minute(void **state)
{
	struct subm_people p = make("some");
	struct subm_person *person = NULL;

	(void)state;
	for (int64_t now = 100; now < 160; now++) {
		person = subm_people_find(&p, 7, now);
		subm_person_ask_names(&p, person, now);
		assert_true(person->is_trusted);
		assert_slice_is(person->login, "u7");
	}
	assert_int_equal(n_uids, 1);
	assert_int_equal(n_users, 1);
	of_name = 8;
	person = subm_people_find(&p, 7, 160);
	subm_person_ask_names(&p, person, 160);
	assert_false(person->is_trusted);
	assert_int_equal(n_uids, 2);
	assert_int_equal(n_users, 2);
	subm_people_renew(&p, SLICE("7"));
	assert_true(subm_people_find(&p, 7, 161)->is_trusted);
	subm_people_done(&p);
}

static void test_user_nobody_knows_has_no_name(void **state)
{
	struct subm_people p = make("");
	struct subm_person *person = subm_people_find(&p, 9, 1);

	(void)state;
	subm_person_ask_names(&p, person, 1);
	assert_int_equal(person->login.len + person->name.len, 0);
	assert_false(person->is_trusted);
	assert_true(subm_people_find(&p, 0, 1)->is_trusted);
	subm_people_done(&p);
}

static void test_lines_are_paid_for_in_time(void **state)
{
	struct subm_people p = make("");
	struct subm_person *one = subm_people_find(&p, 1, 1000);
	struct subm_person *other = subm_people_find(&p, 2, 1000);
	unsigned n_said = 0;
	uint64_t unsaid, all = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n_said += subm_person_may_log(one, 1000, &unsaid);
	assert_int_equal(n_said, SUBM_LOG_BURST);
	assert_true(subm_person_may_log(other, 1000, &unsaid));
	/* From then on one in so many seconds, which tells of the others. */
	n_said = 0;
	for (int64_t now = 1001; now <= 1000 + 10 * SUBM_LOG_SECONDS; now++)
		for (int i = 0; i < 5; i++)
			if (subm_person_may_log(one, now, &unsaid)) {
				n_said++;
				all += unsaid;
			}
	assert_int_equal(n_said, 10);
	assert_int_equal(all + one->n_unsaid, 1000 - SUBM_LOG_BURST +
						  5 * 10 * SUBM_LOG_SECONDS -
						  10);
	/* After a rest all is as at first. */
	n_said = 0;
	for (int i = 0; i < 1000; i++)
		n_said += subm_person_may_log(one, 5000, &unsaid);
	assert_int_equal(n_said, SUBM_LOG_BURST);
	subm_people_done(&p);
}

static uint64_t told;

static void tell(uid_t uid, uint64_t n_unsaid)
{
	assert_int_equal(uid, 1);
	told += n_unsaid;
}

static void test_who_is_gone_is_forgotten(void **state)
{
	struct subm_people p = make("");
	struct subm_person *one = subm_people_find(&p, 1, 100);
	struct subm_person *stays = subm_people_find(&p, 2, 100);
	uint64_t unsaid;

	(void)state;
	told = 0;
	stays->n_connections = 1;
	for (int i = 0; i < SUBM_LOG_BURST + 3; i++)
		(void)!subm_person_may_log(one, 100, &unsaid);
	subm_people_tidy(&p, 200, tell);
	assert_int_equal(HASH_COUNT(p.all), 2);
	subm_people_tidy(&p, 1000, tell);
	assert_int_equal(HASH_COUNT(p.all), 1);
	assert_int_equal(told, 3);
	stays->n_connections = 0;
	subm_people_tidy(&p, 1000, tell);
	assert_int_equal(HASH_COUNT(p.all), 0);
	subm_people_done(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_is_asked_once_a_minute),
		cmocka_unit_test(test_user_nobody_knows_has_no_name),
		cmocka_unit_test(test_lines_are_paid_for_in_time),
		cmocka_unit_test(test_who_is_gone_is_forgotten),
	};

	return TEST_RUN(tests);
}
