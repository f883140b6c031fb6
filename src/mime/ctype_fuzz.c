/*
 * ctype_fuzz.c - any bytes as a Content- field body.
 *
 * Invariants: what is read lies within the text; a parameter that is set is
 * found with the value it was given, and everything else is as it was; an
 * encoding that is replaced is the one that is read afterwards.
 */
#include "mime/ctype.h"

#include "base/fuzz.h"

static bool is_within(struct slice part, struct slice whole)
{
	return part.len == 0 ||
	       (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static size_t count_params(const struct ctype *c, struct slice body)
{
	struct slice rest = c->params;
	struct ctype_param param;
	size_t n = 0;

	while (ctype_next_param(&rest, &param)) {
		FUZZ_CHECK(is_within(param.name, body));
		FUZZ_CHECK(is_within(param.value, body));
		FUZZ_CHECK(param.name.len > 0);
		n++;
	}
	return n;
}

static void check_set(struct slice body, const struct ctype *c,
		      struct slice value)
{
	struct str out = STR_INIT, got = STR_INIT;
	struct ctype_param param;
	struct ctype other;
	bool had = ctype_find(c, "charset", &param);

	ctype_set(&out, body, "charset", value);
	FUZZ_CHECK(ctype_parse(str_slice(&out), &other));
	FUZZ_CHECK(slice_eq(other.type, c->type));
	FUZZ_CHECK(slice_eq(other.subtype, c->subtype));
	FUZZ_CHECK(other.is_sound == c->is_sound);
	FUZZ_CHECK(count_params(&other, str_slice(&out)) ==
		   count_params(c, body) + !had);
	FUZZ_CHECK(ctype_find(&other, "charset", &param));
	ctype_add_value(&got, param.value);
	FUZZ_CHECK(slice_eq(str_slice(&got), value));
	str_done(&out);
	str_done(&got);
}

static void check_encoding(struct slice body)
{
	struct str out = STR_INIT;
	struct slice word;

	(void)cte_parse(body, &word);
	FUZZ_CHECK(is_within(word, body));
	cte_set(&out, body, "quoted-printable");
	FUZZ_CHECK(cte_parse(str_slice(&out), &word) == CTE_QP);
	FUZZ_CHECK(slice_eq(word, SLICE("quoted-printable")));
	str_done(&out);
}

FUZZ(data, size)
{
	struct slice body = slice_make((const char *)data, size);
	struct ctype c;

	check_encoding(body);
	if (!ctype_parse(body, &c))
		return 0;
	FUZZ_CHECK(c.type.len > 0 && is_within(c.type, body));
	FUZZ_CHECK(is_within(c.subtype, body) && is_within(c.params, body));
	count_params(&c, body);
	check_set(body, &c, SLICE("US-ASCII"));
	check_set(body, &c, SLICE("a \"quoted\\\" one"));
	return 0;
}
