/*
 * loop.c - a message that comes back is not delivered again.
 */
#include "smta/loop.h"

#include "mime/header.h"

void loop_add_address(struct str *to, const struct ctl_rcpt *rcpt,
		      struct slice host_name)
{
	struct slice user = rcpt->address.user;

	str_add_clean(to, user, SIZE_MAX);
	if (!slice_has(user, '@')) {
		str_addc(to, '@');
		str_add_clean(to, host_name, SIZE_MAX);
	}
}

/* A field's only word, wherever it was folded. */
static bool is_address(struct slice body, struct slice address)
{
	struct slice line;
	bool has_word = false;

	while (slice_cut(&body, '\n', &line)) {
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		line = slice_trim(line);
		if (line.len == 0)
			continue;
		if (has_word || !slice_eq_nocase(line, address))
			return false;
		has_word = true;
	}
	return has_word;
}

bool loop_is_closed(const struct ctl_rcpt *rcpt, struct slice host_name,
		    struct arena *a, struct diag *ret)
{
	struct slice rest = rcpt->header->text, address;
	struct str text = STR_INIT, field = STR_INIT;
	struct header_field f;
	bool is_found = false;

	loop_add_address(&text, rcpt, host_name);
	address = str_slice(&text);
	while (!is_found && header_next(&rest, &f)) {
		/* Cleaned before it is judged: a NUL must not hide a name. */
		str_clear(&field);
		header_add_clean(&field, f.all, false);
		f = header_field_of(str_slice(&field));
		is_found = header_is(&f, "Delivered-To") &&
			   is_address(f.body, address);
	}
	str_done(&field);
	if (is_found)
		*ret = (struct diag){
			.fate = FATE_FAILED,
			.reason = "mail-loop",
			.status = SLICE("5.4.6 (mail forwarding loop)"),
			.diagnostic =
			    SLICE("x-local; 554 (mail forwarding loop)"),
			.text = arena_printf(a,
					     "mail forwarding loop: it was "
					     "delivered to %.*s before",
					     SLICE_ARG(address)),
		};
	str_done(&text);
	return is_found;
}
