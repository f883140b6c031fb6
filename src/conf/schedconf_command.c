/*
 * schedconf_command.c - the words of command=.
 *
 *	command = *( NAME "=" value ) program *argument
 */
#include "conf/schedconf.h"

#include "base/str.h"

#include <string.h>

/* What ${name} is; false: nothing of that name. */
static bool find_value(struct slice name, const struct schedconf_for *who,
		       struct slice *ret)
{
	if (slice_eq(name, SLICE("channel")))
		*ret = who->channel;
	else if (slice_eq(name, SLICE("host")))
		*ret = who->host;
	else
		return zenv_find(who->zenv, name, ret);
	return true;
}

static int expand(struct slice word, const struct schedconf_for *who,
		  struct str *to, struct err *err)
{
	struct slice value;

	if (slice_eq(word, SLICE("$channel")) ||
	    slice_eq(word, SLICE("$host"))) {
		str_add(to, word.p[1] == 'h' ? who->host : who->channel);
		return 0;
	}
	while (word.len > 0) {
		size_t at = slice_find_text(word, SLICE("${"));
		struct slice name = slice_from(word, at + 2);
		size_t end = slice_find(name, '}');

		str_add(to, slice_head(word, at));
		if (at == word.len)
			break;
		if (end == name.len)
			return FAIL(err, "command: a \"${\" without its \"}\"");
		name = slice_head(name, end);
		if (!find_value(name, who, &value))
			return FAIL(err, "command: ${%.*s} is not set",
				    SLICE_ARG(name));
		str_add(to, value);
		word = slice_from(word, at + 2 + end + 1);
	}
	return 0;
}

/* A host is text from outside: as an argument it could be an option. */
static bool is_host_option(struct slice word, struct slice made)
{
	bool is_host = slice_eq(word, SLICE("$host")) ||
		       slice_starts(word, SLICE("${host}"));

	return is_host && made.len > 1 && made.p[0] == '-';
}

/* One word as a C string of the arena; NULL with err filled. */
static char *make_word(struct slice word, const struct schedconf_for *who,
		       struct arena *a, struct err *err)
{
	struct str text = STR_INIT;
	char *made = NULL;

	if (expand(word, who, &text, err) < 0) {
		/* It says why. */
	} else if (is_host_option(word, str_slice(&text))) {
		err_set(err, 0, "command: host '%.*s' begins with '-'",
			SLICE_ARG(who->host));
	} else {
		made = arena_alloc(a, text.len + 1);
		memcpy(made, str_cstr(&text), text.len + 1);
	}
	str_done(&text);
	return made;
}

int schedconf_command(struct slice command, const struct schedconf_for *who,
		      struct arena *a, struct schedconf_command *ret,
		      struct err *err)
{
	const size_t room = SCHEDCONF_WORDS_MAX + 1;
	struct schedconf_command c = {
		.environment = arena_array(a, room, sizeof(char *)),
		.argv = arena_array(a, room, sizeof(char *)),
	};
	size_t n_env = 0, n_args = 0;
	struct slice word;

	while (slice_word(&command, &word)) {
		char *made = make_word(word, who, a, err);

		if (made == NULL)
			return -1;
		if (n_env + n_args == SCHEDCONF_WORDS_MAX)
			return FAIL(err, "command: more than %d words",
				    SCHEDCONF_WORDS_MAX);
		if (n_args == 0 && slice_has(word, '='))
			c.environment[n_env++] = made;
		else
			c.argv[n_args++] = made;
	}
	if (n_args == 0 || c.argv[0][0] == '\0')
		return FAIL(err, "command: no program");
	*ret = c;
	return 0;
}
