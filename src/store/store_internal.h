/*
 * store_internal.h - the database, for the parts of this room.
 *
 * A part is a few tables of its own with a version of their own. Its calls
 * have one shape:
 *
 *	if (store_begin(s, &part, STORE_WRITE, err) < 0)
 *		return -1;
 *	q = store_query(s, "...?1...", err);
 *	if (q == NULL)
 *		goto out;
 *	store_bind_text(q, 1, domain);
 *	r = store_run(s, q, err);
 * out:
 *	return store_end(s, r, err);
 *
 * Whatever fails in between, store_end() takes everything back.
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include "store/store.h"

#include <sqlite3.h>

/*
 * make creates the tables, drop removes those of any older version (with IF
 * EXISTS); both may be several statements. What an older version kept is not
 * carried over. A part of a newer version is left alone: every call fails.
 */
struct store_part {
	const char *name;
	int version; /* from 1 */
	const char *make, *drop;
};

enum store_access { STORE_READ, STORE_WRITE };

/*
 * Opens the database if it is not, makes the tables of the part if they are
 * missing, and begins a transaction; one for STORE_WRITE has no other writer
 * beside it from here to its end. part must be static. -1: nothing was begun.
 */
MUST_USE int store_begin(struct store *s, const struct store_part *part,
			 enum store_access access, struct err *err);

/*
 * Ends it. r >= 0: commits; returns r, or -1 with err filled if that failed.
 * r < 0: rolls back, and returns r; err is left alone.
 */
int store_end(struct store *s, int r, struct err *err);

/*
 * A statement, made ready once and kept; sql must be static, and parameters
 * are all NULL. One text may not be under way twice. It needs no finishing.
 * NULL: failed.
 */
sqlite3_stmt *store_query(struct store *s, const char *sql, struct err *err);

/* Sets parameter i (from 1); the bytes are borrowed until the query's end. */
void store_bind_text(sqlite3_stmt *q, int i, struct slice text);
void store_bind_blob(sqlite3_stmt *q, int i, struct slice bytes);
void store_bind_int(sqlite3_stmt *q, int i, int64_t n);

/* The next row: 1; 0: there is none; -1 with err filled. */
MUST_USE int store_step(struct store *s, sqlite3_stmt *q, struct err *err);

/* Runs a statement that gives no rows to its end: 0, or -1. */
MUST_USE int store_run(struct store *s, sqlite3_stmt *q, struct err *err);

/* The number of the row that was inserted last (sqlite's rowid). */
int64_t store_last_row(const struct store *s);

/*
 * Column i (from 0) of the row. Text is borrowed until the next step, and
 * empty if it is NULL. Nothing in the file is to be trusted: the caller looks
 * at lengths and ranges.
 */
struct slice store_text(sqlite3_stmt *q, int i);
int64_t store_int(sqlite3_stmt *q, int i);

#endif
