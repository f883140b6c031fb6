/*
 * title.c - progress in the process title.
 */
#include "agent/title.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PART_MAX = 30 };

void title_done(struct title *t)
{
	str_done(&t->address);
	str_done(&t->host);
	str_done(&t->text);
}

bool title_is_shown(const struct title *t)
{
	return t->show != NULL;
}

void title_set_peer(struct title *t, struct slice address, struct slice host,
		    bool is_connected)
{
	if (t->show == NULL)
		return;
	str_clear(&t->address);
	str_add(&t->address, address);
	str_clear(&t->host);
	str_add(&t->host, host);
	t->is_connected = is_connected;
}

void title_print(struct str *to, const struct title *t, struct slice text)
{
	str_adds(to, t->is_connected ? ">" : ">[");
	str_add_clean(to, str_slice(&t->address), PART_MAX);
	str_adds(to, t->is_connected ? " " : "] ");
	str_add_clean(to, str_slice(&t->host), PART_MAX);
	if (!t->is_connected)
		str_addc(to, ' ');
	str_add_clean(to, text, SIZE_MAX);
}

void title_say(struct title *t, const char *format, ...)
{
	char *said = NULL;
	va_list ap;
	int n;

	if (t->show == NULL)
		return;
	va_start(ap, format);
	n = vasprintf(&said, format, ap);
	va_end(ap);
	if (n < 0)
		mem_exhausted();
	str_clear(&t->text);
	title_print(&t->text, t, slice_make(said, (size_t)n));
	t->show(str_cstr(&t->text));
	free(said);
}
