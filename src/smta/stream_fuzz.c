/*
 * stream_fuzz.c - any message with any flags, converted as planned: every
 * chunking gives the same stream, a batch of SMTP read back gives the same
 * envelope and content, and text that is encoded is 7-bit.
 *
 * Input, in lines: flag letters, sender, ENVID, ORCPT, recipient; then the
 * header up to the first empty line; the rest is the body.
 */
#include "smta/stream.h"

#include "base/fuzz.h"
#include "smta/content.h"
#include "smta/flags.h"
#include "smta/refuse.h"

struct source {
	struct slice body, rest;
	size_t step;
};

static ssize_t give_body(void *context, size_t max, struct str *to,
			 struct err *err)
{
	struct source *s = context;
	size_t n = s->step < max ? s->step : max;

	(void)err;
	if (n > s->rest.len)
		n = s->rest.len;
	str_add(to, slice_head(s->rest, n));
	s->rest = slice_from(s->rest, n);
	return (ssize_t)n;
}

static void rewind_body(void *context)
{
	struct source *s = context;

	s->rest = s->body;
}

static void collect(const struct stream_facts *facts, struct slice body,
		    size_t step, struct str *to)
{
	struct source source = { .body = body, .rest = body, .step = step };
	struct content_source from = { .read = give_body,
				       .rewind = rewind_body,
				       .context = &source,
				       .size = body.len };
	struct content_wish wish = { .flags = facts->flags,
				     .is_narrow = body.len % 2 == 0,
				     .expand_tabs = facts->expand_tabs };
	struct stream_facts f = *facts;
	struct content_plan plan;
	struct content content;
	struct stream s;
	struct err err;

	content_begin(&content, &from);
	FUZZ_CHECK(content_make_plan(&content, &wish, f.header, &plan, &err) ==
		   0);
	f.header = plan.header;
	f.passage = &plan.passage;
	f.sends_8bit = plan.sends_8bit;
	f.size = body.len + (uint64_t)plan.growth;
	f.body = content_read;
	f.body_context = &content;
	stream_begin(&s, &f);
	while (stream_next(&s, to, &err) > 0)
		continue;
	if (plan.passage.plan.message.mode == MIME_QP ||
	    plan.passage.plan.message.mode == MIME_UNKNOWN)
		FUZZ_CHECK(!slice_has_8bit(str_slice(&s.converted)));
	stream_done(&s);
	content_plan_done(&plan);
	content_done(&content);
}

/* Cuts a line off *rest that must end in `end`. */
static struct slice take_line(struct slice *rest, struct slice end)
{
	size_t at = slice_find_text(*rest, end);
	struct slice line = slice_head(*rest, at);

	FUZZ_CHECK(at < rest->len);
	*rest = slice_from(*rest, at + end.len);
	return line;
}

/* Reads a batch as an SMTP server would. */
static void check_batch(const struct stream_facts *f, struct slice batch)
{
	struct slice end = f->flags & SMTA_CRLF ? SLICE("\r\n") : SLICE("\n");
	struct slice line;

	if (f->flags & SMTA_HELO)
		take_line(&batch, end);
	line = take_line(&batch, end);
	FUZZ_CHECK(slice_starts(line, SLICE("MAIL FROM:<")));
	line = take_line(&batch, end);
	FUZZ_CHECK(slice_starts(line, SLICE("RCPT TO:<")));
	line = take_line(&batch, end);
	FUZZ_CHECK(slice_eq(line, SLICE("DATA")));
	do { /* no line but the last is a lone dot */
		line = take_line(&batch, end);
		FUZZ_CHECK(line.len == 0 || line.p[0] != '.' || line.len == 1 ||
			   line.p[1] == '.');
	} while (!slice_eq(line, SLICE(".")));
	if (f->flags & SMTA_HELO)
		FUZZ_CHECK(slice_eq(take_line(&batch, end), SLICE("QUIT")));
	FUZZ_CHECK(batch.len == 0);
}

static void check_line_ends(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		FUZZ_CHECK(s.p[i] != '\0');
		if (s.p[i] == '\n')
			FUZZ_CHECK(i > 0 && s.p[i - 1] == '\r');
		if (s.p[i] == '\r')
			FUZZ_CHECK(i + 1 < s.len && s.p[i + 1] == '\n');
	}
}

static struct slice next_line(struct slice *rest)
{
	struct slice line = { 0 };

	slice_cut(rest, '\n', &line);
	return line;
}

/* Cuts the header off *rest as the control file would have it. */
static struct slice next_header(struct slice *rest)
{
	size_t at = slice_find_text(*rest, SLICE("\n\n"));
	struct slice header = slice_head(*rest, at + 1);

	*rest = slice_from(*rest, at + 2);
	return header;
}

static void try_stream(const struct stream_facts *f, struct slice body)
{
	struct str whole = STR_INIT, pieces = STR_INIT;

	collect(f, body, SIZE_MAX, &whole);
	collect(f, body, 1, &pieces);
	FUZZ_CHECK(slice_eq(str_slice(&whole), str_slice(&pieces)));
	str_clear(&pieces);
	collect(f, body, 5, &pieces);
	FUZZ_CHECK(slice_eq(str_slice(&whole), str_slice(&pieces)));
	if (f->flags & SMTA_CRLF)
		check_line_ends(str_slice(&whole));
	if (f->flags & SMTA_BSMTP)
		check_batch(f, str_slice(&whole));
	str_done(&whole);
	str_done(&pieces);
}

FUZZ(data, size)
{
	struct slice rest = slice_make((const char *)data, size);
	struct str complaints = STR_INIT;
	struct ctl_sender sender = { 0 };
	struct ctl_rcpt rcpt = { .sender = &sender };
	const struct ctl_rcpt *const one[] = { &rcpt };
	struct stream_facts f = { .sender = &sender,
				  .rcpts = one,
				  .n_rcpts = 1,
				  .date = SLICE("Sat Nov 21 20:35:16 2026"),
				  .host_name = SLICE("mail.example.org"),
				  .size = 198,
				  .ret = CTL_RET_FULL,
				  .has_for_clause = true,
				  .expand_tabs = size % 2 == 0 };
	struct diag refused;

	f.flags = smta_flags_parse(next_line(&rest), &complaints);
	sender.address.user = next_line(&rest);
	sender.is_null = sender.address.user.len == 0;
	f.envid = next_line(&rest);
	rcpt.dsn.orcpt = next_line(&rest);
	rcpt.address.user = next_line(&rest);
	rcpt.address.privilege = SLICE("-2");
	f.header = next_header(&rest);
	if (!refuse_addresses(f.flags, &sender, &rcpt, &refused))
		try_stream(&f, rest);
	str_done(&complaints);
	return 0;
}
