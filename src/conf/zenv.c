/*
 * zenv.c - the ZENV variables of zmailer.conf(5).
 *
 *	file  = *( line ( LF / NUL ) )
 *	line  = name "=" *blank value *blank [ CR ]	; from column 0
 *	name  = ( letter / "_" ) *( letter / digit / "_" )
 *	value = *byte / DQUOTE *byte DQUOTE / "'" *byte "'"
 *
 * The variables are sorted by name and, within a name, by line, so that the
 * first line of a name is the first of its run. All values are expanded at
 * once after reading: nothing changes and nothing is allocated later.
 */
#include "conf/zenv.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct var {
	struct slice name;
	struct slice raw;   /* as written, trimmed and unquoted */
	struct slice value; /* expanded; a NUL stands behind it */
	unsigned line;	    /* 0: a compiled default */
};

struct zenv {
	const char *file;
	struct var *vars; /* sorted */
	size_t n_vars;
	struct slice warning;
};

/* The values of the build that the manuals describe. */
static const struct {
	const char *name, *value;
} defaults[] = {
	{ "ZCONFIG", ZENV_DEFAULT_FILE },
	{ "MAILBIN", "/usr/lib/zmailer" },
	{ "MAILSHARE", "/etc/zmailer" },
	{ "MAILVAR", "/etc/zmailer" },
	{ "POSTOFFICE", "/var/spool/postoffice" },
	{ "LOGDIR", "/var/log/mail" },
};

/* ---- reading ----------------------------------------------------------- */

static bool is_name_byte(char c, bool is_first)
{
	return ascii_is_alpha(c) || c == '_' ||
	       (!is_first && ascii_is_digit(c));
}

static bool is_name(struct slice s)
{
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_byte(s.p[i], i == 0))
			return false;
	return true;
}

/* Cuts a line at LF or NUL off *rest; false when nothing is left. */
static bool next_line(struct slice *rest, struct slice *ret_line)
{
	size_t end;

	if (rest->len == 0)
		return false;
	end = slice_find(*rest, '\n');
	end = slice_find(slice_head(*rest, end), '\0');
	*ret_line = slice_head(*rest, end);
	*rest = slice_from(*rest, end + 1);
	return true;
}

static struct slice trim_value(struct slice v)
{
	v = slice_trim(v);
	while (v.len > 0 && v.p[v.len - 1] == '\r')
		v = slice_trim(slice_head(v, v.len - 1));
	if (v.len >= 2 && (v.p[0] == '"' || v.p[0] == '\'') &&
	    v.p[v.len - 1] == v.p[0])
		v = slice_make(v.p + 1, v.len - 2);
	return v;
}

/* By name; of one name the line that stands first, a default last. */
static int by_name_and_line(const void *left, const void *right)
{
	const struct var *a = left, *b = right;
	int order = slice_order(a->name, b->name);

	if (order != 0)
		return order;
	/* line 0, a default, becomes the largest unsigned number */
	return (a->line - 1 > b->line - 1) - (a->line - 1 < b->line - 1);
}

static const struct var *find_var(const struct zenv *z, struct slice name)
{
	size_t low = 0, high = z->n_vars;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_order(z->vars[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < z->n_vars && slice_eq(z->vars[low].name, name))
		return &z->vars[low];
	return NULL;
}

/* ---- expansion --------------------------------------------------------- */

/*
 * Cuts the next piece off *rest: text to be taken as it is, or the name of a
 * variable. False when nothing is left. A "${" without "}" is text, told by
 * *ret_is_open.
 */
static bool next_piece(struct slice *rest, struct slice *ret_piece,
		       bool *ret_is_name, bool *ret_is_open)
{
	size_t at, end;

	*ret_is_name = *ret_is_open = false;
	if (rest->len == 0)
		return false;
	at = slice_find_text(*rest, SLICE("${"));
	if (at > 0) {
		*ret_piece = slice_head(*rest, at);
		*rest = slice_from(*rest, at);
		return true;
	}
	end = slice_find(*rest, '}');
	if (end == rest->len) {
		*ret_is_open = true;
		*ret_piece = *rest;
		*rest = slice_from(*rest, rest->len);
		return true;
	}
	*ret_is_name = true;
	*ret_piece = slice_from(slice_head(*rest, end), 2);
	*rest = slice_from(*rest, end + 1);
	return true;
}

/* One value being expanded, with what is left of its bounds. */
struct expansion {
	const struct zenv *z;
	struct str *to;
	size_t uses;
	const char *trouble; /* NULL: none so far */
};

static void expand_raw(struct expansion *x, struct slice raw, unsigned depth)
{
	struct slice piece;
	bool is_var, is_open;

	while (x->trouble == NULL &&
	       next_piece(&raw, &piece, &is_var, &is_open)) {
		const struct var *var = is_var ? find_var(x->z, piece) : NULL;

		if (is_open)
			x->trouble = "\"${\" without \"}\"";
		if (!is_var && x->to->len + piece.len > ZENV_VALUE_MAX) {
			x->trouble = "the value is too long when expanded";
			return;
		}
		if (!is_var) {
			str_add(x->to, piece);
			continue;
		}
		if (depth == ZENV_DEPTH_MAX)
			x->trouble = "${} is nested too deep";
		else if (++x->uses > ZENV_USES_MAX)
			x->trouble = "too many ${} to expand";
		else if (var != NULL)
			expand_raw(x, var->raw, depth + 1);
	}
}

static void expand_all(struct zenv *z, struct arena *a)
{
	struct str text = STR_INIT;
	unsigned warned_line = 0;

	for (size_t i = 0; i < z->n_vars; i++) {
		struct var *var = &z->vars[i];
		struct expansion x = { .z = z, .to = &text };

		str_clear(&text);
		expand_raw(&x, var->raw, 0);
		var->value = arena_dup(a, str_slice(&text));
		if (x.trouble == NULL ||
		    (warned_line > 0 && warned_line < var->line))
			continue;
		warned_line = var->line;
		z->warning =
		    arena_printf(a, "%s:%u: %.*s: %s", z->file, var->line,
				 SLICE_ARG(var->name), x.trouble);
	}
	str_done(&text);
}

/* ---- the interface ----------------------------------------------------- */

struct zenv *zenv_parse(struct slice text, const char *name, struct arena *a)
{
	struct zenv *z = ARENA_NEW(a, struct zenv);
	struct var *vars = NULL;
	struct slice line;
	size_t n = 0, cap = 0;
	unsigned number = 0;

	z->file = arena_cstr(a, slice_of(name));
	while (next_line(&text, &line)) {
		size_t equals = slice_find(line, '=');

		number++;
		if (equals == line.len || !is_name(slice_head(line, equals)))
			continue;
		vars = mem_grow(vars, &cap, n + 1, sizeof(*vars));
		vars[n++] = (struct var){
			.name = arena_dup(a, slice_head(line, equals)),
			.raw = arena_dup(
			    a, trim_value(slice_from(line, equals + 1))),
			.line = number
		};
	}
	vars = mem_grow(vars, &cap, n + COUNT(defaults), sizeof(*vars));
	for (size_t i = 0; i < COUNT(defaults); i++)
		vars[n++] = (struct var){ .name = slice_of(defaults[i].name),
					  .raw = slice_of(defaults[i].value) };
	qsort(vars, n, sizeof(*vars), by_name_and_line);
	z->vars = arena_array(a, n, sizeof(*vars));
	memcpy(z->vars, vars, n * sizeof(*vars));
	z->n_vars = n;
	free(vars);
	expand_all(z, a);
	return z;
}

/*
 * Reads one file. Returns 0, 1 with a warning in err, or -1 with err filled
 * if it cannot be read.
 */
static int load_file(const char *file, struct arena *a, struct zenv **ret,
		     struct err *err)
{
	struct str text = STR_INIT;
	struct stat st;
	int r = -1, how = -1;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    (how = fd_read_all(fd, (size_t)st.st_size, ZENV_FILE_MAX, &text)) <
		0) {
		r = FAIL_CODE(err, errno, "%s: %s", file, strerror(errno));
		goto out;
	}
	if (how > 0) {
		r = FAIL_CODE(err, EFBIG, "%s: larger than %d bytes", file,
			      (int)ZENV_FILE_MAX);
		goto out;
	}
	*ret = zenv_parse(str_slice(&text), file, a);
	r = 0;
	if (geteuid() == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		err_set(err, 0, "%s: others than its owner can write it", file);
		r = 1;
	} else if ((*ret)->warning.len > 0) {
		err_set(err, 0, "%s", (*ret)->warning.p);
		r = 1;
	}
out:
	fd_close(fd);
	str_done(&text);
	return r;
}

int zenv_load(const char *zconfig, struct arena *a, struct zenv **ret,
	      struct err *err)
{
	struct err second = { 0 };
	bool has_first = zconfig != NULL && zconfig[0] != '\0';
	int r;

	if (has_first) {
		r = load_file(zconfig, a, ret, err);
		if (r >= 0)
			return r;
	}
	r = load_file(ZENV_DEFAULT_FILE, a, ret, &second);
	if (r < 0)
		*ret = zenv_parse(slice_make(NULL, 0), "", a);
	if (has_first)
		return 1; /* err says why that file was not read */
	if (r == 0 || (r < 0 && second.code == ENOENT))
		return 0;
	if (err != NULL)
		*err = second;
	return 1;
}

bool zenv_find(const struct zenv *z, struct slice name, struct slice *ret)
{
	const struct var *var = find_var(z, name);

	if (var == NULL)
		return false;
	*ret = var->value;
	return true;
}

bool zenv_get(const struct zenv *z, const char *name, struct slice *ret)
{
	return zenv_find(z, slice_of(name), ret);
}

const char *zenv_cstr(const struct zenv *z, const char *name)
{
	const struct var *var = find_var(z, slice_of(name));

	return var != NULL ? var->value.p : NULL;
}

bool zenv_expand(const struct zenv *z, struct slice text, struct str *to)
{
	struct slice piece, value;
	bool is_var, is_open, is_good = true;

	while (next_piece(&text, &piece, &is_var, &is_open)) {
		if (is_open)
			is_good = false;
		if (!is_var)
			str_add(to, piece);
		else if (zenv_find(z, piece, &value))
			str_add(to, value);
		else
			is_good = false;
	}
	return is_good;
}

const char *zenv_file(const struct zenv *z)
{
	return z->file;
}

const char *zenv_warning(const struct zenv *z)
{
	return z->warning.p != NULL ? z->warning.p : "";
}
