/*
 * store.c - the database: opening, mending, transactions, statements.
 *
 * WAL with synchronous=NORMAL: a commit is one write, without a sync; readers
 * and the writer do not wait for each other; the journal is written back, and
 * synced, once in a thousand pages. Of a process that is killed the next one
 * finds the commits that were whole.
 *
 *	store_parts(name, version)	; of each part's tables
 *	user_version = 1		; that table's own
 */
#include "store/store_internal.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "store/storefile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	LAYOUT = 1,	     /* user_version */
	VALUE_MAX = 1 << 20, /* bytes that sqlite takes for one value */
};

struct query {
	const char *sql;
	sqlite3_stmt *statement;
};

struct store {
	char *dir;
	struct storefile file;
	sqlite3 *db;			 /* NULL: not open */
	pid_t pid;			 /* who opened it */
	const struct store_part **parts; /* whose tables are there */
	size_t n_parts, cap_parts;
	struct query *queries;
	size_t n_queries, cap_queries;
	enum store_access access; /* of the transaction */
	bool is_broken;		  /* it is to be moved aside */
	bool is_suspect;	  /* it is to be opened anew */
	/* Until when calls of either kind fail with what was wrong. */
	int64_t pause[2];
	struct err failure;
	bool was_mended;
	struct err mended;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct store *store_new(const char *dir)
{
	struct store *s = mem_zero(1, sizeof(*s));

	s->dir = strcpy(mem_alloc(strlen(dir) + 1), dir);
	s->file = STOREFILE_INIT;
	return s;
}

static void close_database(struct store *s)
{
	for (size_t i = 0; i < s->n_queries; i++)
		sqlite3_finalize(s->queries[i].statement);
	s->n_queries = 0;
	s->n_parts = 0;
	sqlite3_close(s->db);
	s->db = NULL;
	s->is_suspect = false;
}

static bool is_inherited(const struct store *s)
{
	return s->db != NULL && s->pid != getpid();
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	if (!is_inherited(s)) /* else it is the parent's to close */
		close_database(s);
	storefile_done(&s->file);
	free(s->queries);
	free(s->parts);
	free(s->dir);
	free(s);
}

bool store_was_mended(struct store *s, struct err *ret)
{
	if (!s->was_mended)
		return false;
	s->was_mended = false;
	*ret = s->mended;
	return true;
}

/* ---- failures ----------------------------------------------------------- */

/* No call of this kind tries again for a while; a reader's says all. */
static void pause_calls(struct store *s, enum store_access access,
			const struct err *err)
{
	int64_t until = now_ms() + STORE_PAUSE_MS;

	s->failure = *err;
	s->pause[STORE_WRITE] = until;
	if (access == STORE_READ)
		s->pause[STORE_READ] = until;
}

/* An error in a statement of ours means that the tables are not ours. */
static bool means_broken(int code)
{
	return (code & 0xff) == SQLITE_CORRUPT ||
	       (code & 0xff) == SQLITE_NOTADB || code == SQLITE_ERROR;
}

/* No fault of the file or of our hold on it. */
static bool passes_by(int code)
{
	return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_FULL;
}

/* Something in a transaction, or before it, failed with this code. */
static int failed(struct store *s, int code, struct err *err)
{
	struct err own;

	err_set(&own, sqlite3_system_errno(s->db), "%s: %s",
		str_cstr(&s->file.path), sqlite3_errmsg(s->db));
	s->failure = own;
	s->is_broken |= means_broken(code);
	s->is_suspect |= !passes_by(code);
	if (!s->is_broken)
		pause_calls(s, s->access, &own);
	if (err != NULL)
		*err = own;
	return -1;
}

/* ---- opening ------------------------------------------------------------ */

static int run_text(struct store *s, const char *sql, struct err *err)
{
	int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : failed(s, code, err);
}

/* The number that a statement gives; *ret is left alone if it gives none. */
static int read_number(struct store *s, const char *sql, struct slice name,
		       int64_t *ret, struct err *err)
{
	sqlite3_stmt *q = NULL;
	int code = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);

	if (code == SQLITE_OK && name.p != NULL)
		store_bind_text(q, 1, name);
	if (code == SQLITE_OK)
		code = sqlite3_step(q);
	if (code == SQLITE_ROW) {
		*ret = sqlite3_column_int64(q, 0);
		code = SQLITE_DONE;
	}
	if (code != SQLITE_DONE)
		failed(s, code, err);
	sqlite3_finalize(q);
	return code == SQLITE_DONE ? 0 : -1;
}

/* Our own table, in a file that may just have been made. */
static int make_layout(struct store *s, struct err *err)
{
	int64_t layout = 0;

	if (read_number(s, "PRAGMA user_version", (struct slice){ 0 }, &layout,
			err) < 0)
		return -1;
	if (layout == LAYOUT)
		return 0;
	if (layout != 0) {
		err_set(err, 0, "%s: made by a newer version",
			str_cstr(&s->file.path));
		pause_calls(s, STORE_READ, err);
		return -1;
	}
	return run_text(s,
			"BEGIN IMMEDIATE;"
			"CREATE TABLE store_parts(name TEXT PRIMARY KEY,"
			" version INTEGER NOT NULL) WITHOUT ROWID;"
			"PRAGMA user_version=1;"
			"COMMIT",
			err);
}

/* Opens the file that is there, whatever it is. */
static int open_file(struct store *s, struct err *err)
{
	static const int flags =
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
	    SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	int keep = 1;
	int code =
	    sqlite3_open_v2(str_cstr(&s->file.path), &s->db, flags, NULL);

	if (code != SQLITE_OK)
		return failed(s, code, err);
	s->pid = getpid();
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_busy_timeout(s->db, STORE_WAIT_MS);
	if (run_text(s,
		     "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
		     "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-256;"
		     "PRAGMA journal_mode=WAL;"
		     "PRAGMA synchronous=NORMAL;"
		     "PRAGMA journal_size_limit=1048576;",
		     err) < 0)
		return -1;
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* Files that are there already can be opened on a full disk. */
	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	return make_layout(s, err);
}

static int open_ready(struct store *s, struct err *err)
{
	return storefile_ready(&s->file, err) < 0 ? -1 : open_file(s, err);
}

static int set_aside(struct store *s, const struct err *why, struct err *err)
{
	int r;

	close_database(s);
	r = storefile_set_aside(&s->file, err);
	if (r < 0)
		return -1;
	s->is_broken = false;
	if (r > 0) {
		s->was_mended = true;
		err_set(&s->mended, 0, "%s; moved to %s.bad and begun anew",
			why->text, str_cstr(&s->file.path));
	}
	return 0;
}

/* The lock is held. */
static int open_locked(struct store *s, struct err *err)
{
	struct err why;

	if (s->is_broken && set_aside(s, &s->failure, err) < 0)
		return -1;
	if (open_ready(s, &why) == 0)
		return 0;
	if (!s->is_broken) {
		err_set(err, why.code, "%s", why.text);
		return -1;
	}
	if (set_aside(s, &why, err) < 0)
		return -1;
	return open_ready(s, err);
}

static int open_database(struct store *s, struct err *err)
{
	struct err why;
	int r;

	r = storefile_enter(&s->file, s->dir, STORE_WAIT_MS, &why);
	if (r == 0)
		r = open_locked(s, &why);
	storefile_leave(&s->file);
	if (r == 0)
		return 0;
	close_database(s);
	s->is_broken = false;
	pause_calls(s, STORE_READ, &why);
	err_set(err, why.code, "%s", why.text);
	return -1;
}

/* Is the file no longer the one that has this name? */
static bool is_gone(struct store *s)
{
	int has_moved = 0;

	return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED,
				    &has_moved) == SQLITE_OK &&
	       has_moved != 0;
}

static int make_open(struct store *s, enum store_access access, struct err *err)
{
	if (is_inherited(s))
		return FAIL(err, "%s: opened by another process", s->dir);
	if (now_ms() < s->pause[access])
		return FAIL_CODE(err, s->failure.code, "%s", s->failure.text);
	s->access = STORE_READ; /* what fails here is in everybody's way */
	if (s->db != NULL && (s->is_suspect || is_gone(s)))
		close_database(s);
	return s->db != NULL ? 0 : open_database(s, err);
}

int store_open(struct store *s, struct err *err)
{
	return make_open(s, STORE_READ, err);
}

/* ---- parts -------------------------------------------------------------- */

static int read_version(struct store *s, const struct store_part *part,
			int64_t *ret, struct err *err)
{
	*ret = 0;
	return read_number(s, "SELECT version FROM store_parts WHERE name=?1",
			   slice_of(part->name), ret, err);
}

static int write_version(struct store *s, const struct store_part *part,
			 struct err *err)
{
	sqlite3_stmt *q = store_query(
	    s, "INSERT OR REPLACE INTO store_parts VALUES(?1, ?2)", err);

	if (q == NULL)
		return -1;
	store_bind_text(q, 1, slice_of(part->name));
	store_bind_int(q, 2, part->version);
	return store_run(s, q, err);
}

static int make_tables(struct store *s, const struct store_part *part,
		       struct err *err)
{
	int64_t version;
	int r = -1;

	if (run_text(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	if (read_version(s, part, &version, err) < 0)
		goto out;
	if (version != part->version && /* another may have been faster */
	    (run_text(s, part->drop, err) < 0 ||
	     run_text(s, part->make, err) < 0 ||
	     write_version(s, part, err) < 0))
		goto out;
	r = 0;
out:
	return store_end(s, r, err);
}

static int make_part(struct store *s, const struct store_part *part,
		     struct err *err)
{
	int64_t version;

	for (size_t i = 0; i < s->n_parts; i++)
		if (s->parts[i] == part)
			return 0;
	if (read_version(s, part, &version, err) < 0)
		return -1;
	if (version > part->version || version < 0)
		return FAIL(err, "%s: %s made by a newer version",
			    str_cstr(&s->file.path), part->name);
	if (version < part->version && make_tables(s, part, err) < 0)
		return -1;
	s->parts = mem_grow(s->parts, &s->cap_parts, s->n_parts + 1,
			    sizeof(const struct store_part *));
	s->parts[s->n_parts++] = part;
	return 0;
}

/* ---- transactions ------------------------------------------------------- */

int store_begin(struct store *s, const struct store_part *part,
		enum store_access access, struct err *err)
{
	if (make_open(s, access, err) < 0 || make_part(s, part, err) < 0)
		return -1;
	s->access = access;
	return run_text(s, access == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN",
			err);
}

int store_end(struct store *s, int r, struct err *err)
{
	for (size_t i = 0; i < s->n_queries; i++) {
		sqlite3_reset(s->queries[i].statement);
		sqlite3_clear_bindings(s->queries[i].statement);
	}
	if (r >= 0 && run_text(s, "COMMIT", err) < 0)
		r = -1;
	if (r < 0 && sqlite3_get_autocommit(s->db) == 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* ---- statements --------------------------------------------------------- */

sqlite3_stmt *store_query(struct store *s, const char *sql, struct err *err)
{
	sqlite3_stmt *q = NULL;
	int code;

	for (size_t i = 0; i < s->n_queries; i++) {
		if (s->queries[i].sql != sql)
			continue;
		q = s->queries[i].statement;
		sqlite3_reset(q);
		sqlite3_clear_bindings(q);
		return q;
	}
	code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q,
				  NULL);
	if (code != SQLITE_OK) {
		failed(s, code, err);
		return NULL;
	}
	s->queries = mem_grow(s->queries, &s->cap_queries, s->n_queries + 1,
			      sizeof(*s->queries));
	s->queries[s->n_queries++] = (struct query){ sql, q };
	return q;
}

/*
 * Binding fails only for bad indexes, our bug, and for values that are too
 * long, which then are NULL; the tables' NOT NULL refuses those.
 */
void store_bind_text(sqlite3_stmt *q, int i, struct slice text)
{
	sqlite3_bind_text64(q, i, text.len > 0 ? text.p : "", text.len,
			    SQLITE_STATIC, SQLITE_UTF8);
}

void store_bind_blob(sqlite3_stmt *q, int i, struct slice bytes)
{
	sqlite3_bind_blob64(q, i, bytes.len > 0 ? bytes.p : "", bytes.len,
			    SQLITE_STATIC);
}

void store_bind_int(sqlite3_stmt *q, int i, int64_t n)
{
	sqlite3_bind_int64(q, i, n);
}

int store_step(struct store *s, sqlite3_stmt *q, struct err *err)
{
	int code = sqlite3_step(q);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : failed(s, code, err);
}

int store_run(struct store *s, sqlite3_stmt *q, struct err *err)
{
	int r = store_step(s, q, err);

	return r < 0 ? -1 : 0;
}

int64_t store_last_row(const struct store *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

struct slice store_text(sqlite3_stmt *q, int i)
{
	const char *p = sqlite3_column_blob(q, i);

	return slice_make(p, (size_t)sqlite3_column_bytes(q, i));
}

int64_t store_int(sqlite3_stmt *q, int i)
{
	return sqlite3_column_int64(q, i);
}
