/*
 * params.c - the parameters of MAIL and RCPT in a batch.
 */
#include "subm/params.h"

#include "base/keyword.h"
#include "base/xtext.h"
#include "smtp/path.h"
#include "subm/wishes.h"

enum { SIZE_DIGITS_MAX = 20 }; /* RFC 1870 6.1 */

/* What a parameter is asked to change. */
struct target {
	struct arena *a;
	struct subm_request *request; /* of MAIL */
	struct subm_wish *wish;	      /* of RCPT */
};

/* One parameter; value.p is NULL if there is no '='. False: badly made. */
typedef bool take_param(struct target *t, struct slice value);

static bool take_body(struct target *t, struct slice value)
{
	return subm_wish_body(value, &t->request->body);
}

static bool take_size(struct target *t, struct slice value)
{
	return value.len <= SIZE_DIGITS_MAX &&
	       slice_uint(value, UINT64_MAX, &t->request->size);
}

static bool take_nothing(struct target *t, struct slice value)
{
	(void)t;
	return value.p == NULL;
}

static bool take_auth(struct target *t, struct slice value)
{
	(void)t;
	return value.len > 0 && xtext_valid(value);
}

static bool take_ret(struct target *t, struct slice value)
{
	return subm_wish_ret(value, &t->request->ret);
}

static bool take_envid(struct target *t, struct slice value)
{
	t->request->envid = arena_dup(t->a, value);
	return value.len > 0 && envid_valid(value);
}

static bool take_by(struct target *t, struct slice value)
{
	return subm_wish_by(value, &t->request->by);
}

static bool take_requiretls(struct target *t, struct slice value)
{
	t->request->requires_tls = true;
	return value.p == NULL;
}

static bool take_notify(struct target *t, struct slice value)
{
	t->wish->has_notify = true;
	return subm_wish_notify(value, &t->wish->notify);
}

static bool take_orcpt(struct target *t, struct slice value)
{
	return subm_wish_orcpt(value, t->a, &t->wish->orcpt);
}

struct param {
	const char *name;
	take_param *take;
};

static const struct param of_mail[] = {
	{ "BODY", take_body },
	{ "SIZE", take_size },
	{ "SMTPUTF8", take_nothing },
	{ "AUTH", take_auth },
	{ "RET", take_ret },
	{ "ENVID", take_envid },
	{ "BY", take_by },
	{ "REQUIRETLS", take_requiretls },
};

static const struct param of_rcpt[] = {
	{ "NOTIFY", take_notify },
	{ "ORCPT", take_orcpt },
};

static int take_all(const struct param *rows, size_t n, struct slice text,
		    struct target *t, struct err *err)
{
	struct slice word;
	unsigned seen = 0;

	while (slice_word(&text, &word)) {
		size_t equals = slice_find(word, '='), i = 0;
		struct slice name = slice_head(word, equals), value = { 0 };

		while (i < n && !slice_eq_nocase(name, slice_of(rows[i].name)))
			i++;
		if (equals < word.len)
			value = slice_from(word, equals + 1);
		if (i == n)
			return FAIL(err, "parameter '%.*s' is not known here",
				    SLICE_ARG(slice_head(word, 200)));
		if ((seen & 1U << i) != 0)
			return FAIL(err, "parameter %s is given twice",
				    rows[i].name);
		seen |= 1U << i;
		if (!rows[i].take(t, value))
			return FAIL(err, "parameter '%.*s' is not understood",
				    SLICE_ARG(slice_head(word, 200)));
	}
	return 0;
}

int subm_params_mail(struct slice text, struct arena *a, struct subm_request *r,
		     struct err *err)
{
	struct target t = { .a = a, .request = r };

	return take_all(of_mail, COUNT(of_mail), text, &t, err);
}

int subm_params_rcpt(struct slice text, struct arena *a, struct subm_wish *wish,
		     struct err *err)
{
	struct target t = { .a = a, .wish = wish };

	return take_all(of_rcpt, COUNT(of_rcpt), text, &t, err);
}
