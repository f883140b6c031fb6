/*
 * sink.c - a light SMTP server for benchmarks: accepts and forgets.
 *
 * usage: sink [-c] [-d] [-a ADDRESS] [-l FILE] PORT-FILE
 *
 * Listens on ADDRESS (IPv4, by default 127.0.0.1) at a free port, which it
 * writes into PORT-FILE, and answers each connection in a process of its own
 * until it is terminated. Offers PIPELINING, 8BITMIME and SIZE, with -c also
 * CHUNKING, and believes everything it is told; all replies that one read
 * makes due leave in one write. Only for loopback and namespaces.
 *
 * With -d the end of content is looked for only where a read ends, so that
 * reading costs next to nothing; nothing may be sent behind the content before
 * its reply.
 *
 * With -l each connection, when it ends, adds one line to FILE: how many
 * messages it took, and the time (CLOCK_MONOTONIC, microseconds) of its
 * acceptance and of its last reply to content.
 */
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_STEP = 256 * 1024 };

static const char usage[] =
    "usage: sink [-c] [-d] [-a ADDRESS] [-l FILE] PORT-FILE";

struct options {
	bool has_chunking, is_discarding;
	const char *address;
	int log; /* -1: none */
};

enum state { COMMANDS, CONTENT, CHUNK, OVER };

struct session {
	const struct options *options;
	int fd;
	enum state state;
	uint64_t chunk_left; /* CHUNK */
	bool is_last_chunk;
	struct str in, out;
	uint64_t messages;
	int64_t accepted_at, last_reply_at;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- what is said ---------------------------------------------------------
 */

static void on_message(struct session *s)
{
	str_adds(&s->out, "250 ok\r\n");
	s->messages++;
	s->state = COMMANDS;
}

static void on_ehlo(struct session *s)
{
	str_adds(&s->out, "250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n");
	if (s->options->has_chunking)
		str_adds(&s->out, "250-CHUNKING\r\n");
	str_adds(&s->out, "250 8BITMIME\r\n");
}

static void on_bdat(struct session *s, struct slice rest)
{
	struct slice size, last;

	if (!slice_word(&rest, &size) ||
	    !slice_uint(size, INT64_MAX, &s->chunk_left)) {
		str_adds(&s->out, "501 BDAT size [LAST]\r\n");
		s->state = OVER; /* what follows would be taken for commands */
		return;
	}
	s->is_last_chunk = slice_word(&rest, &last);
	s->state = CHUNK;
}

static void on_command(struct session *s, struct slice line)
{
	if (slice_starts_nocase(line, SLICE("EHLO"))) {
		on_ehlo(s);
	} else if (slice_starts_nocase(line, SLICE("DATA"))) {
		str_adds(&s->out, "354 go\r\n");
		s->state = CONTENT;
	} else if (slice_starts_nocase(line, SLICE("BDAT"))) {
		on_bdat(s, slice_from(line, 4));
	} else if (slice_starts_nocase(line, SLICE("QUIT"))) {
		str_adds(&s->out, "221 bye\r\n");
		s->state = OVER;
	} else {
		str_adds(&s->out, "250 ok\r\n");
	}
}

/* ---- what is heard --------------------------------------------------------
 */

static bool take_command(struct session *s, struct slice *rest)
{
	size_t at = slice_find(*rest, '\n');
	struct slice line = slice_head(*rest, at);

	if (at == rest->len)
		return false;
	if (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	*rest = slice_from(*rest, at + 1);
	on_command(s, line);
	return true;
}

/* Takes content up to its end; false if the end has not come. */
static bool take_content(struct session *s, struct slice *rest)
{
	const struct slice end = SLICE("\r\n.\r\n");
	struct slice tail = *rest;
	size_t at;

	if (s->options->is_discarding && tail.len > end.len)
		tail = slice_from(tail, tail.len - end.len);
	at = slice_find_text(tail, end);
	if (at == tail.len) {
		*rest = slice_from(tail, tail.len > 4 ? tail.len - 4 : 0);
		return false;
	}
	*rest = slice_from(tail, at + end.len);
	on_message(s);
	return true;
}

/* Takes a chunk up to its end; false if the end has not come. */
static bool take_chunk(struct session *s, struct slice *rest)
{
	uint64_t n = s->chunk_left < rest->len ? s->chunk_left : rest->len;

	*rest = slice_from(*rest, (size_t)n);
	s->chunk_left -= n;
	if (s->chunk_left > 0)
		return false;
	if (s->is_last_chunk) {
		on_message(s);
	} else {
		str_adds(&s->out, "250 ok\r\n");
		s->state = COMMANDS;
	}
	return true;
}

static void take(struct session *s)
{
	static bool (*const takers[])(struct session *, struct slice *) = {
		[COMMANDS] = take_command,
		[CONTENT] = take_content,
		[CHUNK] = take_chunk,
	};
	struct slice rest = str_slice(&s->in);
	uint64_t before = s->messages;

	while ((rest.len > 0 || s->state == CHUNK) && s->state != OVER &&
	       takers[s->state](s, &rest))
		;
	str_shift(&s->in, s->in.len - rest.len);
	if (s->messages > before)
		s->last_reply_at = now();
}

/* ---- connections ----------------------------------------------------------
 */

static void write_log(const struct session *s)
{
	struct str line = STR_INIT;

	if (s->options->log >= 0) {
		str_addf(&line, "%ju %jd %jd\n", (uintmax_t)s->messages,
			 (intmax_t)s->accepted_at, (intmax_t)s->last_reply_at);
		if (fd_write_all(s->options->log, str_slice(&line)) < 0)
			fprintf(stderr, "sink: log: %s\n", strerror(errno));
	}
	str_done(&line);
}

static void serve(const struct options *o, int fd)
{
	struct session s = { .options = o, .fd = fd, .accepted_at = now() };
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	str_adds(&s.out, "220 sink ESMTP\r\n");
	while (fd_write_all(fd, str_slice(&s.out)) == 0 && s.state != OVER) {
		ssize_t n;

		str_clear(&s.out);
		str_reserve(&s.in, READ_STEP);
		n = read(fd, s.in.p + s.in.len, READ_STEP);
		if (n <= 0)
			break;
		s.in.len += (size_t)n;
		take(&s);
	}
	write_log(&s);
	str_done(&s.in);
	str_done(&s.out);
}

static int listen_somewhere(const struct options *o, const char *port_file)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f;

	errno = EINVAL; /* inet_pton() says nothing */
	if (fd < 0 || inet_pton(AF_INET, o->address, &addr.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, 128) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -1;
	f = fopen(port_file, "w");
	if (f == NULL || fprintf(f, "%u\n", ntohs(addr.sin_port)) < 0 ||
	    fclose(f) != 0)
		return -1;
	return fd;
}

static int parse_options(int argc, char **argv, struct options *ret)
{
	struct options o = { .address = "127.0.0.1", .log = -1 };
	int c;

	while ((c = getopt(argc, argv, "cda:l:")) != -1) {
		switch (c) {
		case 'c':
			o.has_chunking = true;
			break;
		case 'd':
			o.is_discarding = true;
			break;
		case 'a':
			o.address = optarg;
			break;
		case 'l':
			o.log =
			    open(optarg, O_WRONLY | O_APPEND | O_CREAT, 0644);
			if (o.log < 0)
				return -1;
			break;
		default:
			return -1;
		}
	}
	*ret = o;
	return optind + 1 == argc ? 0 : -1;
}

static void serve_for_ever(const struct options *o, int fd)
{
	for (;;) {
		int connection = accept(fd, NULL, NULL);

		if (connection < 0)
			continue;
		if (fork() == 0) {
			close(fd);
			serve(o, connection);
			_exit(0);
		}
		close(connection);
	}
}

int main(int argc, char **argv)
{
	struct options o;
	int fd;

	if (parse_options(argc, argv, &o) < 0) {
		fprintf(stderr, "%s\n", usage);
		return 2;
	}
	fd = listen_somewhere(&o, argv[optind]);
	if (fd < 0) {
		fprintf(stderr, "sink: %s\n", strerror(errno));
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	serve_for_ever(&o, fd);
}
