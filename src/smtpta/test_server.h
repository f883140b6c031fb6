/*
 * test_server.h - a server in a process of its own that follows a script.
 *
 * One step a line:
 *
 *	A	accepts a connection; what was open before is closed
 *	S:TEXT	says a line
 *	B:TEXT	says just these bytes
 *	C:TEXT	hears a line, which must begin so
 *	D	hears content up to its lone dot
 *	T	hears the chunk of the BDAT line heard last
 *	E	hears the end of the connection, and nothing before it
 *	P	waits until there is something to be heard
 *	N	finds that nothing more has been said so far
 *	W	hears whatever comes until the connection ends
 *	X	closes the connection; what was not heard makes it a reset
 *	Z:MS	sleeps so many milliseconds
 *	K:PATH	cuts a file to half its length
 *
 * Once the client is gone, nothing more is said to it, nor slept. A script
 * that is not followed to its end fails the test. Everything heard,
 * but for W, is kept; each A adds the line "--".
 */
#ifndef SMTPTA_TEST_SERVER_H
#define SMTPTA_TEST_SERVER_H

#include "net/addr.h"
#include "spool/test_files.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct server {
	struct net_addr addr;
	pid_t child;
	int heard_fd;
	struct str heard;
};

/* ---- the child ---------------------------------------------------------- */

struct server_talk {
	int listener, fd, heard_fd;
	struct str in;	/* heard and not used */
	uint64_t chunk; /* bytes behind the last BDAT line */
	bool is_gone;	/* the client: what it heard is its affair */
	const char *step;
};

static inline void server_fail(const struct server_talk *t, const char *what,
			       struct slice got)
{
	fprintf(stderr, "# server: at '%.*s': %s '%.*s' (%s)\n",
		(int)strcspn(t->step, "\n"), t->step, what, SLICE_ARG(got),
		strerror(errno));
	_exit(1);
}

/* Adds what comes next; false at the end of the connection. */
static inline bool server_hear(struct server_talk *t)
{
	ssize_t n;

	str_reserve(&t->in, 65536);
	n = read(t->fd, t->in.p + t->in.len, 65536);
	if (n <= 0)
		return false;
	t->in.len += (size_t)n;
	return true;
}

/* Hears n bytes, keeps them, and moves them to *text. */
static inline void server_take(struct server_talk *t, size_t n,
			       struct str *text)
{
	while (t->in.len < n)
		if (!server_hear(t))
			server_fail(t, "the end came behind",
				    str_slice(&t->in));
	str_clear(text);
	str_add(text, slice_head(str_slice(&t->in), n));
	str_shift(&t->in, n);
	if (fd_write_all(t->heard_fd, str_slice(text)) < 0)
		server_fail(t, "cannot keep", str_slice(text));
}

/* Hears up to `end`, and gives what stands before. */
static inline struct slice server_hear_to(struct server_talk *t,
					  const char *end, struct str *text)
{
	size_t at;

	while ((at = slice_find_text(str_slice(&t->in), slice_of(end))) ==
	       t->in.len)
		if (!server_hear(t))
			server_fail(t, "the end came behind",
				    str_slice(&t->in));
	server_take(t, at + strlen(end), text);
	return slice_head(str_slice(text), at);
}

/* Hears a line that begins with `want`. */
static inline void server_command(struct server_talk *t, struct slice want,
				  struct str *text)
{
	struct slice line = server_hear_to(t, "\r\n", text), word, size;

	if (!slice_starts(line, want))
		server_fail(t, "heard", line);
	if (slice_word(&line, &word) && slice_eq(word, SLICE("BDAT")) &&
	    (!slice_word(&line, &size) ||
	     !slice_uint(size, SIZE_MAX, &t->chunk)))
		server_fail(t, "heard", str_slice(text));
}

static inline void server_accept(struct server_talk *t)
{
	fd_close(t->fd);
	str_clear(&t->in);
	t->is_gone = false;
	t->fd = accept(t->listener, NULL, NULL);
	if (t->fd < 0 || fd_write_all(t->heard_fd, SLICE("--\n")) < 0)
		server_fail(t, "accept", SLICE(""));
}

static inline void server_say(struct server_talk *t, struct slice text)
{
	if (!t->is_gone && fd_write_all(t->fd, text) < 0)
		t->is_gone = true;
}

static inline void server_sleep(struct server_talk *t, struct slice text)
{
	uint64_t ms;

	if (!slice_uint(text, 60000, &ms))
		server_fail(t, "bad time", text);
	if (!t->is_gone)
		usleep((useconds_t)ms * 1000);
}

static inline void server_quiet(struct server_talk *t)
{
	char c;

	if (t->in.len > 0 || recv(t->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
		server_fail(t, "heard more", str_slice(&t->in));
}

static inline void server_cut(struct server_talk *t, struct slice text)
{
	struct str path = STR_INIT;
	struct stat st;

	str_add(&path, text);
	if (stat(str_cstr(&path), &st) < 0 ||
	    truncate(str_cstr(&path), st.st_size / 2) < 0)
		server_fail(t, "cannot cut", text);
	str_done(&path);
}

static inline void server_do(struct server_talk *t, struct slice text)
{
	struct str line = STR_INIT;
	char c;

	switch (*t->step) {
	case 'A':
		server_accept(t);
		break;
	case 'S':
		str_add(&line, text);
		str_adds(&line, "\r\n");
		server_say(t, str_slice(&line));
		break;
	case 'B':
		server_say(t, text);
		break;
	case 'C':
		server_command(t, text, &line);
		break;
	case 'T':
		server_take(t, (size_t)t->chunk, &line);
		break;
	case 'D':
		server_hear_to(t, "\r\n.\r\n", &line);
		break;
	case 'E':
		if (t->in.len > 0 || server_hear(t))
			server_fail(t, "heard", str_slice(&t->in));
		break;
	case 'P':
		(void)recv(t->fd, &c, 1, MSG_PEEK);
		break;
	case 'N':
		server_quiet(t);
		break;
	case 'W':
		while (server_hear(t))
			str_clear(&t->in);
		break;
	case 'X':
		fd_close(t->fd);
		t->fd = -1;
		break;
	case 'Z':
		server_sleep(t, text);
		break;
	case 'K':
		server_cut(t, text);
		break;
	default:
		server_fail(t, "unknown step", text);
	}
	str_done(&line);
}

static inline void server_run(struct server_talk *t, const char *script)
{
	struct slice rest = slice_of(script), line;

	signal(SIGPIPE, SIG_IGN);
	alarm(20); /* seconds; the script hangs */
	while (slice_cut(&rest, '\n', &line)) {
		t->step = line.p;
		if (line.len > 0)
			server_do(t, slice_from(line, 2));
	}
	_exit(0);
}

/* ---- the test's side ---------------------------------------------------- */

/* Begins to listen at s->addr; a port of 0 is chosen. */
static inline void server_start_at(struct server *s, const char *script)
{
	struct server_talk talk = { .fd = -1 };

	talk.listener =
	    socket(s->addr.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(talk.listener >= 0);
	assert_int_equal(bind(talk.listener, &s->addr.u.any, s->addr.len), 0);
	assert_int_equal(
	    getsockname(talk.listener, &s->addr.u.any, &s->addr.len), 0);
	assert_int_equal(listen(talk.listener, 5), 0);
	s->heard = STR_INIT;
	s->heard_fd = memfd_create("heard", MFD_CLOEXEC);
	assert_true(s->heard_fd >= 0);
	talk.heard_fd = s->heard_fd;
	s->child = test_fork();
	if (s->child == 0)
		server_run(&talk, script);
	/* So that nobody listens any more once the script is over. */
	fd_close(talk.listener);
}

/* The same at a port of this IPv4 address. */
static inline void server_start(struct server *s, const char *literal,
				const char *script)
{
	struct err err;

	*s = (struct server){ 0 };
	assert_int_equal(
	    net_literal_parse(slice_of(literal), 0, &s->addr, &err), 0);
	server_start_at(s, script);
}

/* Waits for the script's end, and gives what was heard; borrowed. */
static inline const char *server_end(struct server *s)
{
	assert_int_equal(test_wait(s->child), 0);
	assert_int_equal(lseek(s->heard_fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(s->heard_fd, 0, SIZE_MAX - 1, &s->heard),
			 0);
	return str_cstr(&s->heard);
}

static inline void server_done(struct server *s)
{
	fd_close(s->heard_fd);
	str_done(&s->heard);
}

/* The scripts' common start: a server that offers `keyword` alone. */
#define SERVER_HELLO(keyword)                                   \
	"A\nS:220 mx.test ESMTP\nC:EHLO client.example\nS:250-" \
	"mx.test\nS:250 " keyword "\n"
#define SERVER_QUIT "C:QUIT\nS:221 bye\nE\n"

#endif
