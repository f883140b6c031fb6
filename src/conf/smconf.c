/*
 * smconf.c - sm.conf(5): how each mailer is run.
 *
 *	file  = *( line LF )
 *	line  = mailer WS flags WS path WS argv0 *( WS arg ) [ CR ]
 *	WS    = 1*( SP / TAB )
 *
 * Only the entry that is asked for is judged: what is wrong with another
 * one's line is no reason not to deliver. A NUL can stand in no word, since
 * words become C strings of an argument vector.
 */
#include "conf/smconf.h"

#include "base/mem.h"
#include "conf/textfile.h"

#include <stdlib.h>
#include <string.h>

/* Far more than any configuration; a device file must not fill memory. */
enum { SMCONF_FILE_MAX = 16 * 1024 * 1024 };

static bool is_ignored(struct slice line)
{
	return line.len == 0 || line.p[0] == '#' || line.p[0] == ' ' ||
	       line.p[0] == '\t';
}

/* Splits rest into words; the array lives in a. */
static void split_words(struct slice rest, struct arena *a,
			struct smconf_mailer *m)
{
	struct slice *words = NULL, word;
	size_t n = 0, cap = 0;

	while (slice_word(&rest, &word)) {
		words = mem_grow(words, &cap, n + 1, sizeof(*words));
		words[n++] = word;
	}
	m->argv = arena_array(a, n, sizeof(*words));
	if (n > 0)
		memcpy(m->argv, words, n * sizeof(*words));
	m->argc = n;
	free(words);
}

/* Reads what stands behind the mailer's name. */
static int read_entry(struct slice rest, const char *file, struct arena *a,
		      struct smconf_mailer *m, struct err *err)
{
	const char *missing = NULL;

	if (slice_has(rest, '\0'))
		return FAIL(err, "%s:%u: mailer '%.*s': a NUL in the line",
			    file, m->line, SLICE_ARG(m->name));
	if (!slice_word(&rest, &m->flags))
		missing = "flags (\"-\" for none)";
	else if (!slice_word(&rest, &m->path))
		missing = "path of the program";
	else
		split_words(rest, a, m);
	if (missing == NULL && m->argc == 0)
		missing = "argv[0], the program's own name";
	if (missing != NULL)
		return FAIL(err, "%s:%u: mailer '%.*s': no %s", file, m->line,
			    SLICE_ARG(m->name), missing);
	return 0;
}

int smconf_find(struct smconf_source source, struct slice mailer,
		struct arena *a, struct smconf_mailer *ret, struct err *err)
{
	struct smconf_mailer m = { 0 };
	struct slice line;

	while (slice_cut(&source.text, '\n', &line)) {
		m.line++;
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (is_ignored(line) || !slice_word(&line, &m.name) ||
		    !slice_eq(m.name, mailer))
			continue;
		if (read_entry(line, source.file, a, &m, err) < 0)
			return -1;
		*ret = m;
		return 0;
	}
	return FAIL(err, "mailer '%.*s' not found in %s", SLICE_ARG(mailer),
		    source.file);
}

int smconf_load(const char *file, struct slice mailer, struct arena *a,
		struct smconf_mailer *ret, struct err *err)
{
	struct textfile text;

	if (textfile_read(file, SMCONF_FILE_MAX, a, &text, err) < 0)
		return -1;
	return smconf_find((struct smconf_source){ text.text, file }, mailer, a,
			   ret, err);
}
