/*
 * tlssessions.c - TLS sessions in the store.
 *
 * Rows are numbered in the order in which they came, so that to keep the
 * newest is to remove all below a number; a number that was freed at the top
 * may come again, which only makes the bound stricter.
 */
#include "store/tlssessions.h"

#include "store/store_internal.h"

static const struct store_part part = {
	.name = "tls-sessions",
	.version = 1,
	.make = "CREATE TABLE tls_sessions(n INTEGER PRIMARY KEY,"
		" key BLOB NOT NULL, session BLOB NOT NULL,"
		" expires INTEGER NOT NULL);"
		"CREATE INDEX tls_sessions_key ON tls_sessions(key);"
		"CREATE INDEX tls_sessions_expires ON tls_sessions(expires);",
	.drop = "DROP TABLE IF EXISTS tls_sessions;",
};

static int check_key(struct slice key, struct err *err)
{
	if (key.len == 0 || key.len > TLSSESSIONS_KEY_MAX)
		return FAIL(err, "a TLS session's key of %zu bytes", key.len);
	return 0;
}

/* ---- saving ------------------------------------------------------------- */

static int insert(struct store *s, const struct tlssession *session,
		  int64_t now, struct err *err)
{
	int64_t most = now + TLSSESSIONS_AGE_MAX;
	sqlite3_stmt *q =
	    store_query(s,
			"INSERT INTO tls_sessions(key, session, expires)"
			" VALUES(?1, ?2, ?3)",
			err);

	if (q == NULL)
		return -1;
	store_bind_blob(q, 1, session->key);
	store_bind_blob(q, 2, session->der);
	store_bind_int(q, 3, session->expires < most ? session->expires : most);
	return store_run(s, q, err);
}

/* What is over, what the clock cannot have meant, and what is too much. */
static int clean(struct store *s, struct slice key, int64_t now,
		 struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s, "DELETE FROM tls_sessions WHERE expires<=?1 OR expires>?2", err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, now);
	store_bind_int(q, 2, now + TLSSESSIONS_AGE_MAX);
	if (store_run(s, q, err) < 0)
		return -1;
	q = store_query(s,
			"DELETE FROM tls_sessions WHERE n<=?1 OR n IN"
			" (SELECT n FROM tls_sessions WHERE key=?2"
			" ORDER BY n DESC LIMIT -1 OFFSET ?3)",
			err);
	if (q == NULL)
		return -1;
	store_bind_int(q, 1, store_last_row(s) - TLSSESSIONS_MAX);
	store_bind_blob(q, 2, key);
	store_bind_int(q, 3, TLSSESSIONS_OF_KEY);
	return store_run(s, q, err);
}

int tlssessions_save(struct store *s, const struct tlssession *session,
		     int64_t now, struct err *err)
{
	size_t len = session->der.len;
	int r;

	if (check_key(session->key, err) < 0)
		return -1;
	if (len == 0 || len > TLSSESSIONS_DER_MAX)
		return FAIL(err, "a TLS session of %zu bytes", len);
	if (session->expires <= now)
		return FAIL(err, "a TLS session that is over");
	if (store_begin(s, &part, STORE_WRITE, err) < 0)
		return -1;
	r = insert(s, session, now, err);
	if (r == 0)
		r = clean(s, session->key, now, err);
	return store_end(s, r, err);
}

/* ---- reading ------------------------------------------------------------ */

/* Within a transaction: the number of the row, 0 or -1. */
static int64_t find(struct store *s, struct slice key, int64_t now,
		    struct str *der, struct err *err)
{
	struct slice session;
	int64_t n;
	sqlite3_stmt *q =
	    store_query(s,
			"SELECT n, session FROM tls_sessions WHERE key=?1"
			" AND expires>?2 AND expires<=?3"
			" AND length(session) BETWEEN 1 AND ?4"
			" ORDER BY n DESC LIMIT 1",
			err);
	int r;

	if (q == NULL)
		return -1;
	store_bind_blob(q, 1, key);
	store_bind_int(q, 2, now);
	store_bind_int(q, 3, now + TLSSESSIONS_AGE_MAX);
	store_bind_int(q, 4, TLSSESSIONS_DER_MAX);
	r = store_step(s, q, err);
	if (r <= 0)
		return r;
	session = store_text(q, 1);
	n = store_int(q, 0);
	if (session.len == 0 || session.len > TLSSESSIONS_DER_MAX || n < 1)
		return 0;
	str_add(der, session);
	return n;
}

int tlssessions_load(struct store *s, struct slice key, int64_t now,
		     struct str *der, struct err *err)
{
	int64_t n;

	if (check_key(key, err) < 0 ||
	    store_begin(s, &part, STORE_READ, err) < 0)
		return -1;
	n = find(s, key, now, der, err);
	return store_end(s, n > 0 ? 1 : (int)n, err);
}

static int delete_row(struct store *s, int64_t n, struct err *err)
{
	sqlite3_stmt *q =
	    store_query(s, "DELETE FROM tls_sessions WHERE n=?1", err);

	if (q == NULL)
		return -1;
	store_bind_int(q, 1, n);
	return store_run(s, q, err);
}

int tlssessions_take(struct store *s, struct slice key, int64_t now,
		     struct str *der, struct err *err)
{
	size_t before = der->len;
	int64_t n;
	/* Mostly there is none, and then nobody is to wait for writers. */
	int r = tlssessions_load(s, key, now, der, err);

	str_cut(der, before);
	if (r <= 0)
		return r;
	if (store_begin(s, &part, STORE_WRITE, err) < 0)
		return -1;
	n = find(s, key, now, der, err);
	r = n > 0 ? 1 : (int)n;
	if (n > 0 && delete_row(s, n, err) < 0)
		r = -1;
	r = store_end(s, r, err);
	if (r < 0)
		str_cut(der, before); /* another may still get it */
	return r;
}

int tlssessions_forget(struct store *s, struct slice key, struct err *err)
{
	sqlite3_stmt *q;
	int r = -1;

	if (check_key(key, err) < 0 ||
	    store_begin(s, &part, STORE_WRITE, err) < 0)
		return -1;
	q = store_query(s, "DELETE FROM tls_sessions WHERE key=?1", err);
	if (q == NULL)
		goto out;
	store_bind_blob(q, 1, key);
	r = store_run(s, q, err);
out:
	return store_end(s, r, err);
}
