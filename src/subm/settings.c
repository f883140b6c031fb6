/*
 * settings.c - what zmailer.conf says to submit.
 */
#include "subm/settings.h"

#include "base/interval.h"

enum { HASH_LEVELS_MAX = 2 };

/* What ordinary users may do unless zmailer.conf says otherwise. */
enum {
	ORDINARY_SIZE = 64 * 1024 * 1024,
	ORDINARY_RCPTS = 1000,
	ORDINARY_CONNECTIONS = 20,
	SILENCE = 300,
	TOTAL = 3600,
};

/* A number, if the variable is set; a limit holds for all users then. */
static int read_limit(const struct zenv *z, const char *name, uint64_t *all,
		      uint64_t *ordinary, struct err *err)
{
	struct slice text;
	uint64_t n;

	if (!zenv_get(z, name, &text) || text.len == 0)
		return 0;
	if (!slice_uint(text, INT64_MAX, &n))
		return FAIL(err, "%s: %s is '%.*s', not a number", zenv_file(z),
			    name, SLICE_ARG(text));
	*ordinary = n;
	if (all != NULL)
		*all = n;
	return 0;
}

static int read_limits(const struct zenv *z, struct subm_settings *s,
		       struct err *err)
{
	struct slice silence;

	s->privileged = (struct subm_limits){ 0 };
	s->ordinary = (struct subm_limits){
		.size = ORDINARY_SIZE,
		.rcpts = ORDINARY_RCPTS,
		.connections = ORDINARY_CONNECTIONS,
		.silence = SILENCE,
		.total = TOTAL,
	};
	if (read_limit(z, "SUBMITMAXSIZE", &s->privileged.size,
		       &s->ordinary.size, err) < 0 ||
	    read_limit(z, "SUBMITMAXRCPTS", &s->privileged.rcpts,
		       &s->ordinary.rcpts, err) < 0 ||
	    read_limit(z, "SUBMITMAXCONN", NULL, &s->ordinary.connections,
		       err) < 0)
		return -1;
	s->reserve = (struct spool_reserve){ SPOOL_RESERVE_DEFAULT,
					     SPOOL_RESERVE_DEFAULT };
	if (read_limit(z, "SUBMITMINFREE", NULL, &s->reserve.bytes, err) < 0 ||
	    read_limit(z, "SUBMITMINFREEINODES", NULL, &s->reserve.inodes,
		       err) < 0)
		return -1;
	if (zenv_get(z, "SUBMITTIMEOUT", &silence) && silence.len > 0 &&
	    !interval_parse(silence, &s->ordinary.silence))
		return FAIL(err, "%s: SUBMITTIMEOUT is '%.*s', not an interval",
			    zenv_file(z), SLICE_ARG(silence));
	return 0;
}

int subm_settings_read(const struct zenv *z, struct subm_settings *ret,
		       struct err *err)
{
	struct subm_settings s = { .postoffice = zenv_cstr(z, "POSTOFFICE") };
	struct slice hash = { 0 };
	uint64_t levels = 0;

	if (s.postoffice == NULL || s.postoffice[0] != '/')
		return FAIL(err, "%s: POSTOFFICE is '%s', not an absolute path",
			    zenv_file(z),
			    s.postoffice != NULL ? s.postoffice : "");
	if (zenv_get(z, "SCHEDULERDIRHASH", &hash) && hash.len > 0 &&
	    !slice_uint(hash, HASH_LEVELS_MAX, &levels))
		return FAIL(err,
			    "%s: SCHEDULERDIRHASH is '%.*s', not 0, 1 or 2",
			    zenv_file(z), SLICE_ARG(hash));
	if (!zenv_get(z, "TRUSTEDUSER", &s.trusted))
		s.trusted = SLICE("");
	s.hash_levels = (unsigned)levels;
	if (read_limits(z, &s, err) < 0)
		return -1;
	*ret = s;
	return 0;
}

/* The highest uid that is one: the all-ones value means "none". */
enum { UID_BITS = 32 };

static bool is_user(struct slice word, uid_t uid, subm_find_uid *find_uid,
		    void *context)
{
	struct str name = STR_INIT;
	uint64_t number;
	uid_t found;
	bool is = false;

	if (slice_uint(word, (UINT64_C(1) << UID_BITS) - 2, &number))
		return number == uid;
	str_add(&name, word);
	if (!slice_has(word, '\0') && find_uid(context, name.p, &found))
		is = found == uid;
	str_done(&name);
	return is;
}

bool subm_is_trusted(struct slice trusted, uid_t uid, subm_find_uid *find_uid,
		     void *context)
{
	struct slice part, word;

	if (uid == 0)
		return true;
	while (slice_cut(&trusted, ',', &part))
		while (slice_word(&part, &word))
			if (is_user(word, uid, find_uid, context))
				return true;
	return false;
}
