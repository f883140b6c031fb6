/*
 * secrets.c - accounts at hosts.
 *
 * The third word of a line tells its form: "KEYWORD=" cannot begin base64 of
 * anything, since '=' stands only at the end of it, behind a number of letters
 * that no keyword has.
 */
#include "conf/secrets.h"

#include "base/b64.h"
#include "base/fd.h"
#include "base/keyword.h"
#include "conf/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SECRETS_FILE_MAX = 1024 * 1024 };

/* ---- the file ----------------------------------------------------------- */

/* Why a file must not be relied on; NULL: it may. */
static const char *objection(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs neither to root nor to us";
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return "is open to others than its owner: its mode must be "
		       "0600 or 0400";
	return NULL;
}

int secrets_read(const char *file, struct secrets *ret, struct err *err)
{
	struct secrets s = { .file = file };
	const char *why;
	int r = -1, how = -1;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
				O_NOFOLLOW);

	if (fd < 0 && errno == ELOOP) {
		r = FAIL_CODE(err, errno, "%s: is a symbolic link", file);
		goto out;
	}
	if (fd < 0 || fstat(fd, &s.state) < 0) {
		r = FAIL_CODE(err, errno, "%s: %s", file, strerror(errno));
		goto out;
	}
	why = objection(&s.state);
	if (why != NULL) {
		r = FAIL(err, "%s: %s", file, why);
		goto out;
	}
	how =
	    fd_read_all(fd, (size_t)s.state.st_size, SECRETS_FILE_MAX, &s.text);
	if (how != 0) {
		r = how > 0 ? FAIL(err, "%s: larger than %d bytes", file,
				   (int)SECRETS_FILE_MAX)
			    : FAIL_CODE(err, errno, "%s: %s", file,
					strerror(errno));
		goto out;
	}
	*ret = s;
	s.text = STR_INIT; /* given to *ret */
	r = 0;
out:
	fd_close(fd);
	str_wipe(&s.text);
	return r;
}

bool secrets_is_current(const struct secrets *s)
{
	struct stat now;

	return s->file != NULL && lstat(s->file, &now) == 0 &&
	       now.st_dev == s->state.st_dev && now.st_ino == s->state.st_ino &&
	       now.st_size == s->state.st_size &&
	       now.st_mode == s->state.st_mode &&
	       now.st_uid == s->state.st_uid &&
	       now.st_mtim.tv_sec == s->state.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == s->state.st_mtim.tv_nsec &&
	       now.st_ctim.tv_sec == s->state.st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == s->state.st_ctim.tv_nsec;
}

void secrets_done(struct secrets *s)
{
	str_wipe(&s->text);
	*s = (struct secrets){ 0 };
}

void secrets_entry_done(struct secrets_entry *e)
{
	str_wipe(&e->user);
	str_wipe(&e->secret);
	str_wipe(&e->command);
	str_done(&e->mechanisms);
	*e = (struct secrets_entry){ 0 };
}

/* ---- one line ----------------------------------------------------------- */

enum setting { USER, SECRET, COMMAND, MECHANISM, OVER, SETTINGS };

/* clang-format off */
static const struct keyword secrets_words[] = {
	{ "user", USER },
	{ "secret", SECRET },
	{ "command", COMMAND },
	{ "mechanism", MECHANISM },
	{ "over", OVER },
};

static const struct keyword secrets_overs[] = {
	{ "verified", SECRETS_OVER_VERIFIED },
	{ "encrypted", SECRETS_OVER_ENCRYPTED },
	{ "clear", SECRETS_OVER_CLEAR },
};
/* clang-format on */

/* A line that is being read. */
struct reading {
	const char *file;
	struct slice rest;
	struct secrets_entry entry;
	bool has[SETTINGS];
};

static int bad_line(const struct reading *r, const char *what, struct err *err)
{
	return FAIL(err, "%s:%u: %s", r->file, r->entry.line, what);
}

static const struct keyword *keyword_of(struct slice word)
{
	size_t at = slice_find(word, '=');

	if (at == word.len)
		return NULL;
	return keyword_find(secrets_words, COUNT(secrets_words),
			    slice_head(word, at));
}

static struct slice skip_blanks(struct slice s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_from(s, 1);
	return s;
}

/* Takes a quoted value off *rest, behind its first quote. */
static bool take_quoted(struct slice *rest, struct str *value)
{
	struct slice in = *rest;

	for (size_t i = 0; i < in.len; i++) {
		if (in.p[i] == '"') {
			*rest = slice_from(in, i + 1);
			return rest->len == 0 || rest->p[0] == ' ' ||
			       rest->p[0] == '\t';
		}
		if (in.p[i] == '\\' && ++i == in.len)
			return false;
		str_addc(value, in.p[i]);
	}
	return false;
}

static bool take_value(struct slice *rest, struct str *value)
{
	size_t n = 0;

	str_reserve(value, rest->len);
	if (rest->len > 0 && rest->p[0] == '"') {
		*rest = slice_from(*rest, 1);
		return take_quoted(rest, value);
	}
	while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t') {
		if (rest->p[n] == '"')
			return false;
		n++;
	}
	str_add(value, slice_head(*rest, n));
	*rest = slice_from(*rest, n);
	return true;
}

static int set_over(struct reading *r, struct slice value, struct err *err)
{
	const struct keyword *row =
	    keyword_find(secrets_overs, COUNT(secrets_overs), value);

	if (row == NULL)
		return bad_line(r, "over= is verified, encrypted or clear",
				err);
	r->entry.over = (enum secrets_over)row->value;
	return 0;
}

/* Commas are as good as blanks. */
static int set_mechanisms(struct reading *r, struct str *value)
{
	for (size_t i = 0; i < value->len; i++)
		if (value->p[i] == ',')
			value->p[i] = ' ';
	r->entry.mechanisms = *value;
	*value = STR_INIT;
	return 0;
}

static int set_command(struct reading *r, struct str *value, struct err *err)
{
	if (value->p[0] != '/')
		return bad_line(r, "command= needs a path from / on", err);
	r->entry.command = *value;
	*value = STR_INIT;
	return 0;
}

static int set(struct reading *r, enum setting which, struct str *value,
	       struct err *err)
{
	if (value->len == 0)
		return bad_line(r, "a setting without a value", err);
	if (r->has[which])
		return bad_line(r, "a setting stands there twice", err);
	r->has[which] = true;
	if (which == OVER)
		return set_over(r, str_slice(value), err);
	if (which == MECHANISM)
		return set_mechanisms(r, value);
	if (which == COMMAND)
		return set_command(r, value, err);
	if (which == USER)
		r->entry.user = *value;
	else
		r->entry.secret = *value;
	*value = STR_INIT;
	return 0;
}

static int read_setting(struct reading *r, struct err *err)
{
	const struct keyword *row;
	struct str value = STR_INIT;
	struct slice word = { 0 };
	int done;

	(void)slice_word(&(struct slice){ r->rest.p, r->rest.len }, &word);
	row = keyword_of(word);
	if (row == NULL)
		return bad_line(r,
				"unknown setting (there are user=, secret=, "
				"command=, mechanism= and over=)",
				err);
	r->rest = slice_from(r->rest, slice_find(r->rest, '=') + 1);
	if (!take_value(&r->rest, &value))
		done = bad_line(r,
				"a quote in the wrong place, or without its "
				"end",
				err);
	else
		done = set(r, (enum setting)row->value, &value, err);
	r->rest = skip_blanks(r->rest);
	str_wipe(&value);
	return done;
}

static int read_settings(struct reading *r, struct err *err)
{
	while (r->rest.len > 0)
		if (read_setting(r, err) < 0)
			return -1;
	if (r->has[SECRET] && r->has[COMMAND])
		return bad_line(r, "both secret= and command=", err);
	if ((r->has[SECRET] || r->has[COMMAND]) && !r->has[USER])
		return bad_line(r, "no user=", err);
	if (!r->has[SECRET] && !r->has[COMMAND] && !r->has[MECHANISM])
		return bad_line(r, "neither secret= nor command=", err);
	return 0;
}

static int read_old(struct reading *r, struct err *err)
{
	struct slice word;

	if (!slice_word(&r->rest, &word))
		return bad_line(r, "no user", err);
	if (!b64_read(word, &r->entry.user))
		return bad_line(r,
				"the user is not base64, and no setting "
				"(user=NAME) either",
				err);
	if (!slice_word(&r->rest, &word))
		return bad_line(r, "no secret", err);
	if (!b64_read(word, &r->entry.secret))
		return bad_line(r, "the secret is not base64", err);
	return 0;
}

static int read_entry(struct reading *r, struct err *err)
{
	struct slice word = { 0 };

	if (slice_has(r->rest, '\0'))
		return bad_line(r, "a NUL in the line", err);
	r->rest = skip_blanks(r->rest);
	(void)slice_word(&(struct slice){ r->rest.p, r->rest.len }, &word);
	if (keyword_of(word) != NULL)
		return read_settings(r, err);
	return read_old(r, err);
}

/* A dot at the end of a name changes nothing (RFC 1034 3.1). */
static struct slice without_dot(struct slice name)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

/* Is it the line of a channel and a host? Then *line is what is behind them. */
static bool is_line_of(struct slice *line, struct slice channel,
		       struct slice host)
{
	struct slice rest = *line, word;

	if (!slice_word(&rest, &word) || word.p[0] == '#')
		return false;
	if (!slice_eq(word, SLICE("*")) && !slice_eq(word, channel))
		return false;
	if (!slice_word(&rest, &word) ||
	    !slice_eq_nocase(without_dot(word), without_dot(host)))
		return false;
	*line = rest;
	return true;
}

int secrets_find(const struct secrets *s, struct slice channel,
		 struct slice host, struct secrets_entry *ret, struct err *err)
{
	struct slice text = str_slice(&s->text);
	struct reading r = { .file = s->file };

	while (textfile_line(&text, &r.rest, &r.entry.line)) {
		if (!is_line_of(&r.rest, channel, host))
			continue;
		if (read_entry(&r, err) < 0) {
			secrets_entry_done(&r.entry);
			return -1;
		}
		*ret = r.entry;
		return 1;
	}
	return 0;
}
