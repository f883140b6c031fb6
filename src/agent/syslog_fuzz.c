/*
 * syslog_fuzz.c - whatever the fields hold: one line, printable, each field
 * where a reader of the log looks for it.
 *
 * Input: fields with NUL between them: recipient, channel, remote MTA,
 * connection, text. The first byte's bits choose form and status.
 */
#include "agent/syslog.h"

#include "base/fuzz.h"

static struct slice next(struct slice *rest)
{
	struct slice field = { 0 };

	(void)slice_cut(rest, '\0', &field);
	return field;
}

static void check_line(struct slice line, enum syslog_form form)
{
	struct slice rest;
	size_t at;

	for (size_t i = 0; i < line.len; i++)
		FUZZ_CHECK((unsigned char)line.p[i] >= ' ' ||
			   (form == SYSLOG_TABS && line.p[i] == '\t'));
	/* The recipient ends at the first '>' behind its "to=<". */
	at = slice_find_text(line, form == SYSLOG_TABS ? SLICE(":\tto=<")
						       : SLICE(": to=<"));
	FUZZ_CHECK(at < line.len);
	rest = slice_from(line, at + 6);
	at = slice_find(rest, '>');
	FUZZ_CHECK(at <= 200);
	FUZZ_CHECK(slice_find(rest, '<') > at);
	rest = slice_from(rest, at + 1);
	FUZZ_CHECK(slice_starts(rest, form == SYSLOG_TABS ? SLICE("\tdelay=")
							  : SLICE(", delay=")));
	FUZZ_CHECK(slice_find_text(rest, SLICE("stat=")) < rest.len);
}

static void check_tabs(struct slice line, bool has_relay)
{
	size_t tabs = 0;

	for (size_t i = 0; i < line.len; i++)
		tabs += line.p[i] == '\t';
	FUZZ_CHECK(tabs == (has_relay ? 6 : 5));
}

FUZZ(data, size)
{
	struct slice rest = slice_make((const char *)data, size);
	unsigned bits = size > 0 ? data[0] : 0;
	enum syslog_form form = bits & 1 ? SYSLOG_TABS : SYSLOG_CLASSIC;
	struct diag d = { .retry_after = bits };
	struct syslog_entry e = { .diag = &d,
				  .status = (enum report_status)(
				      bits / 4 % STATUS_UNKNOWN),
				  .has_conversion = (bits & 2) != 0 };
	struct str line = STR_INIT;

	rest = slice_from(rest, 1);
	e.recipient = next(&rest);
	e.channel = next(&rest);
	d.remote_mta = next(&rest);
	d.connection = next(&rest);
	d.text = next(&rest);
	/* Made of letters, digits and the like by ourselves. */
	e.spool_id = SLICE("S1");
	e.delay = e.xdelay = (int64_t)size;
	syslog_print(&line, &e, form);
	check_line(str_slice(&line), form);
	if (form == SYSLOG_TABS)
		check_tabs(str_slice(&line),
			   slice_find_text(str_slice(&line),
					   SLICE("\trelay=")) < line.len);
	FUZZ_CHECK(line.len < 1300);
	str_done(&line);
	return 0;
}
