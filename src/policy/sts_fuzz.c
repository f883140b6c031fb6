/*
 * sts_fuzz.c - any bytes as policy of MTA-STS, and as its TXT records.
 *
 * Invariants: what is accepted is complete, within its bounds, and means the
 * same when written out and read again; no host matches that is not a host
 * of the pattern; of TXT records at most one counts, with a good id.
 */
#include "base/fuzz.h"
#include "policy/sts.h"

static void print(struct str *to, const struct sts_policy *p)
{
	str_addf(to, "version: STSv1\r\nmode: %s\r\nmax_age: %u\r\n",
		 sts_mode_word(p->mode), (unsigned)p->max_age);
	for (size_t i = 0; i < p->n_mx; i++)
		str_addf(to, "mx: %.*s\r\n", SLICE_ARG(p->mx[i]));
}

static void check_patterns(const struct sts_policy *p)
{
	for (size_t i = 0; i < p->n_mx && i < 50; i++) {
		struct slice host = p->mx[i], found;
		bool is_wild = slice_starts(host, SLICE("*."));

		FUZZ_CHECK(!slice_has_control(host) && host.len > 0);
		FUZZ_CHECK(!slice_has(slice_from(host, is_wild), '*'));
		FUZZ_CHECK(sts_policy_matches(p, host, &found));
		FUZZ_CHECK(slice_eq_nocase(found, host) ||
			   slice_starts(found, SLICE("*.")));
	}
	FUZZ_CHECK(!sts_policy_matches(p, SLICE(""), NULL));
}

static void check_policy(struct slice text)
{
	struct arena *a = arena_new();
	struct str again = STR_INIT, third = STR_INIT;
	struct sts_policy p, q;
	struct err err = { 0 };

	if (sts_policy_parse(text, a, &p, &err) < 0) {
		FUZZ_CHECK(err.text[0] != '\0');
		goto out;
	}
	FUZZ_CHECK(p.max_age <= STS_MAX_AGE_MAX);
	FUZZ_CHECK(p.n_mx > 0 || p.mode == STS_MODE_NONE);
	check_patterns(&p);
	print(&again, &p);
	if (again.len <= STS_POLICY_MAX) {
		FUZZ_CHECK(sts_policy_parse(str_slice(&again), a, &q, &err) ==
			   0);
		print(&third, &q);
		FUZZ_CHECK(slice_eq(str_slice(&again), str_slice(&third)));
	}
out:
	str_done(&again);
	str_done(&third);
	arena_free(a);
}

static void check_txt(struct slice text)
{
	struct slice records[4], id = SLICE("-");
	enum sts_txt txt;
	size_t n = 0;

	while (n < 4 && slice_cut(&text, '\n', &records[n]))
		n++;
	txt = sts_txt_find(records, n, &id);
	FUZZ_CHECK(txt != STS_TXT_UNKNOWN);
	FUZZ_CHECK((txt == STS_TXT_OK) == !slice_eq(id, SLICE("-")));
	FUZZ_CHECK(id.len > 0 && id.len <= STS_ID_MAX);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);

	check_policy(text);
	check_txt(text);
	return 0;
}
