/*
 * options.c - what the command line of sm(8) says, as one struct.
 */
#include "smta/options.h"

#include "base/interval.h"
#include "base/keyword.h"

enum {
	TIMEOUT_STANDARD = 30 * 60,
	TIMEOUT_MAX = 40 * 24 * 3600 /* fits 32 bits of milliseconds */
};

struct smta_options smta_options_default(void)
{
	return (struct smta_options){ .program = "sm",
				      .timeout = TIMEOUT_STANDARD };
}

static bool set_timeout(struct smta_options *o, struct slice value)
{
	unsigned seconds;

	if (value.len == 0 || !interval_parse(value, &seconds) ||
	    seconds > TIMEOUT_MAX)
		return false;
	o->timeout = seconds;
	return true;
}

static bool set_sync(struct smta_options *o, struct slice value)
{
	o->sync_always = slice_eq(value, SLICE("always"));
	return o->sync_always || slice_eq(value, SLICE("auto"));
}

static const struct smta_own_key own_keys[] = {
	{ "sync", "always or auto", set_sync },
	{ "timeout", "an interval of at most 40d, such as 30m; 0 for none",
	  set_timeout },
};

const struct smta_own_key *smta_own_keys(size_t *ret_n)
{
	*ret_n = COUNT(own_keys);
	return own_keys;
}

int smta_options_own(struct smta_options *o, struct slice value,
		     struct err *err)
{
	size_t at = slice_find(value, '=');
	struct slice key = slice_head(value, at);

	for (size_t i = 0; i < COUNT(own_keys); i++) {
		if (!slice_eq(key, slice_of(own_keys[i].key)))
			continue;
		if (at == value.len ||
		    !own_keys[i].set(o, slice_from(value, at + 1)))
			return FAIL(err, "-O %.*s: expected %s",
				    SLICE_ARG(value), own_keys[i].expected);
		return 0;
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
