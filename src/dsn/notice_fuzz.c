/*
 * notice_fuzz.c - any texts in a report: no line of the program's part, and no
 * header field, that is not ours; one boundary for each part and the end.
 *
 * The input's lines are the texts of a report about one recipient.
 */
#include "dsn/notice.h"

#include "base/fuzz.h"

#define BOUNDARY "=_fuzz-boundary"

static size_t count_of(struct slice text, struct slice what)
{
	size_t n = 0, at;

	while ((at = slice_find_text(text, what)) < text.len) {
		n++;
		text = slice_from(text, at + what.len);
	}
	return n;
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct slice *parts[11], status, to = SLICE("");
	struct notice_rcpt r = { .action = SLICE("failed"), .attempted = 1 };
	struct notice n = { .kind = (enum notice_kind)(size % 3),
			    .host = SLICE("h.example"),
			    .domain = SLICE("example"),
			    .to = &to,
			    .n_to = 1,
			    .is_utf8 = (size & 8) != 0,
			    .message_id = SLICE("id@h.example"),
			    .boundary = SLICE(BOUNDARY),
			    .now = 1,
			    .rcpts = &r,
			    .n_rcpts = 1 };
	struct str fields = STR_INIT, body = STR_INIT;
	size_t i = 0, at;

	if (slice_find_text(text, SLICE(BOUNDARY)) < text.len)
		return 0;
	parts[0] = &r.address;
	parts[1] = &r.orcpt;
	parts[2] = &r.status;
	parts[3] = &r.remote_mta;
	parts[4] = &r.diagnostic;
	parts[5] = &r.text;
	parts[6] = &n.envid;
	parts[7] = &to;
	parts[8] = &n.header;
	parts[9] = &n.about_id;
	parts[10] = &n.about_subject;
	while (i < 11 && slice_cut(&text, 0, parts[i]))
		i++;
	notice_print_fields(&fields, &n);
	notice_print_body(&body, &n);
	FUZZ_CHECK(
	    count_of(str_slice(&fields), SLICE("\n")) ==
		(slice_find_text(str_slice(&fields), SLICE("8bit")) < fields.len
		     ? 10u
		     : 9u) +
		    (n.about_id.len > 0 ? 2u : 0u) ||
	    slice_find_text(to, SLICE("8bit")) < to.len ||
	    slice_find_text(n.about_id, SLICE("8bit")) < n.about_id.len);
	FUZZ_CHECK(count_of(str_slice(&body), SLICE("--" BOUNDARY)) == 4);
	at = slice_find_text(str_slice(&body), SLICE("\nReporting-MTA: "));
	FUZZ_CHECK(at < body.len);
	status = slice_from(str_slice(&body), at);
	status =
	    slice_head(status, slice_find_text(status, SLICE("\n--" BOUNDARY)));
	FUZZ_CHECK(count_of(status, SLICE("\nAction: ")) == 1);
	FUZZ_CHECK(count_of(status, SLICE("\nStatus: ")) == 1);
	FUZZ_CHECK(count_of(status, SLICE("\nFinal-Recipient: ")) == 1);
	FUZZ_CHECK(count_of(status, SLICE("\n\n")) == 1);
	str_done(&fields);
	str_done(&body);
	return 0;
}
