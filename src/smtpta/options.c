/*
 * options.c - what the command line of smtp(8) says, as one struct.
 */
#include "smtpta/options.h"

#include "base/interval.h"
#include "base/keyword.h"
#include "net/addr.h"

#include <stddef.h>

enum { WINDOW_MAX = 10000 };

struct timeout {
	const char *name;
	size_t offset; /* in struct smtpta_timeouts */
	unsigned minimum, standard;
};

#define FIELD(name) offsetof(struct smtpta_timeouts, name)

static const struct timeout timeout_rows[] = {
	{ "conn", FIELD(conn), 10, 3 * 60 },
	{ "tcpw", FIELD(tcpw), 10, 5 * 60 },
	{ "cmd", FIELD(cmd), 5, 5 * 60 },
	{ "data", FIELD(data), 10, 2 * 60 },
	{ "dot", FIELD(dot), 10, 20 * 60 },
};

static unsigned *field_of(struct smtpta_timeouts *t, const struct timeout *row)
{
	return (unsigned *)(void *)((char *)t + row->offset);
}

struct smtpta_options smtpta_options_default(void)
{
	struct smtpta_options o = { .program = "smtp",
				    .channel = SLICE("smtp"),
				    .port = 25,
				    .window = 100,
				    .window_bytes = 4 * 1024 * 1024 };

	for (size_t i = 0; i < COUNT(timeout_rows); i++)
		*field_of(&o.timeouts, &timeout_rows[i]) =
		    timeout_rows[i].standard;
	return o;
}

int smtpta_options_timeout(struct smtpta_options *o, struct slice value,
			   struct err *err)
{
	size_t at = slice_find(value, '=');
	struct slice name = SLICE("cmd"), text = value;
	unsigned seconds;

	if (at < value.len) {
		name = slice_head(value, at);
		text = slice_from(value, at + 1);
	}
	for (size_t i = 0; i < COUNT(timeout_rows); i++) {
		const struct timeout *row = &timeout_rows[i];

		if (!slice_eq(name, slice_of(row->name)))
			continue;
		if (text.len == 0 || !interval_parse(text, &seconds))
			return FAIL(err,
				    "-T %.*s: expected an interval such as "
				    "3m or 90s",
				    SLICE_ARG(value));
		if (seconds < row->minimum)
			return FAIL(err, "-T %.*s: at least %u seconds",
				    SLICE_ARG(value), row->minimum);
		*field_of(&o->timeouts, row) = seconds;
		return 0;
	}
	return FAIL(err, "-T %.*s: expected conn, tcpw, cmd, data or dot",
		    SLICE_ARG(value));
}

static int set_sync(struct smtpta_options *o, struct slice text)
{
	bool is_always = slice_eq(text, SLICE("always"));

	if (!is_always && !slice_eq(text, SLICE("auto")))
		return -1;
	o->sync_always = is_always;
	return 0;
}

/* MESSAGES [ "," BYTES ] */
static int set_window(struct smtpta_options *o, struct slice text)
{
	size_t at = slice_find(text, ',');
	uint64_t messages, bytes = o->window_bytes;

	if (!slice_uint(slice_head(text, at), WINDOW_MAX, &messages) ||
	    messages == 0)
		return -1;
	if (at < text.len &&
	    !slice_uint(slice_from(text, at + 1), UINT32_MAX, &bytes))
		return -1;
	o->window = (unsigned)messages;
	o->window_bytes = bytes;
	return 0;
}

struct own {
	const char *key, *expected;
	int (*set)(struct smtpta_options *o, struct slice text);
};

static const struct own own_rows[] = {
	{ "sync", "always or auto", set_sync },
	{ "window", "MESSAGES or MESSAGES,BYTES", set_window },
};

int smtpta_options_own(struct smtpta_options *o, struct slice value,
		       struct err *err)
{
	size_t at = slice_find(value, '=');
	struct slice key = slice_head(value, at);
	struct slice text = slice_from(value, at + 1);

	for (size_t i = 0; i < COUNT(own_rows); i++) {
		if (!slice_eq(key, slice_of(own_rows[i].key)))
			continue;
		if (own_rows[i].set(o, text) == 0)
			return 0;
		return FAIL(err, "-O %.*s=%.*s: expected %s", SLICE_ARG(key),
			    SLICE_ARG(text), own_rows[i].expected);
	}
	return FAIL(err, "-O %.*s: unknown key", SLICE_ARG(key));
}

struct slice smtpta_unix_path(struct slice forced)
{
	if (!slice_starts(forced, SLICE("UNIX:")))
		return slice_make(NULL, 0);
	return slice_from(forced, 5);
}

int smtpta_options_check(const struct smtpta_options *o, struct err *err)
{
	struct slice path = smtpta_unix_path(o->forced);
	struct net_addr addr;

	/* Taken for a host name it would defer or even fail all mail. */
	if (slice_starts(o->forced, SLICE("UNIX:")) &&
	    net_unix_addr(path, &addr, err) < 0)
		return -1;
	if (o->is_lmtp && o->port == 25 && path.len == 0)
		return FAIL(err, "-M (LMTP) needs a port other than 25, or "
				 "-F UNIX:/path");
	return 0;
}
