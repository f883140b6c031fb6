/*
 * mx_order_test.c - which hosts are kept, in which order, and how many; and
 * the laws that hold for any facts.
 */
#include "policy/mx.h"

#include "policy/test_mx.h"

/* ---- which are kept, and in which order --------------------------------- */

static void test_hosts_are_tried_by_preference(void **state)
{
	static const struct {
		const char *hosts, *order, *fates;
	} rows[] = {
		{ "20 b 192.0.2.2;10 a 192.0.2.1;30 c 192.0.2.3",
		  "a|192.0.2.1 b|192.0.2.2 c|192.0.2.3",
		  "a:kept b:kept c:kept" },
		{ "65535 b 192.0.2.2;0 a 192.0.2.1", "a|192.0.2.1 b|192.0.2.2",
		  "a:kept b:kept" },
		{ "10 a;20 b 192.0.2.2", "b|192.0.2.2", "a:no-address b:kept" },
		{ "10 a 4:timeout;20 b 192.0.2.2", "b|192.0.2.2",
		  "a:unknown b:kept" },
		{ "10 a 127.0.0.1;20 b 192.0.2.2", "b|192.0.2.2",
		  "a:unusable b:kept" },
		{ "10 a 127.0.0.1 192.0.2.1", "a|192.0.2.1", "a:kept" },
		{ "10 a 192.0.2.1;20 me.example.net;30 c 192.0.2.3",
		  "a|192.0.2.1", "a:kept me.example.net:self c:behind-self" },
		{ "10 a 192.0.2.1;20 b 198.51.100.1;20 c 192.0.2.3",
		  "a|192.0.2.1", "a:kept b:self c:behind-self" },
		{ "10 a 192.0.2.1 =alias.example.com", "a|192.0.2.1",
		  "a:kept" },
		{ "10 _a 192.0.2.1", "_a|192.0.2.1", "_a:kept" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("ok", rows[i].hosts, "");
		struct mx_decision d = decide(w);

		assert_order(w, &d, rows[i].order);
		assert_slice_is(fates_of(w, &d), rows[i].fates);
		world_free(w);
	}
}

static void test_families_are_ordered_inside_a_preference(void **state)
{
	static const char hosts[] =
	    "10 a 192.0.2.1 2001:db8::1;10 b 192.0.2.2 2001:db8::2;"
	    "20 c 192.0.2.3 2001:db8::3";
	struct world *w = world_new("ok", hosts, "");
	struct mx_decision d = decide(w);

	(void)state;
	assert_order(w, &d,
		     "a|192.0.2.1 b|192.0.2.2 a|2001:db8::1 b|2001:db8::2 "
		     "c|192.0.2.3 c|2001:db8::3");
	assert_int_equal(d.tries[0].level, 0);
	assert_int_equal(d.tries[3].level, 0);
	assert_int_equal(d.tries[4].level, 1);
	world_free(w);
	w = world_new("ok", hosts, "");
	w->options.is_v6_first = true;
	d = decide(w);
	assert_order(w, &d,
		     "a|2001:db8::1 b|2001:db8::2 a|192.0.2.1 b|192.0.2.2 "
		     "c|2001:db8::3 c|192.0.2.3");
	world_free(w);
}

static void test_missing_family_defers(void **state)
{
	struct world *w = world_new("ok", "10 a 2001:db8::1", "");
	struct mx_decision d;

	(void)state;
	w->options.is_v6_useless = true;
	d = decide(w);
	assert_reason(&d, MX_NO_FAMILY);
	assert_int_equal(d.hosts[0].addresses[0], MX_IS_OF_NO_FAMILY);
	world_free(w);
	w = world_new("nodata", "", "192.0.2.1 2001:db8::1");
	w->options.is_v4_useless = true;
	d = decide(w);
	assert_order(w, &d, "example.org|2001:db8::1");
	world_free(w);
}

static void test_postmasters_word_is_not_judged(void **state)
{
	static const struct {
		uint16_t port;
		bool is_x, is_local;
		enum mx_reason want;
	} rows[] = {
		{ 25, false, false, MX_TO_LOOPBACK },
		{ 25, true, false, MX_TO_LOOPBACK },
		{ 25, false, true, MX_TO_LOOPBACK }, /* -X without -x */
		{ 25, true, true, MX_FOUND },
		{ 24, false, false, MX_FOUND },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("nodata", "", "127.0.0.1");
		struct mx_decision d;

		w->options.port = rows[i].port;
		w->options.is_mx_forbidden = rows[i].is_x;
		w->options.is_local_allowed = rows[i].is_local;
		d = decide(w);
		assert_reason(&d, rows[i].want);
		w->facts.domain = SLICE("me.example.net");
		d = decide(w);
		assert_int_equal(d.choice == MX_TRY, rows[i].want == MX_FOUND);
		world_free(w);
	}
}

static void test_services_are_believed_only_if_wanted(void **state)
{
	static const struct {
		const char *hosts;
		bool is_wanted;
		enum mx_reason want;
	} rows[] = {
		{ "10 a 192.0.2.1 wks:other", false, MX_FOUND },
		{ "10 a 192.0.2.1 wks:other", true, MX_NO_SMTP_SERVICE },
		{ "10 a 192.0.2.1 wks:none", true, MX_FOUND },
		{ "10 a 192.0.2.1 wks:smtp", true, MX_FOUND },
		{ "10 a 192.0.2.1 wks:again", true, MX_EXCHANGERS_AGAIN },
		{ "10 a 192.0.2.1 wks:other;20 b 192.0.2.2", true, MX_FOUND },
		{ "10 a 192.0.2.1 wks:other;20 b 4:timeout", true,
		  MX_EXCHANGERS_AGAIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new("ok", rows[i].hosts, "");
		struct mx_decision d;

		w->options.is_wks_wanted = rows[i].is_wanted;
		d = decide(w);
		assert_reason(&d, rows[i].want);
		world_free(w);
	}
}

/* ---- bounds ------------------------------------------------------------- */

/* n exchangers; step 0: all equal. */
static struct world *crowd(size_t n, unsigned step, const char *address)
{
	struct str hosts = STR_INIT;
	struct arena *a;
	struct world *w;

	for (size_t i = 0; i < n; i++)
		str_addf(&hosts, "%s%u mx%zu %s", i > 0 ? ";" : "",
			 1 + (unsigned)i * step, i, address);
	/* The names must outlive the text they are read from. */
	a = arena_new();
	w = world_new("ok", arena_cstr(a, str_slice(&hosts)), "");
	arena_free(w->arena);
	w->arena = a;
	str_done(&hosts);
	return w;
}

static void test_only_so_many_hosts_are_tried(void **state)
{
	struct world *w = crowd(60, 1, "192.0.2.1");
	struct mx_decision d = decide(w);

	(void)state;
	assert_reason(&d, MX_FOUND);
	assert_int_equal(d.n_tries, MX_HOSTS_DEFAULT);
	assert_slice_is(d.tries[9].host->name, "mx9");
	assert_int_equal(d.hosts[10].fate, MX_IS_TOO_MUCH);
	assert_int_equal(d.hosts[59].fate, MX_IS_TOO_MUCH);
	/* Nor are many more looked up than are tried. */
	assert_true(w->n_lookups < 2 * MX_HOSTS_DEFAULT);
	world_free(w);
	w = crowd(60, 1, "192.0.2.1");
	w->options.max_hosts = 3;
	d = decide(w);
	assert_int_equal(d.n_tries, 3);
	world_free(w);
	w = crowd(60, 1, "192.0.2.1");
	w->options.max_hosts = 8; /* just as many as are looked up at once */
	d = decide(w);
	assert_int_equal(w->n_lookups, 8);
	assert_int_equal(d.n_tries, 8);
	assert_int_equal(d.hosts[8].fate, MX_IS_TOO_MUCH);
	world_free(w);
}

static void test_hosts_behind_this_one_are_not_looked_up(void **state)
{
	struct world *w =
	    world_new("ok", "10 a 192.0.2.1;20 me.example.net;20 b;30 c", "");
	struct mx_decision d = decide(w);

	(void)state;
	assert_order(w, &d, "a|192.0.2.1");
	assert_int_equal(w->n_lookups, 1);
	world_free(w);
}

static void test_level_is_looked_up_whole(void **state)
{
	struct world *w = crowd(60, 0, "192.0.2.1");
	struct mx_decision d;

	(void)state;
	/* The last of equals is this host, so all are. */
	w->known[59].addresses[0] = w->own_addresses[0];
	d = decide(w);
	assert_reason(&d, MX_BEST_IS_SELF);
	assert_int_equal(w->n_lookups, 60);
	world_free(w);
}

static void test_search_goes_on_past_what_cannot_be_tried(void **state)
{
	struct world *w = crowd(60, 1, "");
	struct mx_decision d;

	(void)state;
	w->known[57].host.v4 = MX_LOOKUP_OK;
	w->known[57].addresses[0] = address_of(SLICE("192.0.2.1"));
	w->known[57].host.n = 1;
	d = decide(w);
	assert_order(w, &d, "mx57|192.0.2.1");
	world_free(w);
}

static void test_exchangers_beyond_the_bound_only_defer(void **state)
{
	struct world *w = crowd(MX_RECORDS_MAX, 1, "");
	struct mx_decision d = decide(w);

	(void)state;
	assert_reason(&d, MX_NO_EXCHANGER_ADDRESS);
	world_free(w);
	w = crowd(MX_RECORDS_MAX + 1, 1, "");
	d = decide(w);
	assert_reason(&d, MX_EXCHANGERS_AGAIN);
	assert_int_equal(w->n_lookups, MX_RECORDS_MAX);
	world_free(w);
}

static void test_bound_on_addresses_leaves_both_families(void **state)
{
	static const struct {
		unsigned v4, v6, want4, want6;
	} rows[] = {
		{ 4, 4, 4, 4 },	 { 8, 0, 8, 0 },   { 9, 0, 8, 0 },
		{ 0, 20, 0, 8 }, { 20, 20, 4, 4 }, { 20, 1, 7, 1 },
		{ 1, 20, 1, 7 }, { 3, 10, 3, 5 },  { 10, 3, 5, 3 },
		{ 5, 4, 4, 4 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str host = STR_INIT;
		struct mx_decision d;
		struct world *w;
		unsigned got[2] = { 0, 0 };

		str_adds(&host, "10 a");
		for (unsigned k = 0; k < rows[i].v4; k++)
			str_addf(&host, " 192.0.2.%u", k + 1);
		for (unsigned k = 0; k < rows[i].v6; k++)
			str_addf(&host, " 2001:db8::%u", k + 1);
		w = world_new("ok", str_cstr(&host), "");
		d = decide(w);
		for (size_t k = 0; k < d.n_tries; k++)
			got[d.tries[k].address.is_v6]++;
		assert_int_equal(got[0], rows[i].want4);
		assert_int_equal(got[1], rows[i].want6);
		str_done(&host);
		world_free(w);
	}
}

/* ---- laws --------------------------------------------------------------- */

static uint64_t dice;

static size_t throw(void *context, size_t n)
{
	(void)context;
	assert_true(n > 0);
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(dice >> 33) % n;
}

/* A random host in the notation of the tables. */
static void add_host(struct str *to, size_t number)
{
	static const char *const parts[] = {
		" 192.0.2.1", " 2001:db8::1",	  " 127.0.0.1", " 198.51.100.1",
		"",	      " 4:timeout",	  " 6:bogus",	" 4:nxdomain",
		" 4:loop",    " =me.example.net", " fe80::1",	" wks:other",
		" wks:again", " 6:servfail",	  " 192.0.2.8",
	};
	size_t n = throw(NULL, 3);

	str_addf(to, "%u ", (unsigned) throw(NULL, 4));
	if (throw(NULL, 12) == 0)
		str_addc(to, '.');
	else
		str_addf(to, "mx%zu", number);
	while (n-- > 0)
		str_adds(to, parts[throw(NULL, COUNT(parts))]);
}

/* Might a host take mail after all, for all we know? */
static bool is_unknown(const struct world *w, const struct mx_judged *j)
{
	const struct mx_host *host = j->host;

	if (slice_eq(host->name, SLICE(".")))
		return false;
	if (w->options.is_wks_wanted && host->wks == MX_WKS_NO_SMTP)
		return false;
	return host->v4 == MX_LOOKUP_NONE || host->v6 == MX_LOOKUP_NONE ||
	       host->v4 > MX_LOOKUP_LOOP || host->v6 > MX_LOOKUP_LOOP ||
	       (w->options.is_wks_wanted && host->wks == MX_WKS_AGAIN);
}

static void check_laws(const struct world *w, const struct mx_decision *d)
{
	unsigned self = 65536;

	for (size_t i = 0; i < d->n_hosts; i++)
		if (d->hosts[i].fate == MX_IS_SELF &&
		    d->hosts[i].host->preference < self)
			self = d->hosts[i].host->preference;
	for (size_t i = 0; i < d->n_tries; i++) {
		const struct mx_try *t = &d->tries[i];

		assert_true(t->host->preference < self);
		if (i > 0) {
			assert_true(t->host->preference >=
				    t[-1].host->preference);
			assert_true(t->level - t[-1].level <= 65535);
		}
	}
	/* Whatever is better than this host and not known defers. */
	for (size_t i = 0; i < d->n_hosts && d->choice == MX_FAIL; i++)
		assert_false(d->hosts[i].host->preference < self &&
			     is_unknown(w, &d->hosts[i]));
	assert_int_equal(d->choice == MX_TRY, d->n_tries > 0);
}

static void test_laws_hold_for_any_facts(void **state)
{
	size_t seen[MX_REASONS] = { 0 };

	(void)state;
	dice = 1;
	for (size_t round = 0; round < 20000; round++) {
		struct str hosts = STR_INIT;
		size_t n = 1 + throw(NULL, 5);
		struct mx_decision d;
		struct world *w;

		for (size_t i = 0; i < n; i++) {
			str_adds(&hosts, i > 0 ? ";" : "");
			add_host(&hosts, i);
		}
		w = world_new("ok", str_cstr(&hosts), "");
		w->options.is_wks_wanted = throw(NULL, 4) == 0;
		w->options.is_v6_first = throw(NULL, 2) == 0;
		w->options.max_hosts = throw(NULL, 3);
		w->options.choose = throw;
		d = decide(w);
		check_laws(w, &d);
		seen[d.reason]++;
		str_done(&hosts);
		world_free(w);
	}
	assert_true(seen[MX_FOUND] > 100);
	assert_true(seen[MX_BEST_IS_SELF] > 100);
	assert_true(seen[MX_EXCHANGERS_AGAIN] > 100);
	assert_true(seen[MX_NO_EXCHANGER_ADDRESS] > 100);
}

static void test_every_order_of_equals_is_as_likely(void **state)
{
	enum { ROUNDS = 24000, ORDERS = 24 };
	size_t seen[256] = { 0 }, orders = 0;

	(void)state;
	dice = 7;
	for (size_t round = 0; round < ROUNDS; round++) {
		struct world *w = world_new("ok",
					    "5 0 192.0.2.9;9 a 192.0.2.1;"
					    "9 b 192.0.2.2;9 c 192.0.2.3;"
					    "9 d 192.0.2.4;12 z 192.0.2.5",
					    "");
		struct mx_decision d;
		unsigned key = 0;

		w->options.choose = throw;
		d = decide(w);
		assert_int_equal(d.n_tries, 6);
		assert_slice_is(d.tries[0].host->name, "0");
		assert_slice_is(d.tries[5].host->name, "z");
		for (size_t i = 1; i < 5; i++)
			key = key << 2 |
			      (unsigned)(d.tries[i].host->name.p[0] - 'a');
		seen[key]++;
		world_free(w);
	}
	for (size_t i = 0; i < COUNT(seen); i++) {
		if (seen[i] == 0)
			continue;
		orders++;
		/* 1000 each, with a deviation of 31: five of those. */
		assert_in_range(seen[i], 845, 1155);
	}
	assert_int_equal(orders, ORDERS);
}

static void test_without_chance_the_answer_keeps_its_order(void **state)
{
	struct world *w =
	    world_new("ok", "9 b 192.0.2.2;9 a 192.0.2.1;9 c 192.0.2.3", "");
	struct mx_decision d = decide(w);

	(void)state;
	assert_order(w, &d, "b|192.0.2.2 a|192.0.2.1 c|192.0.2.3");
	world_free(w);
}

static void test_best_exchanger_may_share_a_connection(void **state)
{
	static const struct {
		const char *mx, *hosts, *host;
		bool want;
	} rows[] = {
		{ "ok", "10 a;20 b", "a", true },
		{ "ok", "10 a;20 b", "A", true },
		{ "ok", "10 a;20 b", "b", false },
		{ "ok", "20 b;10 a;10 c", "c", true },
		{ "ok", "0 .", ".", false },
		{ "ok", "0 .", "example.org", false },
		{ "nodata", "", "example.org", true },
		{ "nodata", "", "a", false },
		{ "timeout", "10 a", "a", false },
		{ "bogus", "10 a", "a", false },
		{ "nxdomain", "", "example.org", false },
		/* This host is as good: mail would go round. */
		{ "ok", "10 a;10 Me.example.net", "a", false },
		{ "ok", "10 a;20 me.example.net", "a", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = world_new(rows[i].mx, rows[i].hosts, "");

		assert_int_equal(mx_is_best(&w->facts, slice_of(rows[i].host)),
				 rows[i].want);
		world_free(w);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_are_tried_by_preference),
		cmocka_unit_test(test_families_are_ordered_inside_a_preference),
		cmocka_unit_test(test_missing_family_defers),
		cmocka_unit_test(test_postmasters_word_is_not_judged),
		cmocka_unit_test(test_services_are_believed_only_if_wanted),
		cmocka_unit_test(test_only_so_many_hosts_are_tried),
		cmocka_unit_test(test_hosts_behind_this_one_are_not_looked_up),
		cmocka_unit_test(test_level_is_looked_up_whole),
		cmocka_unit_test(test_search_goes_on_past_what_cannot_be_tried),
		cmocka_unit_test(test_exchangers_beyond_the_bound_only_defer),
		cmocka_unit_test(test_bound_on_addresses_leaves_both_families),
		cmocka_unit_test(test_laws_hold_for_any_facts),
		cmocka_unit_test(test_every_order_of_equals_is_as_likely),
		cmocka_unit_test(
		    test_without_chance_the_answer_keeps_its_order),
		cmocka_unit_test(test_best_exchanger_may_share_a_connection),
	};

	return TEST_RUN(tests);
}
