/*
 * test_run.h - the whole agent in a postoffice of its own, with job lines that
 * lie ready and a scripted server.
 */
#ifndef SMTPTA_TEST_RUN_H
#define SMTPTA_TEST_RUN_H

#include "agent/test_post.h"
#include "smtpta/smtpta.h"
#include "smtpta/test_server.h"

struct run {
	struct post post;
	struct smtpta_options options;
	struct server server;
	int lines; /* the scheduler's end of the input */
	int status;
};

/* Starts all servers before the pipe: they must not keep the input open. */
static inline void run_begin_servers(struct run *r, const char *script)
{
	post_open(&r->post);
	server_start(&r->server, "[127.0.0.1]", script);
}

static inline void run_begin_input(struct run *r)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	r->post.options.in_fd = fds[0];
	r->lines = fds[1];
	r->options = smtpta_options_default();
	r->options.helo_name = SLICE("client.example");
	r->options.timeouts =
	    (struct smtpta_timeouts){ .conn = 10, 10, 10, 10, 10 };
}

static inline void run_begin(struct run *r, const char *script)
{
	run_begin_servers(r, script);
	run_begin_input(r);
}

/* Feeds a line; the host is the server. */
static inline void feed_job(struct run *r, const char *name)
{
	struct str line = STR_INIT;

	str_addf(&line, "%s\t[127.0.0.1]:%u\n", name,
		 (unsigned)net_addr_port(&r->server.addr));
	assert_int_equal(fd_write_all(r->lines, str_slice(&line)), 0);
	str_done(&line);
}

static inline void feed(struct run *r, const char *line)
{
	assert_int_equal(fd_write_all(r->lines, slice_of(line)), 0);
}

/* Runs to the end of the input; what was said is in r->post.said. */
static inline void go(struct run *r)
{
	fd_close(r->lines);
	r->status = smtpta_run(&r->options, r->post.agent);
	post_said(&r->post);
}

/* What the server heard must be `heard`; NULL: it is checked elsewhere. */
static inline void run_end(struct run *r, const char *heard)
{
	server_end(&r->server);
	if (heard != NULL)
		assert_string_equal(str_cstr(&r->server.heard), heard);
	assert_int_equal(r->status, 0);
	server_done(&r->server);
	fd_close(r->post.options.in_fd);
	post_close(&r->post);
}

/* ---- jobs --------------------------------------------------------------- */

/*
 * Writes job `name`: recipient lines as they are, whose host is replaced by
 * the server's, "%s". The body is "Hi." LF.
 */
static inline void write_job(struct run *r, const char *name, const char *rcpts)
{
	struct str text = STR_INIT, host = STR_INIT, path = STR_INIT;
	struct slice rest = slice_of(rcpts), part;

	str_addf(&host, "[127.0.0.1]:%u",
		 (unsigned)net_addr_port(&r->server.addr));
	str_addf(&path, "../queue/%s", name);
	post_write(str_cstr(&path), POST_BODY);
	str_addf(&text,
		 "@ 0x00000007\ni %s\no 21\nl <1@x>\n"
		 "s smtp mx.example.net alice@example.net 501\n",
		 name);
	while (slice_cut(&rest, '$', &part)) {
		str_add(&text, part);
		if (rest.p != NULL)
			str_add(&text, str_slice(&host));
	}
	post_write(name, str_cstr(&text));
	str_done(&text);
	str_done(&host);
	str_done(&path);
}

#define RCPT(user) "r" POST_SLOTS "smtp $ " user " 501\n"
#define HEADER	   "m\nFrom: alice@example.net\n\n"

static inline void write_plain(struct run *r, const char *name)
{
	write_job(r, name, RCPT("bob@x") HEADER);
}

#define HELLO	 "--\nEHLO client.example\r\n"
#define FROM	 "MAIL FROM:<alice@example.net>\r\n"
#define TO(user) "RCPT TO:<" user ">\r\n"
#define MESSAGE	 "From: alice@example.net\r\n\r\nHi.\r\n.\r\n"

/* The message taken without a word that matters. */
#define TAKES \
	"C:MAIL\nS:250 ok\nC:RCPT\nS:250 ok\nC:DATA\nS:354 go\nD\nS:250 in\n"
#define TAKEN                                                     \
	"\t\tok3 \r<<- MAIL FROM:<alice@example.net>\r->> 250 ok" \
	"\r<<- RCPT TO:<bob@x>\r->> 250 ok\r<<- DATA\r->> 354 go" \
	"\r<<- .\r->> 250 in\n"

/* Everything the agent said. */
static inline void check_said(struct run *r, const char *want)
{
	assert_string_equal(str_cstr(&r->post.said), want);
}

/* It said this, somewhere, just so many times. */
static inline void check_count(const struct run *r, const char *text,
			       size_t want)
{
	const char *at = str_cstr(&r->post.said);
	size_t n = 0;

	while ((at = strstr(at, text)) != NULL) {
		at += strlen(text);
		n++;
	}
	if (n != want)
		fail_msg("'%s' %zu times in '%s'", text, n,
			 str_cstr(&r->post.said));
}

static inline void check_tags(struct run *r, const char *name, const char *want)
{
	assert_string_equal(post_tags(&r->post, name), want);
}

#endif
