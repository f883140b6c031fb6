/*
 * test_stream.h - a message and its stream, for stream_test.c and
 * bsmtp_test.c.
 */
#ifndef SMTA_TEST_STREAM_H
#define SMTA_TEST_STREAM_H

#include "base/test.h"
#include "smta/flags.h"
#include "smta/stream.h"

/* ---- a message --------------------------------------------------------- */

#define DATE "Sat Nov 21 20:35:16 2026"
#define FROM "From sender@example.org " DATE

static const struct ctl_sender sender __attribute__((
    unused)) = { .address = { .user = { "sender@example.org", 18 } } };

static const struct ctl_sender null_sender
    __attribute__((unused)) = { .address = { .user = { "-", 1 } },
				.is_null = true };

static const struct ctl_rcpt user2 __attribute__((
    unused)) = { .address = { .user = { "user2@example.com", 17 },
			      .privilege = { "6", 1 } },
		 .dsn = { .has_notify = true, .notify = NOTIFY_NEVER } };

static const struct ctl_rcpt user1 __attribute__((
    unused)) = { .address = { .user = { "user1@example.com", 17 },
			      .privilege = { "-2", 2 } },
		 .dsn = { .has_notify = true,
			  .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE,
			  .orcpt = { "rfc822;user1+2B@example.com", 27 } } };

static const struct ctl_rcpt *const both[]
    __attribute__((unused)) = { &user2, &user1 };
static const struct ctl_rcpt *const second[]
    __attribute__((unused)) = { &user1 };

/* Facts that a test changes as it needs; no flags, one recipient. */
static inline struct stream_facts make_facts(void)
{
	return (struct stream_facts){ .sender = &sender,
				      .rcpts = second,
				      .n_rcpts = 1,
				      .header = SLICE("Subject: test\n"),
				      .envid = SLICE("QQ314159"),
				      .ret = CTL_RET_HDRS,
				      .date = SLICE(DATE),
				      .host_name = SLICE("mail.example.org"),
				      .size = 198,
				      .now = 1000000 };
}

static inline unsigned flags_of(const char *letters)
{
	struct str complaints = STR_INIT;
	unsigned flags = smta_flags_parse(slice_of(letters), &complaints);

	str_done(&complaints);
	return flags;
}

/* ---- running a stream -------------------------------------------------- */

/* A body given out in pieces as test_split() makes them. */
struct source {
	struct slice rest;
	unsigned seed;
	uint64_t state;
	bool is_broken; /* fails at the end */
};

static inline ssize_t give_body(void *context, size_t max, struct str *to,
				struct err *err)
{
	struct source *s = context;
	size_t n = s->rest.len;

	if (n == 0)
		return s->is_broken ? FAIL(err, "the body broke") : 0;
	if (s->seed == 1)
		n = 1;
	if (s->seed > 1) {
		s->state = s->state * 6364136223846793005u + s->seed;
		n = 1 + (size_t)(s->state >> 33) % (s->seed % 2 ? 7 : 61);
	}
	if (n > s->rest.len)
		n = s->rest.len;
	if (n > max)
		n = max;
	str_add(to, slice_head(s->rest, n));
	s->rest = slice_from(s->rest, n);
	return (ssize_t)n;
}

/* The whole stream of a body that comes in pieces. */
static inline void collect(const struct stream_facts *facts, struct slice body,
			   unsigned seed, struct str *to)
{
	struct stream_facts f = *facts;
	struct source source = { .rest = body, .seed = seed };
	struct stream s;
	struct err err;
	ssize_t n;

	f.body = give_body;
	f.body_context = &source;
	stream_begin(&s, &f);
	do {
		size_t before = to->len;

		n = stream_next(&s, to, &err);
		assert_int_equal(n, to->len - before);
	} while (n > 0);
	assert_int_equal(n, 0);
	stream_done(&s);
}

static inline void check_slices(const struct stream_facts *facts,
				struct slice body, struct slice want)
{
	for (unsigned seed = 0; seed < TEST_SPLITS; seed++) {
		struct str got = STR_INIT;

		collect(facts, body, seed, &got);
		if (!slice_eq(str_slice(&got), want))
			fail_msg("split %u: got\n%.*s\nwanted\n%.*s", seed,
				 SLICE_ARG(str_slice(&got)), SLICE_ARG(want));
		str_done(&got);
	}
}

static inline void check(const struct stream_facts *facts, const char *body,
			 const char *want)
{
	check_slices(facts, slice_of(body), slice_of(want));
}

/* Checks a stream whose flags are letters, for the usual facts. */
static inline void check_flags(const char *letters, const char *body,
			       const char *want)
{
	struct stream_facts f = make_facts();

	f.flags = flags_of(letters);
	check(&f, body, want);
}

#endif
