/*
 * environment.c - variables that a mailer is given beside those of sm.
 */
#include "smta/environment.h"

#include "base/keyword.h"
#include "base/xtext.h"

#include <string.h>

/* ---- the value of a setting -------------------------------------------- */

/* A value is a row of pieces. */
enum piece_kind { PIECE_TEXT, PIECE_VARIABLE, PIECE_BAD };

struct piece {
	enum piece_kind kind;
	struct slice text; /* itself, or the variable's name */
};

/* How many of the first bytes could be a variable's name. */
static size_t name_len(struct slice s)
{
	size_t len = 0;

	while (len < s.len && (ascii_is_alpha(s.p[len]) || s.p[len] == '_' ||
			       (len > 0 && ascii_is_digit(s.p[len]))))
		len++;
	return len;
}

/* Cuts the sequence off *rest, which begins with '$'. */
static struct piece cut_dollar(struct slice *rest)
{
	struct piece p = { PIECE_BAD, *rest };
	bool has_brace = slice_starts(*rest, SLICE("${"));
	struct slice behind = slice_from(*rest, has_brace ? 2 : 1);
	size_t len = name_len(behind);

	*rest = slice_from(behind, len);
	if (slice_starts(behind, SLICE("$")) && !has_brace) {
		p = (struct piece){ PIECE_TEXT, SLICE("$") };
		*rest = slice_from(behind, 1);
	} else if (len > 0 && !has_brace) {
		p = (struct piece){ PIECE_VARIABLE, slice_head(behind, len) };
	} else if (len > 0 && slice_starts(*rest, SLICE("}"))) {
		p = (struct piece){ PIECE_VARIABLE, slice_head(behind, len) };
		*rest = slice_from(*rest, 1);
	}
	return p;
}

/* Cuts the next piece off *rest; false at the end. */
static bool next_piece(struct slice *rest, struct piece *ret)
{
	size_t dollar = slice_find(*rest, '$');

	if (rest->len == 0)
		return false;
	if (dollar > 0) {
		*ret = (struct piece){ PIECE_TEXT, slice_head(*rest, dollar) };
		*rest = slice_from(*rest, dollar);
	} else {
		*ret = cut_dollar(rest);
	}
	return true;
}

static const struct variable {
	const char *name;
	size_t at; /* in struct environment_facts */
	bool is_of_recipient;
} variables[] = {
	{ "ENVID", offsetof(struct environment_facts, envid), false },
	{ "ORIGINAL_RECIPIENT",
	  offsetof(struct environment_facts, original_recipient), true },
	{ "RECIPIENT", offsetof(struct environment_facts, recipient), true },
	{ "SENDER", offsetof(struct environment_facts, sender), false },
	{ "SPOOLID", offsetof(struct environment_facts, spool_id), false },
};

static const struct variable *find_variable(struct slice name)
{
	for (size_t i = 0; i < COUNT(variables); i++)
		if (slice_eq(name, slice_of(variables[i].name)))
			return &variables[i];
	return NULL;
}

/* ---- a setting --------------------------------------------------------- */

static struct slice name_of(struct slice setting)
{
	return slice_head(setting, slice_find(setting, '='));
}

static struct slice value_of(struct slice setting)
{
	return slice_from(setting, name_of(setting).len + 1);
}

int environment_check(struct slice setting, struct err *err)
{
	struct slice name = name_of(setting), rest = value_of(setting);
	struct piece p;

	if (name.len == setting.len || name.len == 0 ||
	    name_len(name) < name.len)
		return FAIL(err, "environment=%.*s: expected NAME=VALUE",
			    SLICE_ARG(setting));
	if (slice_has_control(rest))
		return FAIL(err, "environment=%.*s: a control character",
			    SLICE_ARG(name));
	while (next_piece(&rest, &p)) {
		if (p.kind == PIECE_BAD)
			return FAIL(err,
				    "environment=%.*s: '$' is written $$, a "
				    "variable $NAME or ${NAME}",
				    SLICE_ARG(name));
		if (p.kind == PIECE_VARIABLE && find_variable(p.text) == NULL)
			return FAIL(err,
				    "environment=%.*s: there is no ${%.*s}",
				    SLICE_ARG(name), SLICE_ARG(p.text));
	}
	return 0;
}

bool environment_names_recipient(struct slice setting)
{
	struct slice rest = value_of(setting);
	struct piece p;

	while (next_piece(&rest, &p)) {
		const struct variable *v =
		    p.kind == PIECE_VARIABLE ? find_variable(p.text) : NULL;

		if (v != NULL && v->is_of_recipient)
			return true;
	}
	return false;
}

/* "NAME=" and the value as it is for this run. */
static char *expand(struct slice setting, const struct environment_facts *facts,
		    struct arena *a)
{
	struct slice rest = value_of(setting), ret;
	struct str text = STR_INIT;
	struct piece p;

	str_add(&text, name_of(setting));
	str_addc(&text, '=');
	while (next_piece(&rest, &p)) {
		const struct variable *v =
		    p.kind == PIECE_VARIABLE ? find_variable(p.text) : NULL;
		struct slice value = p.text;

		if (v != NULL)
			memcpy(&value, (const char *)facts + v->at,
			       sizeof(value));
		str_add_clean(&text, value, SIZE_MAX);
	}
	ret = arena_dup(a, str_slice(&text));
	str_done(&text);
	return (char *)ret.p; /* the arena's own copy */
}

char *const *environment_make(char *const *inherited,
			      const struct slice *settings, size_t n,
			      const struct environment_facts *facts,
			      struct arena *a)
{
	size_t count = 0;
	char **ret;

	while (inherited[count] != NULL)
		count++;
	ret = arena_array(a, count + n + 1, sizeof(*ret));
	memcpy(ret, inherited, count * sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		struct slice begin =
		    slice_head(settings[i], name_of(settings[i]).len + 1);
		size_t at = 0;

		while (at < count && !slice_starts(slice_of(ret[at]), begin))
			at++;
		ret[at] = expand(settings[i], facts, a);
		if (at == count)
			count++;
	}
	return ret;
}

/* ---- values ------------------------------------------------------------ */

struct slice environment_envid(struct slice xtext, struct arena *a)
{
	struct str plain = STR_INIT;
	struct slice ret = { 0 };

	if (xtext_decode(&plain, xtext))
		ret = arena_dup(a, str_slice(&plain));
	str_done(&plain);
	return ret;
}

struct slice environment_original_recipient(const struct ctl_rcpt *r,
					    struct arena *a)
{
	size_t semicolon = slice_find(r->dsn.orcpt, ';');
	struct slice type = slice_head(r->dsn.orcpt, semicolon);
	struct slice xtext = slice_from(r->dsn.orcpt, semicolon + 1);
	struct slice ret = r->address.user;
	struct str plain = STR_INIT;

	if (!slice_eq_nocase(type, SLICE("rfc822"))) {
		str_add(&plain, type);
		str_addc(&plain, ';');
	}
	if (type.len > 0 && xtext.len > 0 && xtext_decode(&plain, xtext))
		ret = arena_dup(a, str_slice(&plain));
	str_done(&plain);
	return ret;
}
