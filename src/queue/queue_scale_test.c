/*
 * queue_scale_test.c - a million recipients in 200,000 messages: what they
 * take in memory; and one message to a hundred thousand hosts.
 */
#include "queue/test_queue.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { LETTERS = 200000, EACH = 5, HOSTS = 20000 };

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Message `id` with EACH recipients at hosts of its own choice. */
static void add(struct play *p, uint64_t id, size_t n_rcpts)
{
	struct queue_rcpt list[EACH] = { 0 };
	char name[32], hosts[EACH][32];
	struct queue_message m = {
		.id = id, .arrived = p->now, .rcpts = list, .n_rcpts = n_rcpts
	};

	snprintf(name, sizeof(name), "A/B/%u", (unsigned)id + 10000000);
	m.name = slice_of(name);
	for (size_t i = 0; i < n_rcpts; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "mail%u.example.com",
			 (unsigned)((id * 7919 + i * 104729) % HOSTS));
		list[i] = (struct queue_rcpt){ .offset = 100 + 80 * i,
					       .channel = SLICE("smtp"),
					       .host = slice_of(hosts[i]) };
	}
	queue_add(p->q, &m, p->now);
}

static void play_large(struct play *p, size_t letters)
{
	play_make(p);
	p->clauses[0].expiry = 1000000;
	p->clauses[0].interval = 1000000;
	play_begin(p);
	for (uint64_t id = 1; id <= letters; id++)
		add(p, id, EACH);
}

static void test_recipients_take_less_than_300_bytes(void **state)
{
	size_t before = in_use(), each;
	struct play p;

	(void)state;
	play_large(&p, LETTERS);
	assert_int_equal(queue_count(p.q).open, (size_t)LETTERS * EACH);
	/* AddressSanitizer's allocator does not tell. */
	if (before > 0) {
		each = (in_use() - before) / ((size_t)LETTERS * EACH);
		printf("# %zu bytes a recipient\n", each);
		assert_true(each > 20 && each < 300);
	}
	play_end(&p);
}

/*
 * One message to so many hosts, or recipients at one, that work which grew with
 * their square would take minutes: for who looks at the clock of this test.
 */
static void play_wide(struct play *p, size_t n, size_t hosts)
{
	struct queue_rcpt *list = calloc(n, sizeof(*list));
	char(*names)[48] = calloc(n, sizeof(*names));
	struct queue_message m = { .id = 7,
				   .name = SLICE("7"),
				   .arrived = p->now,
				   .rcpts = list,
				   .n_rcpts = n };

	assert_non_null(list);
	assert_non_null(names);
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "mail%zu.example.com",
			 i % hosts);
		list[i] = (struct queue_rcpt){ .offset = 100 + 80 * i,
					       .channel = SLICE("smtp"),
					       .host = slice_of(names[i]) };
	}
	queue_add(p->q, &m, p->now);
	free(list);
	free(names);
}

static void test_a_message_to_very_many_is_no_stall(void **state)
{
	static const struct {
		size_t n, hosts;
	} rows[] = { { 100000, 100000 }, { 300000, 1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct queue_action a;
		size_t n_expired = 0;
		struct play p;

		play_make(&p);
		play_begin(&p);
		play_wide(&p, rows[i].n, rows[i].hosts);
		for (unsigned k = 0; k < 5; k++) /* as after resyncs */
			play_wide(&p, rows[i].n, rows[i].hosts);
		assert_int_equal(queue_count(p.q).open, rows[i].n);
		assert_int_equal(queue_count(p.q).jobs, rows[i].hosts);
		p.now += 2000 * SEC;
		queue_run(p.q, p.now);
		while (queue_next(p.q, &a))
			for (size_t k = 0; k < a.n_offsets; k++, n_expired++)
				if (rows[i].hosts == 1)
					queue_settle(p.q, SLICE("7"),
						     a.offsets[k], true, p.now);
		assert_int_equal(n_expired, rows[i].n);
		play_end(&p);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients_take_less_than_300_bytes),
		cmocka_unit_test(test_a_message_to_very_many_is_no_stall),
	};

	return TEST_RUN(tests);
}
