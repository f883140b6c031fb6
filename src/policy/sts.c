/*
 * sts.c - MTA-STS: the TXT record, the policy, and for how long.
 *
 *	record    = "v=STSv1" 1*(delim field) [delim]	; RFC 8461 3.1
 *	delim     = *WSP ";" *WSP
 *	field     = "id=" 1*32(ALPHA / DIGIT) / name "=" value
 *	policy    = *(line (LF / CRLF)) [line]		; RFC 8461 3.2
 *	line      = [name ":" *WSP value *WSP]
 *	name      = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
 *
 * Empty lines, and a dot at the end of an mx, are beyond the RFC's grammar;
 * refusing a policy for them would leave its domain without protection.
 */
#include "policy/sts.h"

#include "base/keyword.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* A field's name, as both grammars have it. */
static bool is_field_name(struct slice s)
{
	if (s.len == 0 || s.len > 32 || !is_alnum(s.p[0]))
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-' &&
		    s.p[i] != '.')
			return false;
	return true;
}

/* ---- the TXT record ----------------------------------------------------- */

static bool is_id(struct slice s)
{
	if (s.len == 0 || s.len > STS_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.p[i]))
			return false;
	return true;
}

static bool is_extension_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == ';' ||
		    s.p[i] == '=')
			return false;
	return s.len > 0;
}

/* Cuts the version off *record. False: it is somebody else's record. */
static bool cut_version(struct slice *record)
{
	struct slice rest = *record;

	if (!slice_starts(rest, SLICE("v=STSv1")))
		return false;
	rest = slice_trim(slice_from(rest, SLICE("v=STSv1").len));
	if (rest.len == 0 || rest.p[0] != ';')
		return false;
	*record = slice_from(rest, 1);
	return true;
}

static bool read_fields(struct slice rest, struct slice *ret_id)
{
	struct slice field, name, id = { 0 };
	bool has_id = false;

	while (slice_cut(&rest, ';', &field)) {
		field = slice_trim(field);
		if (field.len == 0 && rest.p == NULL)
			break; /* the delimiter that may stand at the end */
		name = slice_head(field, slice_find(field, '='));
		if (name.len == field.len || !is_field_name(name))
			return false;
		field = slice_from(field, name.len + 1);
		if (!slice_eq(name, SLICE("id"))) {
			if (!is_extension_value(field))
				return false;
			continue;
		}
		if (has_id)
			continue;
		if (!is_id(field))
			return false;
		has_id = true;
		id = field;
	}
	if (has_id)
		*ret_id = id;
	return has_id;
}

enum sts_txt sts_txt_find(const struct slice *records, size_t n,
			  struct slice *ret_id)
{
	struct slice found = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct slice rest = records[i];

		if (!cut_version(&rest))
			continue;
		found = rest;
		count++;
	}
	if (count == 0)
		return STS_TXT_NONE;
	if (count > 1)
		return STS_TXT_MANY;
	return read_fields(found, ret_id) ? STS_TXT_OK : STS_TXT_BAD;
}

void sts_txt_name_print(struct str *to, struct slice domain)
{
	str_adds(to, "_mta-sts.");
	str_add(to, domain);
}

void sts_url_print(struct str *to, struct slice domain)
{
	str_adds(to, "https://mta-sts.");
	str_add(to, domain);
	str_adds(to, "/.well-known/mta-sts.txt");
}

/* ---- the policy --------------------------------------------------------- */

static const struct keyword modes[] = {
	{ "none", STS_MODE_NONE },
	{ "testing", STS_MODE_TESTING },
	{ "enforce", STS_MODE_ENFORCE },
};

enum { FIELD_VERSION = 1, FIELD_MODE = 2, FIELD_MAX_AGE = 4, FIELD_MX = 8 };

static const struct keyword fields[] = {
	{ "version", FIELD_VERSION },
	{ "mode", FIELD_MODE },
	{ "max_age", FIELD_MAX_AGE },
	{ "mx", FIELD_MX },
};

/* keyword_find() but for the case of letters, which counts here. */
static const struct keyword *find_exactly(const struct keyword *rows, size_t n,
					  struct slice s)
{
	const struct keyword *k = keyword_find(rows, n, s);

	return k != NULL && slice_eq(slice_of(k->word), s) ? k : NULL;
}

/* LDH labels with dots between (RFC 5321 Domain), "_" among them. */
static bool is_domain(struct slice s)
{
	struct slice label;

	if (s.len == 0 || s.len > 253)
		return false;
	if (s.p[s.len - 1] == '.')
		return false;
	while (slice_cut(&s, '.', &label)) {
		if (label.len == 0 || label.len > 63 || label.p[0] == '-' ||
		    label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!is_alnum(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
	}
	return true;
}

static bool is_pattern(struct slice s)
{
	if (slice_starts(s, SLICE("*.")))
		s = slice_from(s, 2);
	return is_domain(s);
}

struct reading {
	struct sts_policy policy;
	unsigned seen; /* fields */
	struct slice *mx;
	size_t cap;
	struct arena *arena;
};

static bool read_max_age(struct slice value, uint32_t *ret)
{
	uint64_t n;

	if (value.len > 10 || !slice_uint(value, UINT64_MAX, &n))
		return false;
	*ret = n > STS_MAX_AGE_MAX ? STS_MAX_AGE_MAX : (uint32_t)n;
	return true;
}

/* One field with its value; NULL, or what was expected. */
static const char *read_value(struct reading *r, int field, struct slice value)
{
	const struct keyword *mode;

	switch (field) {
	case FIELD_VERSION:
		return slice_eq(value, SLICE("STSv1")) ? NULL : "STSv1";
	case FIELD_MODE:
		mode = find_exactly(modes, COUNT(modes), value);
		if (mode == NULL)
			return "enforce, testing or none";
		r->policy.mode = (enum sts_mode)mode->value;
		return NULL;
	case FIELD_MAX_AGE:
		return read_max_age(value, &r->policy.max_age)
			   ? NULL
			   : "a number of seconds";
	default:
		value = slice_without_dot(value);
		if (!is_pattern(value))
			return "a host, or *. and a domain";
		r->mx = mem_grow(r->mx, &r->cap, r->policy.n_mx + 1,
				 sizeof(*r->mx));
		r->mx[r->policy.n_mx++] = arena_dup(r->arena, value);
		return NULL;
	}
}

static int read_line(struct reading *r, struct slice line, unsigned number,
		     struct err *err)
{
	struct slice name = slice_head(line, slice_find(line, ':'));
	const struct keyword *field;
	struct slice value;
	const char *wanted;

	if (slice_trim(line).len == 0)
		return 0;
	if (name.len == line.len || !is_field_name(name))
		return FAIL(err, "MTA-STS policy, line %u: not NAME: VALUE",
			    number);
	value = slice_trim(slice_from(line, name.len + 1));
	if (slice_has_control(value))
		return FAIL(err, "MTA-STS policy, line %u: a control character",
			    number);
	field = find_exactly(fields, COUNT(fields), name);
	if (field == NULL || (field->value != FIELD_MX &&
			      (r->seen & (unsigned)field->value) != 0))
		return 0;
	wanted = read_value(r, field->value, value);
	if (wanted != NULL)
		return FAIL(err,
			    "MTA-STS policy, line %u: %s is '%.*s', "
			    "expected %s",
			    number, field->word,
			    SLICE_ARG(slice_head(value, 80)), wanted);
	r->seen |= (unsigned)field->value;
	return 0;
}

static int check_complete(const struct reading *r, struct err *err)
{
	for (size_t i = 0; i < COUNT(fields); i++) {
		unsigned field = (unsigned)fields[i].value;

		if (field == FIELD_MX && r->policy.mode == STS_MODE_NONE)
			continue;
		if ((r->seen & field) == 0)
			return FAIL(err, "MTA-STS policy: no %s",
				    fields[i].word);
	}
	return 0;
}

int sts_policy_parse(struct slice text, struct arena *a, struct sts_policy *ret,
		     struct err *err)
{
	struct reading r = { .arena = a };
	struct slice line;
	unsigned number = 0;
	int result = -1;

	if (text.len > STS_POLICY_MAX)
		return FAIL(err, "MTA-STS policy: larger than %d bytes",
			    (int)STS_POLICY_MAX);
	while (slice_cut(&text, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (read_line(&r, line, ++number, err) < 0)
			goto out;
	}
	if (check_complete(&r, err) < 0)
		goto out;
	r.policy.mx = arena_array(a, r.policy.n_mx, sizeof(*r.mx));
	if (r.policy.n_mx > 0)
		memcpy(r.policy.mx, r.mx, r.policy.n_mx * sizeof(*r.mx));
	*ret = r.policy;
	result = 0;
out:
	free(r.mx);
	return result;
}

static bool matches(struct slice pattern, struct slice host)
{
	size_t dot;

	if (!slice_starts(pattern, SLICE("*.")))
		return slice_eq_nocase(pattern, host);
	dot = slice_find(host, '.');
	return dot > 0 &&
	       slice_eq_nocase(slice_from(pattern, 1), slice_from(host, dot));
}

bool sts_policy_matches(const struct sts_policy *policy, struct slice host,
			struct slice *ret_pattern)
{
	host = slice_without_dot(host);
	for (size_t i = 0; i < policy->n_mx; i++) {
		if (!matches(policy->mx[i], host))
			continue;
		if (ret_pattern != NULL)
			*ret_pattern = policy->mx[i];
		return true;
	}
	return false;
}

/* ---- how long ----------------------------------------------------------- */

/* Seconds since the policy was fetched; a clock that went back stands. */
static int64_t age_of(const struct sts_entry *e, int64_t now)
{
	return now > e->fetched ? now - e->fetched : 0;
}

bool sts_entry_is_live(const struct sts_entry *e, int64_t now)
{
	return e->has_policy && age_of(e, now) < e->policy.max_age;
}

int64_t sts_entry_retry(const struct sts_entry *e)
{
	int64_t wait = STS_RETRY_MIN;

	if (e->failures == 0)
		return INT64_MIN;
	for (unsigned i = 1; i < e->failures && wait < STS_RETRY_MAX; i++)
		wait *= 2;
	return e->tried + (wait < STS_RETRY_MAX ? wait : STS_RETRY_MAX);
}

/* May a fetch be tried? A failure from the future has no say. */
static bool may_fetch(const struct sts_entry *e, int64_t now)
{
	return e->failures == 0 || now < e->tried || now >= sts_entry_retry(e);
}

bool sts_entry_is_due(const struct sts_entry *e, int64_t now)
{
	int64_t after = e->policy.max_age / 2;

	if (!e->has_policy || !may_fetch(e, now))
		return false;
	return age_of(e, now) >=
	       (after < STS_RENEW_AFTER ? after : STS_RENEW_AFTER);
}

/* A policy with max_age 0, fetched just now, is not in force however often. */
static bool is_moot(const struct sts_entry *e, struct slice id, int64_t now)
{
	return e->has_policy && e->policy.max_age == 0 && slice_eq(e->id, id) &&
	       age_of(e, now) < STS_RETRY_MIN;
}

enum sts_step sts_entry_step(const struct sts_entry *e, enum sts_txt txt,
			     struct slice id, int64_t now)
{
	bool is_live = sts_entry_is_live(e, now);

	if (txt != STS_TXT_OK || !may_fetch(e, now) || is_moot(e, id, now))
		return STS_USE;
	if (!is_live || !slice_eq(e->id, id))
		return STS_FETCH;
	return sts_entry_is_due(e, now) ? STS_RENEW : STS_USE;
}

void sts_entry_fetched(struct sts_entry *e, const struct sts_policy *policy,
		       struct slice id, int64_t now)
{
	*e = (struct sts_entry){
		.has_policy = true,
		.id = id,
		.policy = *policy,
		.fetched = now,
	};
}

void sts_entry_failed(struct sts_entry *e, int64_t now)
{
	e->tried = now;
	if (e->failures < UINT32_MAX)
		e->failures++;
}

/* ---- words -------------------------------------------------------------- */

const char *sts_mode_word(enum sts_mode mode)
{
	assert((size_t)mode < COUNT(modes));
	return modes[mode].word;
}

const char *sts_txt_word(enum sts_txt txt)
{
	static const char *const words[STS_TXTS] = {
		[STS_TXT_UNKNOWN] = "unknown", [STS_TXT_NONE] = "none",
		[STS_TXT_MANY] = "many",       [STS_TXT_BAD] = "bad",
		[STS_TXT_OK] = "ok",
	};

	assert((size_t)txt < COUNT(words));
	return words[txt];
}

const char *sts_step_word(enum sts_step step)
{
	static const char *const words[STS_STEPS] = {
		[STS_USE] = "use",
		[STS_FETCH] = "fetch",
		[STS_RENEW] = "renew",
	};

	assert((size_t)step < COUNT(words));
	return words[step];
}
