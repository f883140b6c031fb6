/*
 * complete.c - what a submitted header lacks.
 */
#include "subm/complete.h"

#include "mime/header.h"
#include "mime/rfc2047.h"

#include <time.h>

int subm_check_loop(struct slice fields, struct err *err)
{
	struct header_field field;
	unsigned n = 0;

	while (header_next(&fields, &field))
		n += header_is(&field, "Received");
	if (n < SUBM_RECEIVED_MAX)
		return 0;
	return FAIL(err,
		    "5.4.6 the message has %u Received fields: it goes round"
		    " in circles",
		    n);
}

void subm_strip(struct str *to, struct slice fields)
{
	static const char *const secret[] = { "Bcc", "Resent-Bcc",
					      "Return-Path", NULL };
	struct header_field field;

	while (header_next(&fields, &field))
		if (!header_is_one_of(&field, secret)) {
			str_add(to, field.all);
			str_addc(to, '\n');
		}
}

/* ---- a From field ------------------------------------------------------- */

static bool is_atoms(struct slice name)
{
	static const char plain[] = "!#$%&'*+-/=?^_`{|}~ ";

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alpha(name.p[i]) && !ascii_is_digit(name.p[i]) &&
		    !slice_has(slice_of(plain), name.p[i]))
			return false;
	return true;
}

/* A phrase: as it stands if it may, else a quoted string. */
static void add_phrase(struct str *to, struct slice name)
{
	struct str clean = STR_INIT;

	str_add_clean(&clean, name, 200);
	name = slice_trim(str_slice(&clean));
	if (is_atoms(name)) {
		str_add(to, name);
	} else {
		str_addc(to, '"');
		for (size_t i = 0; i < name.len; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\')
				str_addc(to, '\\');
			str_addc(to, name.p[i]);
		}
		str_addc(to, '"');
	}
	str_done(&clean);
}

static void add_from(struct str *to, const struct subm_completion *c)
{
	struct str line = STR_INIT;

	str_adds(&line, "From: ");
	if (c->sender.len == 0) {
		str_addf(&line, "Mail Delivery System <MAILER-DAEMON@%.*s>",
			 SLICE_ARG(c->mail_name));
	} else if (c->full_name.len > 0) {
		add_phrase(&line, c->full_name);
		str_addf(&line, " <%.*s>", SLICE_ARG(c->sender));
	} else {
		str_add(&line, c->sender);
	}
	if (!rfc2047_convert(to, str_slice(&line), SLICE("UTF-8")))
		str_add(to, str_slice(&line));
	str_addc(to, '\n');
	str_done(&line);
}

/* ------------------------------------------------------------------------- */

void subm_complete(struct str *to, struct slice fields,
		   const struct subm_completion *c)
{
	bool has_date = false, has_from = false, has_id = false;
	struct slice rest = fields;
	struct header_field field;

	while (header_next(&rest, &field)) {
		has_date |= header_is(&field, "Date");
		has_from |= header_is(&field, "From");
		has_id |= header_is(&field, "Message-ID");
	}
	str_addf(to,
		 "Received: by %.*s (Zpost, from userid %ju)\n\tid %.*s;"
		 " %.*s\n",
		 SLICE_ARG(c->host_name), (uintmax_t)c->uid,
		 SLICE_ARG(c->spool_id), SLICE_ARG(c->date));
	if (!has_date)
		str_addf(to, "Date: %.*s\n", SLICE_ARG(c->date));
	if (!has_from)
		add_from(to, c);
	if (!has_id)
		str_addf(to, "Message-ID: <%.*s@%.*s>\n",
			 SLICE_ARG(c->spool_id), SLICE_ARG(c->mail_name));
	str_add(to, fields);
}

void subm_date_print(struct str *to, int64_t seconds)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)seconds;
	struct tm tm = { 0 };
	long zone;

	localtime_r(&t, &tm);
	zone = tm.tm_gmtoff / 60;
	str_addf(to, "%.3s, %d %.3s %d %02d:%02d:%02d %c%02ld%02ld",
		 days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 zone < 0 ? '-' : '+', (zone < 0 ? -zone : zone) / 60,
		 (zone < 0 ? -zone : zone) % 60);
}
