/*
 * tlssessions_test.c - TLS sessions in the store.
 */
#include "store/tlssessions.h"

#include "base/keyword.h"
#include "store/test_store.h"

static int save(struct store *s, const char *key, const char *der, int64_t now,
		int64_t expires)
{
	struct tlssession session = { slice_of(key), slice_of(der), expires };
	struct err err;

	return tlssessions_save(s, &session, now, &err);
}

typedef int getter(struct store *s, struct slice key, int64_t now,
		   struct str *der, struct err *err);

/* What a key gives: "" if there is none. Lives until the next call. */
static const char *get(getter *how, struct store *s, const char *key,
		       int64_t now)
{
	static char text[100];
	struct str der = STR_INIT;
	struct err err;
	int r = how(s, slice_of(key), now, &der, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	assert_int_equal(r, der.len > 0);
	snprintf(text, sizeof(text), "%s", str_cstr(&der));
	str_done(&der);
	return text;
}

static void test_a_session_is_loaded_again_and_again(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	assert_int_equal(save(s, "key", "session", 1000, 2000), 0);
	assert_string_equal(get(tlssessions_load, s, "key", 1001), "session");
	assert_string_equal(get(tlssessions_load, s, "key", 1999), "session");
	assert_string_equal(get(tlssessions_load, s, "KEY", 1001), "");
	assert_string_equal(get(tlssessions_load, s, "ke", 1001), "");
	store_free(s);
	place_remove(&p);
}

static void test_a_session_is_taken_once_the_newest_first(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir), *other = store_new(p.dir);

	(void)state;
	assert_int_equal(save(s, "key", "one", 1000, 2000), 0);
	assert_int_equal(save(other, "key", "two", 1000, 2000), 0);
	assert_string_equal(get(tlssessions_take, s, "key", 1001), "two");
	assert_string_equal(get(tlssessions_take, other, "key", 1001), "one");
	assert_string_equal(get(tlssessions_take, s, "key", 1001), "");
	store_free(s);
	store_free(other);
	place_remove(&p);
}

static void test_a_session_ends(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	int64_t far = 1000 + 10LL * TLSSESSIONS_AGE_MAX;

	(void)state;
	assert_int_equal(save(s, "key", "session", 1000, 2000), 0);
	assert_string_equal(get(tlssessions_load, s, "key", 2000), "");
	assert_int_equal(save(s, "over", "session", 1000, 1000), -1);
	/* Nothing lives longer than a week, whatever it says of itself. */
	assert_int_equal(save(s, "long", "session", 1000, far), 0);
	assert_string_equal(
	    get(tlssessions_load, s, "long", 1000 + TLSSESSIONS_AGE_MAX), "");
	/* Nor does it come out of the future. */
	assert_string_equal(get(tlssessions_load, s, "long", 900), "");
	assert_int_equal(save(s, "other", "session", 5000, 6000), 0);
	assert_int_equal(
	    outside(&p,
		    "SELECT count(*) FROM tls_sessions WHERE key=x'6b6579'"),
	    0);
	store_free(s);
	place_remove(&p);
}

static int save_sized(struct store *s, size_t key, size_t der)
{
	static const char bytes[TLSSESSIONS_DER_MAX + 1];
	struct tlssession session = { slice_make(bytes, key),
				      slice_make(bytes, der), 9 };
	struct err err;

	return tlssessions_save(s, &session, 1, &err);
}

static void test_sizes_are_bounded(void **state)
{
	static const char key[TLSSESSIONS_KEY_MAX];
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct str der = STR_INIT;
	struct err err;

	(void)state;
	assert_int_equal(save_sized(s, 1, TLSSESSIONS_DER_MAX + 1), -1);
	assert_int_equal(save_sized(s, 1, 0), -1);
	assert_int_equal(save_sized(s, 0, 1), -1);
	assert_int_equal(save_sized(s, TLSSESSIONS_KEY_MAX + 1, 1), -1);
	assert_int_equal(
	    save_sized(s, TLSSESSIONS_KEY_MAX, TLSSESSIONS_DER_MAX), 0);
	assert_int_equal(
	    tlssessions_take(s, slice_make(key, sizeof(key)), 2, &der, &err),
	    1);
	assert_int_equal(der.len, TLSSESSIONS_DER_MAX);
	str_done(&der);
	store_free(s);
	place_remove(&p);
}

static void test_what_the_file_says_is_not_believed(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	assert_int_equal(save(s, "key", "good", 1000, 2000), 0);
	assert_int_equal(save(s, "key", "bad", 1000, 2000), 0);
	outside(&p, "UPDATE tls_sessions SET session=zeroblob(16385)"
		    " WHERE session=x'626164'");
	assert_string_equal(get(tlssessions_load, s, "key", 1001), "good");
	outside(&p, "UPDATE tls_sessions SET session=''");
	assert_string_equal(get(tlssessions_take, s, "key", 1001), "");
	store_free(s);
	place_remove(&p);
}

static void test_the_newest_of_a_key_are_kept(void **state)
{
	static const char *const want[] = { "9", "8", "7", "6", "" };
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	char text[2] = "0";

	(void)state;
	assert_int_equal(save(s, "other", "x", 1000, 2000), 0);
	for (; text[0] <= '9'; text[0]++)
		assert_int_equal(save(s, "key", text, 1000, 2000), 0);
	for (size_t i = 0; i < COUNT(want); i++)
		assert_string_equal(get(tlssessions_take, s, "key", 1001),
				    want[i]);
	assert_string_equal(get(tlssessions_take, s, "other", 1001), "x");
	store_free(s);
	place_remove(&p);
}

static void test_all_are_bounded_and_the_oldest_go(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);

	(void)state;
	assert_int_equal(save(s, "oldest", "x", 1000, 2000), 0);
	outside(&p, "WITH RECURSIVE c(i) AS"
		    " (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<10050)"
		    "INSERT INTO tls_sessions(key, session, expires)"
		    " SELECT CAST(i AS BLOB), x'00', 2000 FROM c");
	assert_int_equal(save(s, "newest", "y", 1000, 2000), 0);
	assert_int_equal(outside(&p, "SELECT count(*) FROM tls_sessions"),
			 TLSSESSIONS_MAX);
	assert_string_equal(get(tlssessions_load, s, "oldest", 1001), "");
	assert_string_equal(get(tlssessions_load, s, "newest", 1001), "y");
	store_free(s);
	place_remove(&p);
}

static void test_a_key_is_forgotten(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	struct err err;

	(void)state;
	assert_int_equal(save(s, "key", "one", 1000, 2000), 0);
	assert_int_equal(save(s, "key", "two", 1000, 2000), 0);
	assert_int_equal(save(s, "other", "x", 1000, 2000), 0);
	assert_int_equal(tlssessions_forget(s, SLICE("key"), &err), 0);
	assert_string_equal(get(tlssessions_load, s, "key", 1001), "");
	assert_string_equal(get(tlssessions_load, s, "other", 1001), "x");
	store_free(s);
	place_remove(&p);
}

static int take_all(void *context)
{
	const struct place *p = context;
	struct store *s = store_new(p->dir);
	char key[20];
	int n = 0;

	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		n += get(tlssessions_take, s, key, 1001)[0] != '\0';
	}
	store_free(s);
	return n;
}

static void test_each_ticket_is_taken_by_one_process(void **state)
{
	struct place p = place_new();
	struct store *s = store_new(p.dir);
	pid_t pids[4];
	char key[20];
	int sum = 0;

	(void)state;
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(save(s, key, "x", 1000, 2000), 0);
	}
	store_free(s);
	for (size_t i = 0; i < COUNT(pids); i++)
		pids[i] = child_start(take_all, &p);
	for (size_t i = 0; i < COUNT(pids); i++)
		sum += child_end(pids[i]);
	assert_int_equal(sum, 60);
	place_remove(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_session_is_loaded_again_and_again),
		cmocka_unit_test(test_a_session_is_taken_once_the_newest_first),
		cmocka_unit_test(test_a_session_ends),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_what_the_file_says_is_not_believed),
		cmocka_unit_test(test_the_newest_of_a_key_are_kept),
		cmocka_unit_test(test_all_are_bounded_and_the_oldest_go),
		cmocka_unit_test(test_a_key_is_forgotten),
		cmocka_unit_test(test_each_ticket_is_taken_by_one_process),
	};

	return TEST_RUN(tests);
}
