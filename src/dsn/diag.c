/*
 * diag.c - what became of one recipient, as data.
 *
 * One row per fate says all that follows from it (RFC 3464 2.3.3, 2.3.4).
 */
#include "dsn/diag.h"

#include "base/keyword.h"
#include "dsn/status.h"

#include <assert.h>

struct fate_row {
	unsigned class;
	const char *action;
};

static const struct fate_row fates[] = {
	[FATE_DELIVERED] = { 2, "delivered" },
	[FATE_RELAYED] = { 2, "relayed" },
	[FATE_FAILED] = { 5, "failed" },
	[FATE_DEFERRED] = { 4, "delayed" },
	[FATE_DEFERRED_ALL] = { 4, "delayed" },
	[FATE_RETRY_AT] = { 4, "delayed" },
	[FATE_DEFERRED_BACK] = { 4, "delayed" },
};

static const struct fate_row *row_of(enum fate fate)
{
	assert((size_t)fate < COUNT(fates));
	return &fates[fate];
}

struct diag *diag_copy(const struct diag *d, struct arena *a)
{
	struct diag *copy = ARENA_NEW(a, struct diag);

	*copy = *d;
	copy->status = arena_dup(a, d->status);
	copy->diagnostic = arena_dup(a, d->diagnostic);
	copy->remote_mta = arena_dup(a, d->remote_mta);
	copy->connection = arena_dup(a, d->connection);
	copy->text = arena_dup(a, d->text);
	return copy;
}

bool fate_is_success(enum fate fate)
{
	return fate_class(fate) == 2;
}

const char *fate_action(enum fate fate)
{
	return row_of(fate)->action;
}

unsigned fate_class(enum fate fate)
{
	return row_of(fate)->class;
}

void diag_fit_status(struct diag *d, struct arena *a)
{
	struct status code = { 0 };
	struct slice comment =
	    slice_trim(slice_from(d->status, status_parse(d->status, &code)));

	struct str fitted = STR_INIT;
	bool has_code = code.class != 0;

	code.class = fate_class(d->fate);
	status_print(&fitted, code);
	/* Only a comment may stand behind the code, and only behind a code. */
	if (has_code && slice_starts(comment, SLICE("("))) {
		str_addc(&fitted, ' ');
		str_add(&fitted, comment);
	}
	d->status = arena_dup(a, str_slice(&fitted));
	str_done(&fitted);
}
