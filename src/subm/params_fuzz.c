/*
 * params_fuzz.c - whatever MAIL and RCPT ask for, what comes of it can stand in
 * a control file.
 */
#include "subm/params.h"

#include "base/fuzz.h"
#include "smtp/path.h"

/* Of one line: may nothing in it begin another field or line? */
static bool is_clean(struct slice s)
{
	return !slice_has_control(s) && !slice_has(s, ' ') &&
	       !slice_has_8bit(s);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct arena *a = arena_new();
	struct subm_request r = { 0 };
	struct subm_wish wish = { 0 };
	struct err err;

	if (subm_params_mail(text, a, &r, &err) == 0) {
		FUZZ_CHECK(is_clean(r.envid));
		FUZZ_CHECK(r.envid.len == 0 || envid_valid(r.envid));
	}
	if (subm_params_rcpt(text, a, &wish, &err) == 0) {
		FUZZ_CHECK(is_clean(wish.orcpt));
		FUZZ_CHECK(wish.orcpt.len == 0 || orcpt_valid(wish.orcpt));
		FUZZ_CHECK(wish.has_notify == (wish.notify != 0));
	}
	arena_free(a);
	return 0;
}
