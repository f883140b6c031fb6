/*
 * load.c - clients that hand in mail, for benchmarks: many at once, each the
 * next message when the one before was accepted.
 *
 * usage: load [-c CLIENTS] [-d DESTINATIONS] [-n MESSAGES] [-r ROOT] [-u UID]
 *             HOW WHERE...
 *
 *	load ... smtp PORT		SMTP at 127.0.0.1, a connection a client
 *	load ... socket PATH		our submission socket, likewise
 *	load ... run PROGRAM [ARG...]	a process for each message, which reads
 *					it from standard input
 *
 * Message i, of about 4 KB, goes to user@dN.example, N being i modulo
 * DESTINATIONS; to a program the recipient is one more argument. With -r and
 * -u clients run in that root, as that user. Clients connect one after the
 * other, so that no server is short of room for them, and begin together.
 *Prints when that was (CLOCK_MONOTONIC, microseconds). Exits 1 if anything was
 *refused.
 *
 * The SMTP client sends MAIL, RCPT and DATA at once where PIPELINING is
 * offered, and lets no acknowledgement wait.
 */
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BODY_LINES = 56,
	LINE_LEN = 70,
	READ_MAX = 4096,
	FRAME_HEAD = 4,
	PATIENCE = 20, /* seconds without an answer */
};

static const char usage[] =
    "usage: load [-c CLIENTS] [-d DESTINATIONS] [-n MESSAGES] [-r ROOT] "
    "[-u UID] smtp PORT | socket PATH | run PROGRAM [ARG...]";

struct options {
	uint64_t clients, destinations, messages, uid;
	const char *root;
	char **where;
};

/* One client: messages first, first + step and so on. */
struct client {
	const struct options *o;
	uint64_t first, step;
	int fd;	       /* of smtp and socket */
	int ready, go; /* pipes: tells that it is, awaits the end */
	struct str in, out;
	bool does_pipelining;
};

static bool complain(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	return false;
}

static bool refused(struct slice answer)
{
	fprintf(stderr, "load: refused: %.*s\n", SLICE_ARG(answer));
	return false;
}

/* ---- the message --------------------------------------------------------- */

static void add_rcpt(struct str *to, const struct options *o, uint64_t i)
{
	str_addf(to, "user@d%ju.example", (uintmax_t)(i % o->destinations));
}

static void add_message(struct str *to, const char *eol)
{
	str_addf(to,
		 "From: nobody@example.net%s"
		 "To: list@example.org%s"
		 "Subject: bench%s"
		 "Date: Sun, 22 Nov 2026 09:00:00 +0000%s"
		 "Message-ID: <bench@example.net>%s%s",
		 eol, eol, eol, eol, eol, eol);
	for (size_t i = 0; i < BODY_LINES; i++) {
		for (size_t j = 0; j < LINE_LEN; j++)
			str_addc(to, 'x');
		str_adds(to, eol);
	}
}

/* Waits until all clients are; false if there is to be no begin. */
static bool await_begin(struct client *c)
{
	char byte = 1;

	return write(c->ready, &byte, 1) == 1 && read(c->go, &byte, 1) == 0;
}

/* ---- SMTP ---------------------------------------------------------------- */

/* Reads one more piece. */
static bool hear(struct client *c)
{
	struct timeval patience = { .tv_sec = PATIENCE };
	ssize_t n;
	int on = 1;

	/* Has no effect on other sockets than TCP's, and needs none there. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	str_reserve(&c->in, READ_MAX);
	n = read(c->fd, c->in.p + c->in.len, READ_MAX);
	if (n <= 0)
		return complain("server");
	c->in.len += (size_t)n;
	return true;
}

static bool say(struct client *c)
{
	if (fd_write_all(c->fd, str_slice(&c->out)) < 0)
		return complain("server");
	str_clear(&c->out);
	return true;
}

/* One reply, which must begin with this digit. */
static bool get_reply(struct client *c, char wanted)
{
	struct slice line;
	bool is_last = false;

	while (!is_last) {
		struct slice rest = str_slice(&c->in);
		size_t end = slice_find(rest, '\n');

		if (end == rest.len) {
			if (!hear(c))
				return false;
			continue;
		}
		line = slice_head(rest, end);
		if (line.len == 0 || line.p[0] != wanted)
			return refused(line);
		if (slice_find_text(line, SLICE("PIPELINING")) < line.len)
			c->does_pipelining = true;
		is_last = line.len < 4 || line.p[3] != '-';
		str_shift(&c->in, end + 1);
	}
	return true;
}

static bool connect_tcp(struct client *c)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	uint64_t port;
	int on = 1;

	if (!slice_uint(slice_of(c->o->where[1]), UINT16_MAX, &port))
		return refused(slice_of(c->o->where[1]));
	addr.sin_port = htons((in_port_t)port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return complain("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return true;
}

static bool send_envelope(struct client *c, uint64_t i)
{
	str_adds(&c->out, "MAIL FROM:<nobody@example.net>\r\n");
	if (!c->does_pipelining && !(say(c) && get_reply(c, '2')))
		return false;
	str_adds(&c->out, "RCPT TO:<");
	add_rcpt(&c->out, c->o, i);
	str_adds(&c->out, ">\r\n");
	if (!c->does_pipelining && !(say(c) && get_reply(c, '2')))
		return false;
	str_adds(&c->out, "DATA\r\n");
	if (!say(c))
		return false;
	return (!c->does_pipelining ||
		(get_reply(c, '2') && get_reply(c, '2'))) &&
	       get_reply(c, '3');
}

static bool run_smtp(struct client *c)
{
	struct str message = STR_INIT;
	bool good;

	add_message(&message, "\r\n");
	str_adds(&message, ".\r\n");
	good = connect_tcp(c) && get_reply(c, '2');
	str_adds(&c->out, "EHLO client.example\r\n");
	good = good && say(c) && get_reply(c, '2') && await_begin(c);
	for (uint64_t i = c->first; good && i < c->o->messages; i += c->step) {
		good = send_envelope(c, i);
		str_add(&c->out, str_slice(&message));
		good = good && say(c) && get_reply(c, '2');
	}
	str_adds(&c->out, "QUIT\r\n");
	good = good && say(c) && get_reply(c, '2');
	str_done(&message);
	return good;
}

/* ---- the submission socket ----------------------------------------------- */

static void add_frame(struct str *to, char type, struct slice payload)
{
	str_addc(to, type);
	str_addc(to, (char)(payload.len >> 16));
	str_addc(to, (char)(payload.len >> 8));
	str_addc(to, (char)payload.len);
	str_add(to, payload);
}

static bool connect_unix(struct client *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = c->o->where[1];

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return complain(path);
	}
	memcpy(addr.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return complain(path);
	return true;
}

/* The answer to one message. */
static bool get_answer(struct client *c)
{
	size_t len = FRAME_HEAD;

	while (c->in.len < len) {
		const unsigned char *p;

		if (!hear(c))
			return false;
		p = (const unsigned char *)c->in.p;
		if (c->in.len >= FRAME_HEAD)
			len = FRAME_HEAD +
			      ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
	}
	if (c->in.p[0] != 'A')
		return refused(slice_from(str_slice(&c->in), FRAME_HEAD));
	str_shift(&c->in, len);
	return true;
}

static bool run_socket(struct client *c)
{
	struct str message = STR_INIT, rcpt = STR_INIT;
	bool good = connect_unix(c) && await_begin(c);

	add_message(&message, "\n");
	for (uint64_t i = c->first; good && i < c->o->messages; i += c->step) {
		str_clear(&rcpt);
		add_rcpt(&rcpt, c->o, i);
		add_frame(&c->out, 'R', str_slice(&rcpt));
		add_frame(&c->out, 'B', SLICE(""));
		add_frame(&c->out, 'D', str_slice(&message));
		add_frame(&c->out, 'E', SLICE(""));
		good = say(c) && get_answer(c);
	}
	str_done(&rcpt);
	str_done(&message);
	return good;
}

/* ---- a process a message ------------------------------------------------- */

/* It fits into a pipe, so that nobody has to wait for anybody. */
static bool run_one(char **argv, struct slice message)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	int ends[2], status, error;
	pid_t pid;

	if (pipe(ends) < 0)
		return complain("pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	posix_spawn_file_actions_addclose(&actions, ends[1]);
	error = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	fd_close(ends[0]);
	if (error == 0 && fd_write_all(ends[1], message) < 0)
		error = errno;
	fd_close(ends[1]);
	errno = error;
	if (error != 0 || waitpid(pid, &status, 0) < 0)
		return complain(argv[0]);
	if (status != 0)
		fprintf(stderr, "load: %s: status %d\n", argv[0], status);
	return status == 0;
}

static bool run_program(struct client *c)
{
	struct str message = STR_INIT, rcpt = STR_INIT;
	bool good = true;
	size_t n = 0;
	char **argv;

	while (c->o->where[1 + n] != NULL)
		n++;
	argv = calloc(n + 2, sizeof(*argv));
	if (argv == NULL)
		return complain("memory");
	memcpy(argv, c->o->where + 1, n * sizeof(*argv));
	add_message(&message, "\n");
	good = await_begin(c);
	for (uint64_t i = c->first; good && i < c->o->messages; i += c->step) {
		str_clear(&rcpt);
		add_rcpt(&rcpt, c->o, i);
		argv[n] = rcpt.p;
		good = run_one(argv, str_slice(&message));
	}
	free(argv);
	str_done(&rcpt);
	str_done(&message);
	return good;
}

/* ---- all clients --------------------------------------------------------- */

static bool change_place(const struct options *o)
{
	if (o->root != NULL && (chroot(o->root) < 0 || chdir("/") < 0))
		return complain(o->root);
	if (o->uid != 0 &&
	    setresuid((uid_t)o->uid, (uid_t)o->uid, (uid_t)o->uid) < 0)
		return complain("setresuid");
	return true;
}

static bool run(struct client *c)
{
	static const struct {
		const char *word;
		bool (*run)(struct client *);
	} ways[] = {
		{ "smtp", run_smtp },
		{ "socket", run_socket },
		{ "run", run_program },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcmp(ways[i].word, c->o->where[0]) == 0)
			return ways[i].run(c);
	return refused(slice_of(c->o->where[0]));
}

/* A client in a process of its own, which is ready; false if it is not. */
static bool start(struct client *c, int ready, int go)
{
	char byte;
	pid_t pid = fork();

	if (pid < 0)
		return complain("fork");
	if (pid == 0) {
		bool good;

		fd_close(go);
		good = run(c);
		if (!good) /* nobody shall wait for it */
			(void)!write(c->ready, "", 1);
		fd_close(c->fd);
		str_done(&c->in);
		str_done(&c->out);
		_exit(good ? 0 : 1);
	}
	return read(ready, &byte, 1) == 1;
}

static int run_all(const struct options *o)
{
	struct timespec t;
	int ready[2], go[2], status;
	bool good = true;

	/* The writing end of `go` is the parent's alone. */
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0) {
		complain("pipe");
		return 1;
	}
	for (uint64_t i = 0; good && i < o->clients; i++) {
		struct client c = {
			.o = o,
			.first = i,
			.step = o->clients,
			.fd = -1,
			.ready = ready[1],
			.go = go[0],
		};

		good = start(&c, ready[0], go[1]);
	}
	clock_gettime(CLOCK_MONOTONIC, &t);
	printf("%jd\n", (intmax_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	fflush(stdout);
	fd_close(go[1]);
	while (wait(&status) > 0)
		good = good && status == 0;
	return good ? 0 : 1;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	uint64_t *number;
	int c;

	while ((c = getopt(argc, argv, "+c:d:n:r:u:")) != -1) {
		number = c == 'c'   ? &o->clients
			 : c == 'd' ? &o->destinations
			 : c == 'n' ? &o->messages
			 : c == 'u' ? &o->uid
				    : NULL;
		if (c == 'r')
			o->root = optarg;
		else if (number == NULL ||
			 !slice_uint(slice_of(optarg), INT32_MAX, number))
			return false;
	}
	o->where = argv + optind;
	return optind + 2 <= argc && o->destinations > 0;
}

int main(int argc, char **argv)
{
	struct options o = { .clients = 1, .destinations = 1, .messages = 1 };

	if (!parse_options(argc, argv, &o)) {
		fprintf(stderr, "%s\n", usage);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!change_place(&o))
		return 1;
	return run_all(&o);
}
