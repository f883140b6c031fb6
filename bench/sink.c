/*
 * sink.c - a light SMTP server for benchmarks: accepts and forgets.
 *
 * usage: sink [-2cdqrw] [-a ADDRESS] [-l FILE] [-m FILE] [-p PORT] [-t PEM]
 *             PORT-FILE
 *
 * Listens on ADDRESS (IPv4, by default 127.0.0.1) at PORT, or a free one, which
 * it writes into PORT-FILE, and answers each connection in a process of its own
 * until it is terminated. Offers PIPELINING, 8BITMIME and SIZE, with -c also
 * CHUNKING, and believes everything it is told; all replies that one read
 * makes due leave in one write. Only for loopback and namespaces.
 *
 * With -d the end of content is looked for only where a read ends, so that
 * reading costs next to nothing; nothing may be sent behind the content before
 * its reply.
 *
 * With -q what comes is acknowledged at once, so that clients which send a
 * message in several pieces and leave Nagle's algorithm on need not wait.
 *
 * With -t, PEM a file of a certificate and its key, it offers STARTTLS, or,
 * with -w too, speaks TLS from the first byte. Every handshake is a full one;
 * with -r sessions are resumed.
 *
 * With -l each connection, when it ends, adds one line to FILE: how many
 * messages it took, the time (CLOCK_MONOTONIC, microseconds) of its acceptance
 * and of its last reply to content, and 0 if it was in clear text, 1 after a
 * full handshake, 2 after one that resumed a session.
 *
 * With -m FILE always holds how many messages all connections took, and the
 * time of the last reply to one: two numbers of 8 bytes, as they lie in memory.
 */
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_STEP = 256 * 1024 };

static const char usage[] =
    "usage: sink [-2cdqrw] [-a ADDRESS] [-l FILE] [-m FILE] [-p PORT] "
    "[-t PEM] PORT-FILE";

/* -m: what all connections together took. */
struct meter {
	_Atomic uint64_t messages;
	_Atomic int64_t last_reply_at;
};

struct options {
	bool has_chunking, is_discarding, is_prompt;
	const char *address;
	in_port_t port; /* 0: any that is free */
	int log;	/* -1: none */
	struct meter *meter;
	/* TLS */
	bool is_wrapped, does_resume, is_old;
	const char *pem;
	SSL_CTX *ctx; /* NULL: none */
};

enum state { COMMANDS, CONTENT, CHUNK, STARTTLS, OVER };

struct session {
	const struct options *options;
	int fd;
	SSL *ssl; /* NULL: clear text */
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
	if (s->options->ctx != NULL && s->ssl == NULL)
		str_adds(&s->out, "250-STARTTLS\r\n");
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
	} else if (slice_starts_nocase(line, SLICE("STARTTLS"))) {
		str_adds(&s->out, "220 go\r\n");
		s->state = STARTTLS;
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

static void on_replies(struct session *s, uint64_t n)
{
	s->last_reply_at = now();
	if (s->options->meter == NULL)
		return;
	atomic_store(&s->options->meter->last_reply_at, s->last_reply_at);
	atomic_fetch_add(&s->options->meter->messages, n);
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

	while ((rest.len > 0 || s->state == CHUNK) && s->state < STARTTLS &&
	       takers[s->state](s, &rest))
		;
	str_shift(&s->in, s->in.len - rest.len);
	if (s->messages > before)
		on_replies(s, s->messages - before);
}

/* ---- TLS ------------------------------------------------------------------
 */

/* -t: what all connections share, so that each can resume another's session. */
static bool load_tls(struct options *o)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL ||
	    SSL_CTX_use_certificate_file(ctx, o->pem, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, o->pem, SSL_FILETYPE_PEM) != 1) {
		SSL_CTX_free(ctx);
		return false;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!o->does_resume) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	if (o->is_old)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_STEP);
	o->ctx = ctx;
	return true;
}

static bool start_tls(struct session *s)
{
	s->ssl = SSL_new(s->options->ctx);
	s->state = COMMANDS;
	return s->ssl != NULL && SSL_set_fd(s->ssl, s->fd) == 1 &&
	       SSL_accept(s->ssl) == 1;
}

/* Of the handshake, as the log says it. */
static int kind_of_handshake(const struct session *s)
{
	if (s->ssl == NULL || !SSL_is_init_finished(s->ssl))
		return 0;
	return SSL_session_reused(s->ssl) != 0 ? 2 : 1;
}

/* ---- connections ----------------------------------------------------------
 */

/* Says what is due, and then begins TLS if that is due. */
static bool say(struct session *s)
{
	struct slice out = str_slice(&s->out);

	if (s->ssl == NULL && fd_write_all(s->fd, out) < 0)
		return false;
	if (s->ssl != NULL && out.len > 0 &&
	    SSL_write(s->ssl, out.p, (int)out.len) <= 0)
		return false;
	str_clear(&s->out);
	return s->state != STARTTLS || start_tls(s);
}

/* Reads once; false if there is no more. */
static bool hear(struct session *s)
{
	ssize_t n;
	int on = 1;

	if (s->options->is_prompt)
		setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	str_reserve(&s->in, READ_STEP);
	n = s->ssl == NULL ? read(s->fd, s->in.p + s->in.len, READ_STEP)
			   : SSL_read(s->ssl, s->in.p + s->in.len, READ_STEP);
	if (n <= 0)
		return false;
	s->in.len += (size_t)n;
	return true;
}

static void write_log(const struct session *s)
{
	struct str line = STR_INIT;

	if (s->options->log >= 0) {
		str_addf(&line, "%ju %jd %jd %d\n", (uintmax_t)s->messages,
			 (intmax_t)s->accepted_at, (intmax_t)s->last_reply_at,
			 kind_of_handshake(s));
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
	if (!o->is_wrapped || start_tls(&s)) {
		str_adds(&s.out, "220 sink ESMTP\r\n");
		while (say(&s) && s.state != OVER && hear(&s))
			take(&s);
	}
	write_log(&s);
	if (s.ssl != NULL && SSL_is_init_finished(s.ssl))
		SSL_shutdown(s.ssl); /* close_notify, no more */
	SSL_free(s.ssl);
	str_done(&s.in);
	str_done(&s.out);
}

static int listen_somewhere(const struct options *o, const char *port_file)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(o->port),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	FILE *f;

	errno = EINVAL; /* inet_pton() says nothing */
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    inet_pton(AF_INET, o->address, &addr.sin_addr) != 1 ||
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

static struct meter *map_meter(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	void *p = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(struct meter)) == 0)
		p = mmap(NULL, sizeof(struct meter), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	fd_close(fd);
	return p != MAP_FAILED ? p : NULL;
}

static int parse_options(int argc, char **argv, struct options *ret)
{
	struct options o = { .address = "127.0.0.1", .log = -1 };
	uint64_t port;
	int c;

	while ((c = getopt(argc, argv, "2cdqrwa:l:m:p:t:")) != -1) {
		switch (c) {
		case 'c':
			o.has_chunking = true;
			break;
		case 'd':
			o.is_discarding = true;
			break;
		case '2':
			o.is_old = true;
			break;
		case 'q':
			o.is_prompt = true;
			break;
		case 'r':
			o.does_resume = true;
			break;
		case 'w':
			o.is_wrapped = true;
			break;
		case 't':
			o.pem = optarg;
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
		case 'm':
			o.meter = map_meter(optarg);
			if (o.meter == NULL)
				return -1;
			break;
		case 'p':
			if (!slice_uint(slice_of(optarg), UINT16_MAX, &port))
				return -1;
			o.port = (in_port_t)port;
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
	if (o.pem != NULL && !load_tls(&o)) {
		fprintf(stderr, "sink: %s: ", o.pem);
		ERR_print_errors_fp(stderr);
		return 1;
	}
	fd = listen_somewhere(&o, argv[optind]);
	if (fd < 0) {
		fprintf(stderr, "sink: %s\n", strerror(errno));
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	serve_for_ever(&o, fd);
}
