/*
 * tlspolicy_fuzz.c - any bytes as a policy file: each entry is found by its
 * name, and what is found stands for the destination.
 *
 * The first line of the input is a destination that is looked for.
 */
#include "conf/tlspolicy.h"

#include "base/fuzz.h"

/* Is the entry that of the destination, of a domain above it, or "*"? */
static bool stands_for(const struct tlspolicy_entry *e, struct slice name)
{
	struct slice it = e->destination;
	size_t dots = 0;

	if (slice_eq(it, SLICE("*")))
		return true;
	if (slice_starts(name, SLICE("\"")))
		name = slice_from(name, 1);
	while (dots < 2 && name.len >= it.len) {
		if (slice_eq_nocase(slice_from(name, name.len - it.len), it) &&
		    (name.len == it.len || it.p[0] == '.'))
			return true;
		name = slice_head(name, name.len - 1); /* a dot at the end */
		dots++;
	}
	return false;
}

static void check_entry(const struct tlspolicy *p, size_t i)
{
	const struct tlspolicy_entry *e = &p->entries[i];
	const struct tls_settings *s = &e->terms.settings;
	const struct tls_rule *rule = &e->terms.rule;

	FUZZ_CHECK(e->line > 0 && e->destination.len > 0);
	FUZZ_CHECK(!slice_has_control(e->destination));
	FUZZ_CHECK(tlspolicy_find(p, e->destination) == e);
	FUZZ_CHECK(s->min_protocol <= s->max_protocol);
	FUZZ_CHECK(s->max_protocol < TLS_PROTOCOLS);
	FUZZ_CHECK(s->n_pairs <= TLS_PAIRS_MAX);
	FUZZ_CHECK((rule->n_fingerprints > 0) ==
		   (rule->level == TLS_LEVEL_FINGERPRINT));
	FUZZ_CHECK(rule->n_match <= TLSTERMS_LIST_MAX);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size), name;
	struct tlsterms base = tlsterms_default();
	struct arena *a = arena_new();
	const struct tlspolicy_entry *found;
	struct tlspolicy p;
	struct err err = { 0 };

	if (!slice_cut(&text, '\n', &name))
		name = SLICE("");
	if (tlspolicy_parse((struct textfile){ text, "P" }, &base, a, &p,
			    &err) == 0) {
		for (size_t i = 0; i < p.n; i++)
			check_entry(&p, i);
		found = tlspolicy_find(&p, name);
		FUZZ_CHECK(found == NULL || stands_for(found, name));
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
		FUZZ_CHECK(!slice_has_control(slice_of(err.text)));
	}
	arena_free(a);
	return 0;
}
