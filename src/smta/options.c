/*
 * options.c - what the command line of sm(8) says, as one struct.
 */
#include "smta/options.h"

#include "agent/syslog.h"
#include "base/interval.h"
#include "base/keyword.h"
#include "base/mem.h"
#include "proc/launch.h"
#include "smta/environment.h"

#include <stdlib.h>

enum {
	TIMEOUT_STANDARD = 30 * 60,
	TIMEOUT_MAX = 40 * 24 * 3600 /* fits 32 bits of milliseconds */
};

struct smta_options smta_options_default(void)
{
	return (struct smta_options){ .program = "sm",
				      .timeout = TIMEOUT_STANDARD,
				      .syslog_path = SYSLOG_PATH };
}

void smta_options_done(struct smta_options *o)
{
	free(o->limits.items);
	free(o->environment.items);
	o->limits = o->environment = (struct smta_list){ 0 };
}

static void add(struct smta_list *list, struct slice item)
{
	list->items = mem_grow(list->items, &list->cap, list->n + 1,
			       sizeof(*list->items));
	list->items[list->n++] = item;
}

/* ---- the keys ---------------------------------------------------------- */

static bool set_environment(struct smta_options *o, const struct smta_own *own,
			    struct err *err)
{
	if (environment_check(own->value, err) < 0)
		return false;
	add(&o->environment, own->value);
	return true;
}

/* A word of zlaunch's, which knows best what it takes. */
static bool set_limit(struct smta_options *o, const struct smta_own *own,
		      struct err *err)
{
	if (launch_check_word(own->all, err) < 0)
		return false;
	add(&o->limits, own->all);
	return true;
}

static bool set_loop_guard(struct smta_options *o, const struct smta_own *own,
			   struct err *err)
{
	(void)err;
	o->loop_guard = !own->has_value;
	return o->loop_guard;
}

static bool set_sync(struct smta_options *o, const struct smta_own *own,
		     struct err *err)
{
	(void)err;
	o->sync_always = slice_eq(own->value, SLICE("always"));
	return o->sync_always || slice_eq(own->value, SLICE("auto"));
}

static bool set_syslog(struct smta_options *o, const struct smta_own *own,
		       struct err *err)
{
	(void)err;
	if (!slice_starts(own->value, SLICE("/")))
		return false;
	o->syslog_path = own->value.p; /* to the NUL behind it */
	return true;
}

static bool set_timeout(struct smta_options *o, const struct smta_own *own,
			struct err *err)
{
	unsigned seconds;

	(void)err;
	if (own->value.len == 0 || !interval_parse(own->value, &seconds) ||
	    seconds > TIMEOUT_MAX)
		return false;
	o->timeout = seconds;
	return true;
}

static const struct smta_own_key own_keys[] = {
	{ "cpu", NULL, set_limit },
	{ "directory", NULL, set_limit },
	{ "environment", NULL, set_environment },
	{ "file-size", NULL, set_limit },
	{ "group", NULL, set_limit },
	{ "loop-guard", "no value", set_loop_guard },
	{ "memory", NULL, set_limit },
	{ "nice", NULL, set_limit },
	{ "no-network", NULL, set_limit },
	{ "no-new-privileges", NULL, set_limit },
	{ "processes", NULL, set_limit },
	{ "read-only", NULL, set_limit },
	{ "read-write", NULL, set_limit },
	{ "sync", "always or auto", set_sync },
	{ "syslog", "the absolute path of a socket", set_syslog },
	{ "timeout", "an interval of at most 40d, such as 30m; 0 for none",
	  set_timeout },
	{ "umask", NULL, set_limit },
	{ "user", NULL, set_limit },
};

const struct smta_own_key *smta_own_keys(size_t *ret_n)
{
	*ret_n = COUNT(own_keys);
	return own_keys;
}

int smta_options_own(struct smta_options *o, struct slice text, struct err *err)
{
	size_t at = slice_find(text, '=');
	struct slice key = slice_head(text, at);
	struct smta_own own = { .all = text,
				.has_value = at < text.len,
				.value = slice_from(text, at + 1) };

	for (size_t i = 0; i < COUNT(own_keys); i++) {
		const struct smta_own_key *row = &own_keys[i];

		if (!slice_eq(key, slice_of(row->key)))
			continue;
		if (row->set(o, &own, err))
			return 0;
		if (row->expected == NULL)
			return FAIL(err, "-O %s", err->text);
		return FAIL(err, "-O %.*s: expected %s", SLICE_ARG(text),
			    row->expected);
	}
	return FAIL(err, "-O %.*s: unknown key", SLICE_ARG(key));
}

int smta_options_check(const struct smta_options *o, struct err *err)
{
	if (!o->has_channel && !o->has_host)
		return FAIL(err, "-c channel or -h host must be given");
	if (o->mailer == NULL)
		return FAIL(err, "exactly one mailer must be named");
	return 0;
}
