/*
 * test_talk.h - a session with a scripted server, for the tests of session.c.
 * To be included by one source file of a program only.
 */
#ifndef SMTPTA_TEST_TALK_H
#define SMTPTA_TEST_TALK_H

#include "net/test_names.h"
#include "smtpta/session.h"
#include "smtpta/test_answers.h"
#include "smtpta/test_server.h"

struct talk {
	struct smtpta_options options;
	struct session_terms terms;
	struct server server;
	struct dns_resolver *dns;
	struct session *session;
	struct str host; /* "[127.0.0.1]:PORT" */
	const struct diag *why;
};

/* Content without end, until it is enough. */
static size_t content_left;

static inline int talk_fill(struct smtp_transaction *t, bool needs_dots,
			    struct str *sink, struct err *err)
{
	(void)t;
	(void)needs_dots;
	(void)err;
	for (int i = 0; i < 1000; i++)
		str_adds(sink, "sixty-four bytes with their line end, over and "
			       "over, as wanted\r\n");
	content_left = content_left > 64000 ? content_left - 64000 : 0;
	return content_left == 0;
}

static inline void talk_use(struct talk *t, const struct server *s)
{
	str_clear(&t->host);
	str_addf(&t->host, "[127.0.0.1]:%u", (unsigned)net_addr_port(&s->addr));
}

static inline void talk_begin(struct talk *t, const char *script)
{
	*t = (struct talk){ .options = smtpta_options_default() };
	t->options.helo_name = SLICE("client.example");
	t->options.timeouts =
	    (struct smtpta_timeouts){ .conn = 10, 10, 10, 10, 10 };
	server_start(&t->server, "[127.0.0.1]", script);
	talk_use(t, &t->server);
	t->dns = dns_new(&t->options.dns);
	t->session = session_new(&t->options, t->dns, NULL, talk_fill);
	content_left = 0;
}

/* Our side is over. */
static inline void talk_leave(struct talk *t)
{
	session_free(t->session);
	dns_free(t->dns);
}

/* From now on the host is mx.example, of which this source knows all. */
static inline void talk_by_source(struct talk *t, struct dns_source *source)
{
	talk_leave(t);
	t->options.dns.source = source;
	t->options.port = net_addr_port(&t->server.addr);
	t->dns = dns_new(&t->options.dns);
	t->session = session_new(&t->options, t->dns, NULL, talk_fill);
	str_clear(&t->host);
	str_adds(&t->host, "mx.example");
}

static inline bool talk_open(struct talk *t)
{
	t->why = NULL;
	return session_open(t->session, str_slice(&t->host), &t->terms,
			    &t->why);
}

/* From now on the host is mx.example, with these addresses. */
static inline void talk_by_name(struct talk *t, const char *addresses)
{
	talk_by_source(t, answers_of_host("mx.example", addresses));
}

/* Ends both sides; what the server heard must be `heard`. */
static inline void talk_end(struct talk *t, const char *heard)
{
	talk_leave(t);
	assert_string_equal(server_end(&t->server), heard);
	server_done(&t->server);
	str_done(&t->host);
	service_clear();
}

/* It could not be opened; the text ends so. */
static inline void check_failed(struct talk *t, enum fate fate,
				const char *status, const char *text)
{
	struct slice said;

	assert_false(talk_open(t));
	assert_false(session_is_open(t->session));
	said = t->why->text;
	if (said.len < strlen(text) ||
	    !slice_eq(slice_from(said, said.len - strlen(text)),
		      slice_of(text)))
		fail_msg("'%.*s' does not end in '%s'", SLICE_ARG(said), text);
	assert_int_equal(t->why->fate, fate);
	assert_slice_is(t->why->status, status);
}

#endif
