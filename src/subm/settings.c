/*
 * settings.c - what zmailer.conf says to submit.
 */
#include "subm/settings.h"

enum { HASH_LEVELS_MAX = 2 };

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
