/*
 * stspolicies.c - MTA-STS policies in the store.
 *
 * expires is when the policy ends (0: there is none), for cleaning up alone.
 */
#include "store/stspolicies.h"

#include "store/store_internal.h"

enum {
	DOMAIN_MAX = 255,
	FORGET_AFTER = 24 * 3600, /* seconds since a row was last of use */
	CLEAN_EVERY = 64,	  /* new rows */
};

static const struct store_part part = {
	.name = "sts",
	.version = 1,
	.make = "CREATE TABLE sts_policies(n INTEGER PRIMARY KEY,"
		" domain TEXT NOT NULL UNIQUE, policy TEXT NOT NULL,"
		" id TEXT NOT NULL, fetched INTEGER NOT NULL,"
		" tried INTEGER NOT NULL, failures INTEGER NOT NULL,"
		" expires INTEGER NOT NULL);"
		"CREATE INDEX sts_policies_expires ON sts_policies(expires);"
		"CREATE TABLE sts_claims(domain TEXT PRIMARY KEY,"
		" until INTEGER NOT NULL) WITHOUT ROWID;",
	.drop = "DROP TABLE IF EXISTS sts_policies;"
		"DROP TABLE IF EXISTS sts_claims;",
};

/* ---- domains ------------------------------------------------------------ */

/* As it stands in the table; str_done() frees it. */
static int read_domain(struct slice domain, struct str *ret, struct err *err)
{
	if (domain.len > 1 && domain.p[domain.len - 1] == '.')
		domain.len--;
	if (domain.len == 0 || domain.len > DOMAIN_MAX)
		return FAIL(err, "a domain of %zu bytes", domain.len);
	for (size_t i = 0; i < domain.len; i++)
		str_addc(ret, ascii_lower(domain.p[i]));
	return 0;
}

/* ---- policies as text --------------------------------------------------- */

static void print_policy(struct str *to, const struct sts_policy *p)
{
	str_addf(to, "version: STSv1\nmode: %s\nmax_age: %lu\n",
		 sts_mode_word(p->mode), (unsigned long)p->max_age);
	for (size_t i = 0; i < p->n_mx; i++) {
		str_adds(to, "mx: ");
		str_add(to, p->mx[i]);
		str_addc(to, '\n');
	}
}

/*
 * Columns policy, id, fetched, tried, failures, from column `from`. False: it
 * makes no sense, or holds nothing.
 */
static bool read_row(sqlite3_stmt *q, int from, struct arena *a,
		     struct sts_entry *ret)
{
	struct slice text = store_text(q, from);
	struct slice id = store_text(q, from + 1);
	int64_t failures = store_int(q, from + 4);
	struct sts_entry e = { .fetched = store_int(q, from + 2),
			       .tried = store_int(q, from + 3) };

	if (failures < 0 || failures > UINT32_MAX || id.len > STS_ID_MAX ||
	    e.fetched < 0 || e.tried < 0)
		return false;
	e.failures = (unsigned)failures;
	if (text.len > 0) {
		if (sts_policy_parse(text, a, &e.policy, NULL) < 0)
			return false;
		e.id = arena_dup(a, id);
		e.has_policy = true;
	}
	if (!e.has_policy && e.failures == 0)
		return false;
	*ret = e;
	return true;
}

/* Within a transaction. 1, 0, -1, as stspolicies_load(). */
static int load(struct store *s, struct slice domain, struct arena *a,
		struct sts_entry *ret, struct err *err)
{
	sqlite3_stmt *q =
	    store_query(s,
			"SELECT policy, id, fetched, tried, failures"
			" FROM sts_policies WHERE domain=?1",
			err);
	int r;

	*ret = (struct sts_entry){ 0 };
	if (q == NULL)
		return -1;
	store_bind_text(q, 1, domain);
	r = store_step(s, q, err);
	if (r > 0)
		r = read_row(q, 0, a, ret) ? 1 : 0;
	return r;
}

int stspolicies_load(struct store *s, struct slice domain, struct arena *a,
		     struct sts_entry *ret, struct err *err)
{
	struct str name = STR_INIT;
	int r = -1;

	*ret = (struct sts_entry){ 0 };
	if (read_domain(domain, &name, err) < 0 ||
	    store_begin(s, &part, STORE_READ, err) < 0)
		goto out;
	r = load(s, str_slice(&name), a, ret, err);
	r = store_end(s, r, err);
out:
	str_done(&name);
	return r;
}

/* ---- saving ------------------------------------------------------------- */

static int delete_claim(struct store *s, struct slice domain, struct err *err)
{
	sqlite3_stmt *q =
	    store_query(s, "DELETE FROM sts_claims WHERE domain=?1", err);

	if (q == NULL)
		return -1;
	store_bind_text(q, 1, domain);
	return store_run(s, q, err);
}

static int write_row(struct store *s, struct slice domain,
		     const struct sts_entry *e, struct err *err)
{
	struct str policy = STR_INIT;
	int64_t expires = 0;
	sqlite3_stmt *q = store_query(
	    s,
	    "INSERT INTO sts_policies"
	    "(domain, policy, id, fetched, tried, failures, expires)"
	    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
	    " ON CONFLICT(domain) DO UPDATE SET policy=?2, id=?3,"
	    " fetched=?4, tried=?5, failures=?6, expires=?7",
	    err);
	int r = -1;

	if (q == NULL)
		goto out;
	if (e->has_policy) {
		print_policy(&policy, &e->policy);
		expires = e->fetched + e->policy.max_age;
	}
	store_bind_text(q, 1, domain);
	store_bind_text(q, 2, str_slice(&policy));
	store_bind_text(q, 3, e->has_policy ? e->id : SLICE(""));
	store_bind_int(q, 4, e->fetched);
	store_bind_int(q, 5, e->tried);
	store_bind_int(q, 6, e->failures);
	store_bind_int(q, 7, expires);
	r = store_run(s, q, err);
out:
	str_done(&policy);
	return r;
}

/* What is of no more use, and what is too much. */
static int clean(struct store *s, int64_t now, struct err *err)
{
	sqlite3_stmt *q;

	q = store_query(
	    s, "DELETE FROM sts_policies WHERE expires<?1 AND tried<?1", err);
	if (q == NULL)
		return -1;
	store_bind_int(q, 1, now - FORGET_AFTER);
	if (store_run(s, q, err) < 0)
		return -1;
	q = store_query(s,
			"DELETE FROM sts_policies WHERE n IN"
			" (SELECT n FROM sts_policies ORDER BY expires DESC"
			" LIMIT -1 OFFSET ?1)",
			err);
	if (q == NULL)
		return -1;
	store_bind_int(q, 1, STSPOLICIES_MAX);
	return store_run(s, q, err);
}

/* Has somebody kept a policy that is newer than ours? */
static bool is_outdated(const struct sts_entry *e, const struct sts_entry *kept,
			int64_t now)
{
	return kept->has_policy && kept->fetched <= now &&
	       (!e->has_policy || kept->fetched > e->fetched);
}

static int save(struct store *s, struct slice domain, const struct sts_entry *e,
		int64_t now, struct err *err)
{
	struct arena *a = arena_new();
	struct sts_entry kept;
	int r = load(s, domain, a, &kept, err);
	bool is_new = r == 0;

	if (r < 0)
		goto out;
	r = 0;
	if (!is_outdated(e, &kept, now))
		r = write_row(s, domain, e, err);
	if (r == 0 && is_new && store_last_row(s) % CLEAN_EVERY == 0)
		r = clean(s, now, err);
	if (r == 0)
		r = delete_claim(s, domain, err);
out:
	arena_free(a);
	return r;
}

int stspolicies_save(struct store *s, struct slice domain,
		     const struct sts_entry *e, int64_t now, struct err *err)
{
	struct str name = STR_INIT;
	int r = -1;

	if (read_domain(domain, &name, err) < 0 ||
	    store_begin(s, &part, STORE_WRITE, err) < 0)
		goto out;
	r = save(s, str_slice(&name), e, now, err);
	r = store_end(s, r, err);
out:
	str_done(&name);
	return r;
}

/* ---- renewal ------------------------------------------------------------ */

static int find_due(struct store *s, sqlite3_stmt *q, int64_t now,
		    struct stspolicies_list *ret, struct err *err)
{
	struct arena *scratch = arena_new();
	struct sts_entry e;
	int r = 0;

	ret->n = 0;
	ret->domains = arena_array(ret->arena, ret->max, sizeof(struct slice));
	while (ret->n < ret->max && (r = store_step(s, q, err)) > 0) {
		arena_reset(scratch);
		if (read_row(q, 1, scratch, &e) && sts_entry_is_due(&e, now))
			ret->domains[ret->n++] =
			    arena_dup(ret->arena, store_text(q, 0));
	}
	arena_free(scratch);
	return r < 0 ? -1 : 0;
}

int stspolicies_due(struct store *s, struct slice after, int64_t now,
		    struct stspolicies_list *ret, struct err *err)
{
	sqlite3_stmt *q;
	int r = -1;

	if (store_begin(s, &part, STORE_READ, err) < 0)
		return -1;
	q = store_query(s,
			"SELECT domain, policy, id, fetched, tried, failures"
			" FROM sts_policies WHERE domain>?1 AND expires>?2"
			" ORDER BY domain",
			err);
	if (q == NULL)
		goto out;
	store_bind_text(q, 1, after);
	store_bind_int(q, 2, now);
	r = find_due(s, q, now, ret, err);
out:
	return store_end(s, r, err);
}

/* A claim that ends beyond all leases was made by a clock that went back. */
static int claim(struct store *s, struct slice domain, int64_t now,
		 unsigned seconds, struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s, "DELETE FROM sts_claims WHERE until<=?1 OR until>?2", err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, now);
	store_bind_int(q, 2, now + STSPOLICIES_LEASE_MAX);
	if (store_run(s, q, err) < 0)
		return -1;
	q = store_query(
	    s, "INSERT OR IGNORE INTO sts_claims VALUES(?1, ?2) RETURNING 1",
	    err);
	if (q == NULL)
		return -1;
	if (seconds > STSPOLICIES_LEASE_MAX)
		seconds = STSPOLICIES_LEASE_MAX;
	store_bind_text(q, 1, domain);
	store_bind_int(q, 2, now + seconds);
	return store_step(s, q, err);
}

int stspolicies_claim(struct store *s, struct slice domain, int64_t now,
		      unsigned seconds, struct err *err)
{
	struct str name = STR_INIT;
	int r = -1;

	if (read_domain(domain, &name, err) < 0 ||
	    store_begin(s, &part, STORE_WRITE, err) < 0)
		goto out;
	r = claim(s, str_slice(&name), now, seconds, err);
	r = store_end(s, r, err);
out:
	str_done(&name);
	return r;
}

int stspolicies_release(struct store *s, struct slice domain, struct err *err)
{
	struct str name = STR_INIT;
	int r = -1;

	if (read_domain(domain, &name, err) < 0 ||
	    store_begin(s, &part, STORE_WRITE, err) < 0)
		goto out;
	r = delete_claim(s, str_slice(&name), err);
	r = store_end(s, r, err);
out:
	str_done(&name);
	return r;
}
