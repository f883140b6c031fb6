/*
 * tlsreports.c - reading counts of sessions over TLS, and which reports about
 * them were sent (store/tlsresults.h).
 *
 * Nothing in the file is trusted: numbers out of range make a row that is not
 * there, and texts were made printable when they came.
 */
#include "base/keyword.h"
#include "store/tlsresults_internal.h"

enum { WAIT_MIN = 15 * 60, WAIT_MAX = 4 * 3600 };

static void bind_key(sqlite3_stmt *q, const struct tlsresults_key *key)
{
	store_bind_int(q, 1, key->day);
	store_bind_text(q, 2, key->domain);
}

/* ---- which reports ------------------------------------------------------ */

static sqlite3_stmt *
list_query(struct store *s, const struct tlsresults_query *q, struct err *err)
{
	sqlite3_stmt *stmt = store_query(
	    s,
	    "SELECT DISTINCT g.day, g.domain FROM tls_groups g"
	    " LEFT JOIN tls_reports r ON r.day=g.day AND r.domain=g.domain"
	    " WHERE (g.day, g.domain) > (?1, ?2) AND g.day<?3"
	    " AND (?4 IS NULL OR g.day=?4) AND (?5='' OR g.domain=?5)"
	    " AND (?6 OR r.done IS NULL OR (r.done=0 AND r.next<=?7))"
	    " ORDER BY g.day, g.domain LIMIT ?8",
	    err);

	if (stmt == NULL)
		return NULL;
	store_bind_int(stmt, 1, q->after != NULL ? q->after->day : INT64_MIN);
	store_bind_text(stmt, 2,
			q->after != NULL ? q->after->domain : SLICE(""));
	store_bind_int(stmt, 3, q->before);
	if (q->has_day)
		store_bind_int(stmt, 4, q->day);
	store_bind_text(stmt, 5, q->domain);
	store_bind_int(stmt, 6, q->is_all);
	store_bind_int(stmt, 7, q->now);
	store_bind_int(stmt, 8, TLSRESULTS_LIST_MAX);
	return stmt;
}

int tlsresults_list(struct store *s, const struct tlsresults_query *query,
		    struct arena *a,
		    struct tlsresults_key ret[TLSRESULTS_LIST_MAX],
		    struct err *err)
{
	struct tlsresults_query exact = *query;
	struct str domain = STR_INIT;
	sqlite3_stmt *q;
	int n = 0, r = 0;

	if (query->domain.len > 0 && !tlsresults_domain(query->domain, &domain))
		goto out;
	exact.domain = str_slice(&domain);
	r = store_begin(s, &tlsresults_part, STORE_READ, err);
	if (r < 0)
		goto out;
	q = list_query(s, &exact, err);
	r = q == NULL ? -1 : 0;
	while (r == 0 && n < TLSRESULTS_LIST_MAX &&
	       (r = store_step(s, q, err)) > 0) {
		ret[n].day = store_int(q, 0);
		ret[n++].domain = arena_dup(a, store_text(q, 1));
		r = 0;
	}
	r = store_end(s, r, err);
out:
	str_done(&domain);
	return r < 0 ? -1 : n;
}

/* ---- counts ------------------------------------------------------------- */

static const struct slice *split(struct slice text, struct arena *a,
				 size_t *ret_n)
{
	struct slice rest = text, part, *parts;
	size_t n = 0;

	*ret_n = 0;
	if (text.len == 0)
		return NULL;
	while (slice_cut(&rest, '\n', &part))
		n++;
	parts = arena_array(a, n, sizeof(*parts));
	rest = arena_dup(a, text);
	while (*ret_n < n && slice_cut(&rest, '\n', &part))
		parts[(*ret_n)++] = part;
	return parts;
}

static uint64_t count_of(sqlite3_stmt *q, int i)
{
	int64_t n = store_int(q, i);

	return n > 0 ? (uint64_t)n : 0;
}

static int read_details(struct store *s, int64_t group, struct arena *a,
			struct tlsrpt_group *ret, struct err *err)
{
	const size_t max = TLSRESULTS_DETAILS_MAX + TLSRPT_TYPES;
	struct tlsrpt_detail *details;
	size_t n = 0;
	int r;
	sqlite3_stmt *q = store_query(
	    s,
	    "SELECT type, sessions, sending_ip, receiving_ip, mx_host,"
	    " mx_helo, information, reason FROM tls_details WHERE grp=?1"
	    " ORDER BY sessions DESC, type LIMIT ?2",
	    err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, group);
	store_bind_int(q, 2, (int64_t)max);
	details = arena_array(a, max, sizeof(*details));
	while ((r = store_step(s, q, err)) > 0) {
		int64_t type = store_int(q, 0);
		struct tlsrpt_failure *f = &details[n].failure;
		struct slice *const texts[] = {
			&f->sending_ip, &f->receiving_ip, &f->mx_host,
			&f->mx_helo,	&f->information,  &f->reason
		};

		if (type <= TLSRPT_SUCCESS || type >= TLSRPT_TYPES)
			continue;
		f->type = (enum tlsrpt_type)type;
		details[n].count = count_of(q, 1);
		for (int i = 0; i < 6; i++)
			*texts[i] = arena_dup(a, store_text(q, 2 + i));
		n++;
	}
	ret->details = details;
	ret->n_details = n;
	return r;
}

struct reading {
	struct arena *arena;
	struct tlsrpt_group *groups;
	int64_t *numbers; /* of the groups */
	size_t n, max;
};

static int read_groups(struct store *s, const struct tlsresults_key *key,
		       struct reading *to, struct err *err)
{
	int r;
	sqlite3_stmt *q = store_query(
	    s,
	    "SELECT n, kind, policy_domain, strings, mx, good, failed"
	    " FROM tls_groups WHERE day=?1 AND domain=?2 ORDER BY n LIMIT ?3",
	    err);

	if (q == NULL)
		return -1;
	bind_key(q, key);
	store_bind_int(q, 3, (int64_t)to->max);
	while ((r = store_step(s, q, err)) > 0) {
		struct tlsrpt_group *g = &to->groups[to->n];
		int64_t kind = store_int(q, 1);

		if (kind < 0 || kind >= TLSRPT_KINDS)
			continue;
		to->numbers[to->n++] = store_int(q, 0);
		g->policy.kind = (enum tlsrpt_kind)kind;
		g->policy.domain = arena_dup(to->arena, store_text(q, 2));
		g->policy.strings =
		    split(store_text(q, 3), to->arena, &g->policy.n_strings);
		g->policy.mx =
		    split(store_text(q, 4), to->arena, &g->policy.n_mx);
		g->n_good = count_of(q, 5);
		g->n_failed = count_of(q, 6);
	}
	return r;
}

int tlsresults_read(struct store *s, const struct tlsresults_key *key,
		    struct arena *a, struct tlsrpt_report *ret, struct err *err)
{
	struct reading to = {
		.arena = a,
		.max = TLSRESULTS_GROUPS_MAX + TLSRPT_KINDS,
	};
	int r;

	to.groups = arena_array(a, to.max, sizeof(*to.groups));
	to.numbers = arena_array(a, to.max, sizeof(*to.numbers));
	if (store_begin(s, &tlsresults_part, STORE_READ, err) < 0)
		return -1;
	r = read_groups(s, key, &to, err);
	for (size_t i = 0; i < to.n && r == 0; i++)
		r = read_details(s, to.numbers[i], a, &to.groups[i], err);
	if (store_end(s, r, err) < 0)
		return -1;
	ret->groups = to.groups;
	ret->n_groups = to.n;
	return 0;
}

/* ---- what was sent ------------------------------------------------------ */

/* Until the next try. */
static int64_t wait_after(int64_t tries)
{
	int64_t wait = WAIT_MIN;

	for (int64_t i = 1; i < tries && wait < WAIT_MAX; i++)
		wait *= 2;
	return wait < WAIT_MAX ? wait : WAIT_MAX;
}

struct report {
	struct tlsresults_claim claim;
	int64_t next; /* when it may be tried again */
	bool is_done;
};

/*
 * The row of a report: 1, or 0 if there is none. One that makes no sense is
 * begun anew.
 */
static int load_report(struct store *s, const struct tlsresults_key *key,
		       struct arena *a, struct report *ret, struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s,
	    "SELECT token, first, tries, next, done FROM tls_reports"
	    " WHERE day=?1 AND domain=?2",
	    err);
	int64_t tries;
	int r;

	if (q == NULL)
		return -1;
	bind_key(q, key);
	r = store_step(s, q, err);
	if (r <= 0)
		return r;
	tries = store_int(q, 2);
	if (tries < 1 || tries > 100000 || store_text(q, 0).len == 0 ||
	    store_text(q, 0).len > TLSRESULTS_TOKEN_MAX)
		return 0;
	ret->claim.token = arena_dup(a, store_text(q, 0));
	ret->claim.first = store_int(q, 1);
	ret->claim.tries = (unsigned)tries;
	ret->next = store_int(q, 3);
	ret->is_done = store_int(q, 4) != 0;
	return 1;
}

static int save_report(struct store *s, const struct tlsresults_key *key,
		       const struct tlsresults_claim *claim, int64_t now,
		       struct err *err)
{
	sqlite3_stmt *q =
	    store_query(s,
			"INSERT OR REPLACE INTO tls_reports(day, domain,"
			" token, first, tries, next, done)"
			" VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0)",
			err);

	if (q == NULL)
		return -1;
	bind_key(q, key);
	store_bind_text(q, 3, claim->token);
	store_bind_int(q, 4, claim->first);
	store_bind_int(q, 5, claim->tries);
	store_bind_int(q, 6, now + wait_after(claim->tries));
	return store_run(s, q, err);
}

int tlsresults_take(struct store *s, const struct tlsresults_key *key,
		    const struct tlsresults_try *try,
		    struct tlsresults_claim *ret, struct err *err)
{
	struct report report = { 0 };
	int r;

	if (store_begin(s, &tlsresults_part, STORE_WRITE, err) < 0)
		return -1;
	r = load_report(s, key, try->arena, &report, err);
	if (r < 0)
		goto out;
	if (r > 0 &&
	    (report.is_done || (report.next > try->now && !try->is_hurry))) {
		r = 0;
		goto out;
	}
	if (r == 0) {
		report.claim.token = arena_dup(
		    try->arena, slice_head(try->token, TLSRESULTS_TOKEN_MAX));
		report.claim.first = try->now;
	}
	report.claim.tries++;
	r = save_report(s, key, &report.claim, try->now, err) < 0 ? -1 : 1;
out:
	r = store_end(s, r, err);
	if (r > 0)
		*ret = report.claim;
	return r;
}

int tlsresults_was_sent(struct store *s, const struct tlsresults_key *key,
			struct slice target, struct err *err)
{
	sqlite3_stmt *q;
	int r = -1;

	if (store_begin(s, &tlsresults_part, STORE_READ, err) < 0)
		return -1;
	q = store_query(s,
			"SELECT 1 FROM tls_sent"
			" WHERE day=?1 AND domain=?2 AND target=?3",
			err);
	if (q != NULL) {
		bind_key(q, key);
		store_bind_text(q, 3, target);
		r = store_step(s, q, err);
	}
	return store_end(s, r, err);
}

static int add_sent(struct store *s, const struct tlsresults_key *key,
		    struct slice target, struct err *err)
{
	sqlite3_stmt *q = store_query(s,
				      "INSERT OR IGNORE INTO tls_sent(day,"
				      " domain, target) VALUES(?1, ?2, ?3)",
				      err);

	if (q == NULL)
		return -1;
	bind_key(q, key);
	store_bind_text(q, 3, target);
	return store_run(s, q, err);
}

int tlsresults_mark_sent(struct store *s, const struct tlsresults_key *key,
			 const struct slice *targets, size_t n, struct err *err)
{
	int r = 0;

	if (store_begin(s, &tlsresults_part, STORE_WRITE, err) < 0)
		return -1;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_sent(s, key, targets[i], err);
	return store_end(s, r, err);
}

int tlsresults_mark_done(struct store *s, const struct tlsresults_key *key,
			 struct err *err)
{
	sqlite3_stmt *q;
	int r = -1;

	if (store_begin(s, &tlsresults_part, STORE_WRITE, err) < 0)
		return -1;
	q = store_query(
	    s, "UPDATE tls_reports SET done=1 WHERE day=?1 AND domain=?2", err);
	if (q != NULL) {
		bind_key(q, key);
		r = store_run(s, q, err);
	}
	return store_end(s, r, err);
}

/* ---- forgetting --------------------------------------------------------- */

int tlsresults_forget(struct store *s, int64_t before, int64_t n,
		      struct err *err)
{
	static const char *const texts[] = {
		"DELETE FROM tls_details WHERE grp IN (SELECT n FROM"
		" tls_groups WHERE day<?1 ORDER BY day, n LIMIT ?2)",
		"DELETE FROM tls_groups WHERE n IN (SELECT n FROM tls_groups"
		" WHERE day<?1 ORDER BY day, n LIMIT ?2)",
		"DELETE FROM tls_sent WHERE day<?1",
		"DELETE FROM tls_reports WHERE day<?1",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		sqlite3_stmt *q = store_query(s, texts[i], err);

		if (q == NULL)
			return -1;
		store_bind_int(q, 1, before);
		if (i < 2)
			store_bind_int(q, 2, n);
		if (store_run(s, q, err) < 0)
			return -1;
	}
	return 0;
}

int tlsresults_expire(struct store *s, int64_t before, struct err *err)
{
	int r;

	if (store_begin(s, &tlsresults_part, STORE_WRITE, err) < 0)
		return -1;
	r = tlsresults_forget(s, before, INT64_MAX, err);
	return store_end(s, r, err);
}
