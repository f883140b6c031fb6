/*
 * args.c - the long options of `smtp --explain`.
 */
#include "explain/explain.h"

#include "base/keyword.h"

#include <string.h>

/* Does the argument end in an option letter whose value is the next one? */
static bool takes_next(const char *arg, const char *letters)
{
	if (arg[0] != '-')
		return false;
	for (arg++; *arg != '\0'; arg++) {
		const char *letter = strchr(letters, *arg);

		if (letter != NULL && letter[1] == ':')
			return arg[1] == '\0';
	}
	return false;
}

/* The value of "--NAME=VALUE" or "--NAME VALUE"; NULL: it is another option. */
static const char *value_of(const char *name, char **argv, int argc, int *at)
{
	size_t len = strlen(name);

	if (strncmp(argv[*at], name, len) != 0)
		return NULL;
	if (argv[*at][len] == '=')
		return argv[*at] + len + 1;
	if (argv[*at][len] != '\0')
		return NULL;
	return ++*at < argc ? argv[*at] : "";
}

/*
 * Takes the argument (and its value, moving *at there) if it is one of ours.
 * -1 if its value is missing.
 */
static int take(char **argv, int argc, int *at, struct explain_request *q,
		struct err *err)
{
	const struct {
		const char *name;
		bool *flag;
		const char **value;
	} rows[] = {
		{ "--explain", &q->is_wanted, NULL },
		{ "-json", &q->is_json, NULL },
		{ "--json", &q->is_json, NULL },
		{ "--connect", &q->does_connect, NULL },
		{ "--offline", NULL, &q->offline },
		{ "--record", NULL, &q->record },
		{ "--message", NULL, &q->message },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *value;

		if (rows[i].flag != NULL) {
			if (strcmp(argv[*at], rows[i].name) != 0)
				continue;
			*rows[i].flag = true;
			return 1;
		}
		value = value_of(rows[i].name, argv, argc, at);
		if (value == NULL)
			continue;
		if (*value == '\0')
			return FAIL(err, "%s: expected a file", rows[i].name);
		*rows[i].value = value;
		return 1;
	}
	return 0;
}

int explain_take_args(int *argc, char **argv, const char *letters,
		      struct explain_request *ret, struct err *err)
{
	struct explain_request q = { 0 };
	int n = 1;

	*ret = q;
	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--explain") == 0)
			q.is_wanted = true;
		else if (takes_next(argv[i], letters))
			i++;
	}
	if (!q.is_wanted)
		return 0;
	for (int i = 1; i < *argc; i++) {
		int taken;

		if (strcmp(argv[i], "--") == 0) {
			while (i < *argc)
				argv[n++] = argv[i++];
			break;
		}
		taken = take(argv, *argc, &i, &q, err);
		if (taken < 0)
			return -1;
		if (taken > 0)
			continue;
		argv[n++] = argv[i];
		if (takes_next(argv[i], letters) && i + 1 < *argc)
			argv[n++] = argv[++i];
	}
	*argc = n;
	argv[n] = NULL;
	*ret = q;
	return 0;
}
