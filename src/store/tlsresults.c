/*
 * tlsresults.c - adding: counts of sessions over TLS.
 *
 * A group is a policy of a domain on a day; a detail is a kind of failure in
 * it. Counting what was seen before is one statement, or two for a failure.
 * Only what is new asks whether there is room. The catch-all of a kind of
 * policy is a group without strings, that of a type of failure a detail
 * without texts; a domain and day have at most one more of each.
 */
#include "store/tlsresults_internal.h"

#include <assert.h>

enum {
	CLEAN_EVERY = 64,  /* new groups */
	CLEAN_ATONCE = 256 /* old groups */
};

const struct store_part tlsresults_part = {
	.name = "tlsresults",
	.version = 1,
	.make = "CREATE TABLE tls_groups(n INTEGER PRIMARY KEY,"
		" day INTEGER NOT NULL, domain TEXT NOT NULL,"
		" kind INTEGER NOT NULL, policy_domain TEXT NOT NULL,"
		" strings TEXT NOT NULL, mx TEXT NOT NULL,"
		" good INTEGER NOT NULL, failed INTEGER NOT NULL,"
		" UNIQUE(day, domain, kind, policy_domain, strings, mx));"
		"CREATE TABLE tls_details(grp INTEGER NOT NULL,"
		" type INTEGER NOT NULL, sending_ip TEXT NOT NULL,"
		" receiving_ip TEXT NOT NULL, mx_host TEXT NOT NULL,"
		" mx_helo TEXT NOT NULL, information TEXT NOT NULL,"
		" reason TEXT NOT NULL, sessions INTEGER NOT NULL,"
		" PRIMARY KEY(grp, type, sending_ip, receiving_ip, mx_host,"
		" mx_helo, information, reason)) WITHOUT ROWID;"
		"CREATE TABLE tls_reports(day INTEGER NOT NULL,"
		" domain TEXT NOT NULL, token TEXT NOT NULL,"
		" first INTEGER NOT NULL, next INTEGER NOT NULL,"
		" tries INTEGER NOT NULL, done INTEGER NOT NULL,"
		" PRIMARY KEY(day, domain)) WITHOUT ROWID;"
		"CREATE TABLE tls_sent(day INTEGER NOT NULL,"
		" domain TEXT NOT NULL, target TEXT NOT NULL,"
		" PRIMARY KEY(day, domain, target)) WITHOUT ROWID;",
	.drop = "DROP TABLE IF EXISTS tls_groups;"
		"DROP TABLE IF EXISTS tls_details;"
		"DROP TABLE IF EXISTS tls_reports;"
		"DROP TABLE IF EXISTS tls_sent;",
};

bool tlsresults_domain(struct slice domain, struct str *to)
{
	if (domain.len > 1 && domain.p[domain.len - 1] == '.')
		domain.len--;
	if (!tlsrpt_is_domain(domain))
		return false;
	for (size_t i = 0; i < domain.len; i++)
		str_addc(to, ascii_lower(domain.p[i]));
	return true;
}

/* ---- what the columns hold ---------------------------------------------- */

enum { SENDING_IP, RECEIVING_IP, MX_HOST, MX_HELO, INFORMATION, REASON, TEXTS };

/* A result as it is compared and kept. */
struct row {
	int64_t day;
	enum tlsrpt_kind kind;
	enum tlsrpt_type type;
	struct str domain, policy_domain, strings, mx;
	struct str texts[TEXTS];
};

static void row_done(struct row *row)
{
	str_done(&row->domain);
	str_done(&row->policy_domain);
	str_done(&row->strings);
	str_done(&row->mx);
	for (size_t i = 0; i < TEXTS; i++)
		str_done(&row->texts[i]);
}

/* Lines, as many as there is room for. */
static void join(struct str *to, const struct slice *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].len == 0)
			continue;
		if (to->len + s[i].len >= TLSRPT_STRINGS_MAX)
			break;
		if (to->len > 0)
			str_addc(to, '\n');
		str_add_clean(to, s[i], SIZE_MAX);
	}
}

/* False: it is not to be counted. */
static bool row_fill(struct row *row, const struct tlsrpt_result *r)
{
	const struct tlsrpt_failure *f = &r->failure;
	const struct slice texts[TEXTS] = {
		[SENDING_IP] = f->sending_ip,
		[RECEIVING_IP] = f->receiving_ip,
		[MX_HOST] = f->mx_host,
		[MX_HELO] = f->mx_helo,
		[INFORMATION] = f->information,
		[REASON] = f->reason,
	};

	if (!tlsresults_domain(r->domain, &row->domain))
		return false;
	if (!tlsresults_domain(r->policy.domain, &row->policy_domain))
		str_add(&row->policy_domain, str_slice(&row->domain));
	row->kind = r->policy.kind;
	row->type = f->type;
	join(&row->strings, r->policy.strings, r->policy.n_strings);
	join(&row->mx, r->policy.mx, r->policy.n_mx);
	for (size_t i = 0; i < TEXTS; i++)
		str_add_clean(&row->texts[i], texts[i], TLSRPT_TEXT_MAX);
	return true;
}

/* What is left of a policy, and of a failure, when there is no room. */
static void forget_policy(struct row *row)
{
	str_clear(&row->policy_domain);
	str_add(&row->policy_domain, str_slice(&row->domain));
	str_clear(&row->strings);
	str_clear(&row->mx);
}

static void forget_failure(struct row *row)
{
	for (size_t i = 0; i < TEXTS; i++)
		str_clear(&row->texts[i]);
}

/* ---- counting ----------------------------------------------------------- */

/* Runs a query to its end. 1, and the number it gives; 0: none; -1. */
static int ask_number(struct store *s, sqlite3_stmt *q, int64_t *ret,
		      struct err *err)
{
	int r = store_step(s, q, err);

	if (r <= 0)
		return r;
	*ret = store_int(q, 0);
	return store_step(s, q, err) < 0 ? -1 : 1;
}

static void bind_group(sqlite3_stmt *q, const struct row *row)
{
	bool is_good = row->type == TLSRPT_SUCCESS;

	store_bind_int(q, 1, row->day);
	store_bind_text(q, 2, str_slice(&row->domain));
	store_bind_int(q, 3, row->kind);
	store_bind_text(q, 4, str_slice(&row->policy_domain));
	store_bind_text(q, 5, str_slice(&row->strings));
	store_bind_text(q, 6, str_slice(&row->mx));
	store_bind_int(q, 7, is_good);
	store_bind_int(q, 8, !is_good);
}

/* Counts in a group that is there: 1 and its number, or 0. */
static int count_group(struct store *s, const struct row *row, int64_t *ret,
		       struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s,
	    "UPDATE tls_groups SET good=good+?7, failed=failed+?8"
	    " WHERE day=?1 AND domain=?2 AND kind=?3 AND policy_domain=?4"
	    " AND strings=?5 AND mx=?6 RETURNING n",
	    err);

	if (q == NULL)
		return -1;
	bind_group(q, row);
	return ask_number(s, q, ret, err);
}

/* Makes a group, which counts the first of it. */
static int make_group(struct store *s, const struct row *row, int64_t *ret,
		      struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s,
	    "INSERT INTO tls_groups(day, domain, kind, policy_domain, strings,"
	    " mx, good, failed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
	    " RETURNING n",
	    err);

	if (q == NULL)
		return -1;
	bind_group(q, row);
	return ask_number(s, q, ret, err) < 0 ? -1 : 0;
}

static int groups_of(struct store *s, const struct row *row, int64_t *ret,
		     struct err *err)
{
	sqlite3_stmt *q = store_query(s,
				      "SELECT count(*) FROM tls_groups"
				      " WHERE day=?1 AND domain=?2",
				      err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, row->day);
	store_bind_text(q, 2, str_slice(&row->domain));
	return ask_number(s, q, ret, err) < 0 ? -1 : 0;
}

static int details_of(struct store *s, const struct row *row, int64_t *ret,
		      struct err *err)
{
	sqlite3_stmt *q =
	    store_query(s,
			"SELECT count(*) FROM tls_details WHERE grp IN"
			" (SELECT n FROM tls_groups WHERE day=?1"
			" AND domain=?2)",
			err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, row->day);
	store_bind_text(q, 2, str_slice(&row->domain));
	return ask_number(s, q, ret, err) < 0 ? -1 : 0;
}

/* 1: counted; 0: there is no such detail yet, and is_new is false. */
static int count_detail(struct store *s, const struct row *row, int64_t group,
			bool is_new, struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s,
	    is_new ? "INSERT INTO tls_details(grp, type, sending_ip,"
		     " receiving_ip, mx_host, mx_helo, information, reason,"
		     " sessions) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)"
		     " ON CONFLICT DO UPDATE SET sessions=sessions+1"
		     " RETURNING 1"
		   : "UPDATE tls_details SET sessions=sessions+1 WHERE grp=?1"
		     " AND type=?2 AND sending_ip=?3 AND receiving_ip=?4"
		     " AND mx_host=?5 AND mx_helo=?6 AND information=?7"
		     " AND reason=?8 RETURNING 1",
	    err);
	int64_t unused;

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, group);
	store_bind_int(q, 2, row->type);
	for (int i = 0; i < TEXTS; i++)
		store_bind_text(q, 3 + i, str_slice(&row->texts[i]));
	return ask_number(s, q, &unused, err);
}

/* ---- adding ------------------------------------------------------------- */

static int clean(struct store *s, int64_t today, struct err *err)
{
	return tlsresults_forget(s, today - TLSRESULTS_KEEP_DAYS, CLEAN_ATONCE,
				 err);
}

static int add_group(struct store *s, struct row *row, int64_t *ret,
		     struct err *err)
{
	int64_t n = 0;
	int r = count_group(s, row, ret, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (groups_of(s, row, &n, err) < 0)
		return -1;
	if (n >= TLSRESULTS_GROUPS_MAX) {
		forget_policy(row);
		r = count_group(s, row, ret, err);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	if (make_group(s, row, ret, err) < 0)
		return -1;
	return *ret % CLEAN_EVERY == 0 ? clean(s, row->day, err) : 0;
}

static int add_detail(struct store *s, struct row *row, int64_t group,
		      struct err *err)
{
	int64_t n = 0;
	int r = count_detail(s, row, group, false, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (details_of(s, row, &n, err) < 0)
		return -1;
	if (n >= TLSRESULTS_DETAILS_MAX)
		forget_failure(row);
	return count_detail(s, row, group, true, err) < 0 ? -1 : 0;
}

static int add_one(struct store *s, const struct tlsrpt_result *result,
		   int64_t day, struct err *err)
{
	struct row row = { .day = day };
	int64_t group = 0;
	int r = 0;

	assert((unsigned)result->failure.type < TLSRPT_TYPES);
	assert((unsigned)result->policy.kind < TLSRPT_KINDS);
	if (row_fill(&row, result)) {
		r = add_group(s, &row, &group, err);
		if (r == 0 && row.type != TLSRPT_SUCCESS)
			r = add_detail(s, &row, group, err);
	}
	row_done(&row);
	return r;
}

int tlsresults_add(struct store *s, const struct tlsrpt_result *results,
		   size_t n, int64_t now, struct err *err)
{
	int r = 0;

	if (n == 0)
		return 0;
	if (store_begin(s, &tlsresults_part, STORE_WRITE, err) < 0)
		return -1;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_one(s, &results[i], tlsrpt_day_of(now), err);
	return store_end(s, r, err);
}
