/*
 * history.c - what was tried with a message, from the scheduler's event log.
 */
#include "mailqb/history.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE = 256 * 1024,
	LINE_LIMIT = 4 * 1024 * 1024 /* far above the bounds of a record */
};

/* The last `max` of what was seen. */
struct ring {
	json_t **records; /* record i lies at i % max */
	size_t n_seen, cap;
};

struct mailq_records {
	struct slice name, spool_id;
	struct str needle; /* what every line about it holds */
	size_t max;
	struct ring attempts, events;
	bool is_skipping; /* the rest of a line that is too long */
};

static struct slice text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return slice_make(json_string_value(value), json_string_length(value));
}

/* ---- reading ------------------------------------------------------------ */

/* Is it this message, and not an earlier one of the same name? */
static bool is_ours(const struct mailq_records *r, struct slice name,
		    struct slice id)
{
	return slice_eq(name, r->name) &&
	       (id.len == 0 || r->spool_id.len == 0 ||
		slice_eq(id, r->spool_id));
}

/* Where a record belongs; NULL: nowhere. */
static struct ring *ring_of(struct mailq_records *r, const json_t *record)
{
	static const char *const events[] = { "result", "expired", "command" };
	const json_t *job = json_object_get(record, "job");
	struct slice event = text_of(record, "event");

	if (slice_eq(event, SLICE("attempt")))
		return is_ours(r, text_of(job, "name"),
			       text_of(job, "spool_id"))
			   ? &r->attempts
			   : NULL;
	if (!is_ours(r, text_of(record, "message"),
		     text_of(record, "spool_id")))
		return NULL;
	for (size_t i = 0; i < COUNT(events); i++)
		if (slice_eq(event, slice_of(events[i])))
			return &r->events;
	return NULL;
}

static void keep(struct ring *ring, size_t max, json_t *record)
{
	size_t at = ring->n_seen++ % max;

	if (ring->n_seen > max)
		json_decref(ring->records[at]);
	else
		ring->records = mem_grow(ring->records, &ring->cap, at + 1,
					 sizeof(json_t *));
	ring->records[at] = record;
}

static void take_line(struct mailq_records *r, struct slice line)
{
	struct ring *ring;
	json_t *record;

	if (r->needle.len > 0 &&
	    slice_find_text(line, str_slice(&r->needle)) == line.len)
		return;
	record = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);
	ring = record != NULL ? ring_of(r, record) : NULL;
	if (ring != NULL)
		keep(ring, r->max, record);
	else
		json_decref(record);
}

/* The whole lines of text, which then holds the start of the next. */
static void take_lines(struct mailq_records *r, struct str *text)
{
	struct slice rest = str_slice(text);
	size_t len;

	while ((len = slice_find(rest, '\n')) < rest.len) {
		if (!r->is_skipping)
			take_line(r, slice_head(rest, len));
		r->is_skipping = false;
		rest = slice_from(rest, len + 1);
	}
	str_shift(text, text->len - rest.len);
	if (text->len > LINE_LIMIT) {
		r->is_skipping = true;
		str_clear(text);
	}
}

static int read_all(struct mailq_records *r, int fd, const char *path,
		    struct err *err)
{
	struct str text = STR_INIT;
	ssize_t n;

	do {
		str_reserve(&text, PIECE);
		n = read(fd, text.p + text.len, PIECE);
		if (n > 0) {
			text.len += (size_t)n;
			take_lines(r, &text);
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	str_done(&text);
	return n < 0 ? FAIL_CODE(err, errno, "%s: %s", path, strerror(errno))
		     : 0;
}

/* The end of the name as JSON has it, where that can only be one way. */
static void make_needle(struct str *to, struct slice name)
{
	size_t slash = slice_find_last(name, '/');

	if (slash < name.len)
		name = slice_from(name, slash + 1);
	if (!slice_has(name, '"') && !slice_has(name, '\\') &&
	    !slice_has_8bit(name))
		str_addf(to, "%.*s\"", SLICE_ARG(name));
}

/* A file, and no pipe: what is read of that somebody else would miss. */
static int open_log(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_set(err, errno, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		err_set(err, 0, "%s: not a regular file", path);
		fd_close(fd);
		fd = -1;
	}
	return fd;
}

struct mailq_records *mailq_history_read(const char *path, struct slice name,
					 struct slice spool_id, size_t max,
					 struct err *err)
{
	int fd = open_log(path, err);
	struct mailq_records *r;

	if (fd < 0)
		return NULL;
	r = mem_zero(1, sizeof(*r));
	r->name = name;
	r->spool_id = spool_id;
	r->max = max;
	make_needle(&r->needle, name);
	if (read_all(r, fd, path, err) < 0) {
		mailq_history_free(r);
		r = NULL;
	}
	fd_close(fd);
	return r;
}

static size_t n_kept(const struct mailq_records *r, const struct ring *ring)
{
	return ring->n_seen < r->max ? ring->n_seen : r->max;
}

/* The i-th that is kept, the oldest first. */
static const json_t *record_at(const struct mailq_records *r,
			       const struct ring *ring, size_t i)
{
	return ring->records[(ring->n_seen - n_kept(r, ring) + i) % r->max];
}

static void ring_done(struct mailq_records *r, struct ring *ring)
{
	for (size_t i = 0; i < n_kept(r, ring); i++)
		json_decref(ring->records[i]);
	free(ring->records);
}

void mailq_history_free(struct mailq_records *r)
{
	if (r == NULL)
		return;
	ring_done(r, &r->attempts);
	ring_done(r, &r->events);
	str_done(&r->needle);
	free(r);
}

/* ---- printing ----------------------------------------------------------- */

static void add_wrapped(struct str *to, struct str *line, size_t indent,
			const struct mailq_look *look)
{
	str_addf(to, "%*s", (int)indent, "");
	mailq_add_wrapped(to, str_slice(line), indent, indent + 2, look->width);
	str_clear(line);
}

/* "mx.example.com [192.0.2.1]:25" */
static void add_peer(struct str *to, const json_t *peer)
{
	mailq_add_text(to, text_of(peer, "host"));
	str_adds(to, " [");
	mailq_add_text(to, text_of(peer, "address"));
	str_addc(to, ']');
	if (json_is_integer(json_object_get(peer, "port")))
		str_addf(to, ":%jd",
			 (intmax_t)json_integer_value(
			     json_object_get(peer, "port")));
}

/* When, by whom, over which connection. */
static void add_start(struct str *to, const json_t *record)
{
	const json_t *agent = json_object_get(record, "agent");
	const json_t *connection = json_object_get(record, "connection");
	struct slice tls = text_of(json_object_get(record, "tls"), "protocol");
	json_int_t ms = json_integer_value(json_object_get(record, "ms"));

	mailq_add_text(to, text_of(record, "time"));
	str_addf(to, "  %jd.%03d s, ", (intmax_t)(ms / 1000),
		 (int)(ms % 1000 < 0 ? 0 : ms % 1000));
	mailq_add_text(to, text_of(agent, "program"));
	str_addf(to, "[%jd]",
		 (intmax_t)json_integer_value(json_object_get(agent, "pid")));
	if (json_is_object(connection)) {
		str_adds(to, " to ");
		add_peer(to, connection);
		str_adds(to, tls.len > 0 ? ", " : ", in the clear");
		mailq_add_text(to, tls);
	} else {
		str_adds(to, ", no connection");
	}
}

/* Addresses that were tried and could not be used. */
static void add_tried(struct str *to, const json_t *tried,
		      const struct mailq_look *look)
{
	struct str line = STR_INIT;

	for (size_t i = 0; i < json_array_size(tried); i++) {
		const json_t *one = json_array_get(tried, i);

		if (!slice_eq(text_of(one, "result"), SLICE("failed")))
			continue;
		add_peer(&line, one);
		str_adds(&line, ": ");
		mailq_add_text(&line, text_of(one, "why"));
		add_wrapped(to, &line, 4, look);
	}
	str_done(&line);
}

static void add_rcpts(struct str *to, const json_t *rcpts,
		      const struct mailq_look *look)
{
	struct str line = STR_INIT;

	for (size_t i = 0; i < json_array_size(rcpts); i++) {
		const json_t *one = json_array_get(rcpts, i);

		mailq_add_text(&line, text_of(one, "user"));
		str_adds(&line, ": ");
		mailq_add_text(&line, text_of(one, "outcome"));
		str_adds(&line, ", ");
		mailq_add_text(&line, text_of(one, "reason"));
		if (text_of(one, "diagnostic").len > 0) {
			str_adds(&line, ": ");
			mailq_add_text(&line, text_of(one, "diagnostic"));
		}
		add_wrapped(to, &line, 4, look);
	}
	str_done(&line);
}

/* Each line of a reply by itself, behind an arrow. */
static void add_said(struct str *to, const char *arrow, struct slice text,
		     const struct mailq_look *look)
{
	struct str line = STR_INIT;
	struct slice one;

	while (slice_cut(&text, '\n', &one)) {
		str_adds(&line, arrow);
		mailq_add_text(&line, one);
		add_wrapped(to, &line, 6, look);
	}
	str_done(&line);
}

static void add_dialogue(struct str *to, const json_t *dialogue,
			 const struct mailq_look *look)
{
	for (size_t i = 0; i < json_array_size(dialogue); i++) {
		const json_t *one = json_array_get(dialogue, i);

		if (json_is_string(json_object_get(one, "said")))
			add_said(to, "> ", text_of(one, "said"), look);
		if (json_is_string(json_object_get(one, "reply")))
			add_said(to, "< ", text_of(one, "reply"), look);
	}
}

static void print_attempts(struct str *to, const struct mailq_records *r,
			   const struct mailq_look *look, bool with_dialogue)
{
	struct str line = STR_INIT;

	str_addf(to, "Attempts      %zu in the event log\n",
		 r->attempts.n_seen);
	for (size_t i = 0; i < n_kept(r, &r->attempts); i++) {
		const json_t *record = record_at(r, &r->attempts, i);
		const json_t *connection =
		    json_object_get(record, "connection");

		add_start(&line, record);
		add_wrapped(to, &line, 2, look);
		add_tried(to, json_object_get(record, "tried"), look);
		if (with_dialogue) {
			add_dialogue(to, json_object_get(connection, "opening"),
				     look);
			add_dialogue(to, json_object_get(record, "dialogue"),
				     look);
		}
		add_rcpts(to, json_object_get(record, "recipients"), look);
	}
	str_done(&line);
}

static void add_part(struct str *to, const char *before, struct slice text)
{
	if (text.len == 0)
		return;
	str_adds(to, before);
	mailq_add_text(to, text);
}

/* "TIME  bob@example.com: deferred by smtp[4711], 4.4.1, mx: busy" */
static void add_event(struct str *to, const json_t *record)
{
	const json_t *agent = json_object_get(record, "agent");

	mailq_add_text(to, text_of(record, "time"));
	add_part(to, "  ", text_of(record, "user"));
	if (slice_eq(text_of(record, "event"), SLICE("command"))) {
		add_part(to, ": ", text_of(record, "command"));
		str_addf(to, " by uid %jd",
			 (intmax_t)json_integer_value(
			     json_object_get(record, "by")));
		add_part(to, " as ", text_of(record, "as"));
		return;
	}
	if (json_is_object(agent)) {
		add_part(to, ": ", text_of(record, "outcome"));
		add_part(to, " by ", text_of(agent, "program"));
		str_addf(to, "[%jd]",
			 (intmax_t)json_integer_value(
			     json_object_get(agent, "pid")));
	} else {
		str_adds(to, ": expired");
		add_part(to, ", ", text_of(record, "reason"));
	}
	add_part(to, ", ", text_of(record, "status"));
	add_part(to, ", ", text_of(record, "remote"));
	add_part(to, ": ", text_of(record, "text"));
}

/* Attempts tell more than results do. */
static void print_events(struct str *to, const struct mailq_records *r,
			 const struct mailq_look *look)
{
	struct str line = STR_INIT;
	bool is_first = true;

	for (size_t i = 0; i < n_kept(r, &r->events); i++) {
		const json_t *record = record_at(r, &r->events, i);

		if (r->attempts.n_seen > 0 &&
		    slice_eq(text_of(record, "event"), SLICE("result")))
			continue;
		if (is_first)
			str_adds(to, "Events\n");
		is_first = false;
		add_event(&line, record);
		add_wrapped(to, &line, 2, look);
	}
	str_done(&line);
}

void mailq_history_print(struct str *to, const struct mailq_records *r,
			 const struct mailq_look *look, bool with_dialogue)
{
	print_attempts(to, r, look, with_dialogue);
	print_events(to, r, look);
}

static void add_array(struct str *to, const struct mailq_records *r,
		      const struct ring *ring)
{
	str_addc(to, '[');
	for (size_t i = 0; i < n_kept(r, ring); i++) {
		char *text = json_dumps(record_at(r, ring, i),
					JSON_COMPACT | JSON_ENSURE_ASCII);

		if (text == NULL)
			mem_exhausted();
		if (i > 0)
			str_addc(to, ',');
		str_adds(to, text);
		free(text);
	}
	str_addc(to, ']');
}

void mailq_history_json(struct str *attempts, struct str *events,
			const struct mailq_records *r)
{
	add_array(attempts, r, &r->attempts);
	add_array(events, r, &r->events);
}
