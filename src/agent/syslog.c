/*
 * syslog.c - one line in syslog for each final report.
 */
#include "agent/syslog.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

/* Bytes of a field. */
enum {
	USER_MAX = 200,
	CHANNEL_MAX = 80,
	RELAY_MAX = 200,
	ADDRESS_MAX = 80,
	STATUS_MAX = 80,
	MESSAGE_MAX = 400,
	MESSAGE_MAX_ALONE = 200 /* without a relay */
};

enum syslog_form syslog_form_of(struct slice flags)
{
	if (slice_has(flags, 't'))
		return SYSLOG_TABS;
	return slice_has(flags, 'T') ? SYSLOG_CLASSIC : SYSLOG_NONE;
}

/* ---- the line ----------------------------------------------------------- */

/* At most max bytes of text, without a character of UTF-8 that is cut. */
static struct slice cut(struct slice text, size_t max)
{
	size_t n = max;

	if (text.len <= max)
		return text;
	while (n > 0 && n + 3 > max && (text.p[n] & 0xc0) == 0x80)
		n--;
	/* That was none: cut where it was asked for. */
	return slice_head(text, (text.p[n] & 0xc0) == 0x80 ? max : n);
}

static void add_cut(struct str *to, struct slice text, size_t max)
{
	str_add_clean(to, cut(text, max), SIZE_MAX);
}

static void add_user(struct str *to, struct slice user)
{
	size_t from = to->len;

	add_cut(to, user, USER_MAX);
	for (size_t i = from; i < to->len; i++)
		if (to->p[i] == '<' || to->p[i] == '>')
			to->p[i] = '?';
}

static void add_time(struct str *to, int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	str_addf(to, "%02lld:%02d:%02d", (long long)(seconds / 3600),
		 (int)(seconds / 60 % 60), (int)(seconds % 60));
}

/*
 * TYPE "; " NAME [ " (" ADDRESS ")" ], as Remote-MTA has it. An address of
 * the diag's connection says more than the one here.
 */
static bool add_relay(struct str *to, const struct diag *d)
{
	struct slice name = d->remote_mta, address = d->connection;
	size_t at = slice_find(name, ';');

	if (at < name.len)
		name = slice_from(name, at + 1);
	at = slice_find_text(name, SLICE(" ("));
	if (at < name.len && address.len == 0) {
		address = slice_from(name, at + 2);
		address = slice_head(address, slice_find_last(address, ')'));
	}
	name = slice_trim(slice_head(name, at));
	if (name.len == 0)
		return false;
	str_adds(to, "relay=");
	add_cut(to, name, RELAY_MAX);
	if (address.len > 0) {
		str_adds(to, " ([");
		add_cut(to, address, ADDRESS_MAX);
		str_adds(to, "])");
	}
	return true;
}

static void add_status(struct str *to, const struct syslog_entry *e)
{
	struct str status = STR_INIT;

	str_adds(&status, report_status_word(e->status));
	if (e->status == STATUS_RETRYAT)
		str_addf(&status, " +%u", e->diag->retry_after);
	str_adds(to, "stat=");
	add_cut(to, str_slice(&status), STATUS_MAX);
	str_done(&status);
}

/* The last line of a transcript. */
static struct slice last_line(struct slice text)
{
	while (text.len > 0 &&
	       (text.p[text.len - 1] == '\r' || text.p[text.len - 1] == '\n'))
		text.len--;
	for (size_t i = text.len; i > 0; i--)
		if (text.p[i - 1] == '\r' || text.p[i - 1] == '\n')
			return slice_from(text, i);
	return text;
}

void syslog_print(struct str *to, const struct syslog_entry *e,
		  enum syslog_form form)
{
	const char *comma = form == SYSLOG_TABS ? "\t" : ", ";
	struct slice message = slice_trim(last_line(e->diag->text));
	bool has_relay;

	str_add_clean(to, e->spool_id, SIZE_MAX);
	str_adds(to, form == SYSLOG_TABS ? ":\tto=<" : ": to=<");
	add_user(to, e->recipient);
	str_addf(to, ">%sdelay=", comma);
	add_time(to, e->delay);
	str_addf(to, "%sxdelay=", comma);
	add_time(to, e->xdelay);
	str_addf(to, "%smailer=", comma);
	add_cut(to, e->channel, CHANNEL_MAX);
	str_adds(to, comma);
	has_relay = add_relay(to, e->diag);
	if (has_relay)
		str_adds(to, comma);
	add_status(to, e);
	if (message.len > 0) {
		str_addc(to, ' ');
		add_cut(to, message,
			has_relay ? MESSAGE_MAX : MESSAGE_MAX_ALONE);
	}
	if (e->has_conversion)
		str_addf(to, " cvt=%s",
			 e->diag->conversion != NULL ? e->diag->conversion
						     : "UNKNOWN");
}

/* ---- the hand ----------------------------------------------------------- */

struct syslog {
	const char *path, *ident;
	pid_t pid;
	int fd;
	bool is_stream;	     /* its lines are ended by NUL, as libc does it */
	int64_t quiet_until; /* milliseconds; nothing is tried before */
	uint64_t n_lost;
	time_t second; /* what `date` shows */
	struct str date, packet;
	size_t sent;  /* of the packet */
	int wait;     /* for a daemon that does not read, milliseconds */
	int severity; /* of the line that is being sent */
};

struct syslog *syslog_new(const char *path, const char *ident, pid_t pid)
{
	struct syslog *s = mem_zero(1, sizeof(*s));

	s->path = path;
	s->ident = ident;
	s->pid = pid;
	s->fd = -1;
	return s;
}

void syslog_free(struct syslog *s)
{
	if (s == NULL)
		return;
	fd_close(s->fd);
	str_done(&s->date);
	str_done(&s->packet);
	free(s);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void disconnect(struct syslog *s)
{
	fd_close(s->fd);
	s->fd = -1;
}

/* False, errno set, if nobody is there or wants another type of socket. */
static bool connect_as(struct syslog *s, const struct sockaddr_un *addr,
		       int type)
{
	/* A daemon with a full queue is not waited for in connect(2). */
	s->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return false;
	s->is_stream = type == SOCK_STREAM;
	if (connect(s->fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return true;
	disconnect(s);
	return false;
}

static bool connect_to(struct syslog *s)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(s->path);

	s->sent = 0;
	if (len >= sizeof(addr.sun_path))
		return false;
	memcpy(addr.sun_path, s->path, len); /* the rest is zero */
	return connect_as(s, &addr, SOCK_DGRAM) ||
	       (errno == EPROTOTYPE && connect_as(s, &addr, SOCK_STREAM));
}

static bool is_full(int code)
{
	return code == EAGAIN || code == ENOBUFS || code == EINTR;
}

/* Sends without waiting; 0 or an errno value. */
static int send_now(struct syslog *s)
{
	/* The NUL behind the text is part of what a stream gets. */
	size_t len = s->packet.len + (s->is_stream ? 1 : 0);
	ssize_t n = send(s->fd, s->packet.p + s->sent, len - s->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno;
	s->sent += (size_t)n;
	return s->sent < len ? EAGAIN : 0;
}

/* Sends the packet; false if the daemon is not there or does not read. */
static bool send_packet(struct syslog *s)
{
	struct pollfd p = { .events = POLLOUT };
	int code;

	if (s->fd < 0 && !connect_to(s))
		return false;
	code = send_now(s);
	if (code != 0 && !is_full(code)) {
		/* It was started anew behind our back. */
		disconnect(s);
		if (!connect_to(s))
			return false;
		code = send_now(s);
	}
	if (is_full(code) && s->wait > 0) {
		p.fd = s->fd;
		if (poll(&p, 1, s->wait) > 0)
			code = send_now(s);
	}
	if (code != 0 && s->is_stream && s->sent > 0)
		disconnect(s); /* no further line behind half a one */
	return code == 0;
}

/* "Mmm dd hh:mm:ss", local time; made once a second. */
static void add_date(struct syslog *s, struct str *to)
{
	time_t now = time(NULL);
	struct tm tm = { 0 };
	char text[32]; /* the date has 15 bytes */

	if (now != s->second || s->date.len == 0) {
		localtime_r(&now, &tm);
		str_clear(&s->date);
		str_add(&s->date,
			slice_make(text, strftime(text, sizeof(text),
						  "%b %e %H:%M:%S", &tm)));
		s->second = now;
	}
	str_add(to, str_slice(&s->date));
}

static bool send_line(struct syslog *s, struct slice line)
{
	str_clear(&s->packet);
	/* As RFC 3164 4.1.1 writes it. */
	str_addf(&s->packet, "<%d>", LOG_MAIL | s->severity);
	add_date(s, &s->packet);
	str_addf(&s->packet, " %s[%ld]: ", s->ident, (long)s->pid);
	str_add(&s->packet, line);
	s->sent = 0;
	return send_packet(s);
}

/* What could not be said before; false if it still cannot. */
static bool tell_lost(struct syslog *s)
{
	struct str text = STR_INIT;
	bool is_told;

	str_addf(&text, "%llu lines were lost: syslog did not take them",
		 (unsigned long long)s->n_lost);
	is_told = send_line(s, str_slice(&text));
	if (is_told)
		s->n_lost = 0;
	str_done(&text);
	return is_told;
}

static void send_or_count(struct syslog *s, struct slice line)
{
	/* The clock is looked at only after trouble. */
	if (s->n_lost > 0 && now_ms() < s->quiet_until) {
		s->n_lost++;
		return;
	}
	if ((s->n_lost == 0 || tell_lost(s)) && send_line(s, line))
		return;
	s->n_lost++;
	s->quiet_until = now_ms() + SYSLOG_PAUSE;
}

void syslog_send(struct syslog *s, struct slice line)
{
	s->wait = SYSLOG_WAIT;
	s->severity = LOG_INFO;
	send_or_count(s, line);
}

void syslog_send_as(struct syslog *s, int severity, struct slice line)
{
	s->wait = 0;
	s->severity = severity;
	send_or_count(s, line);
}
