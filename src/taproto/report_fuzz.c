/*
 * report_fuzz.c - any bytes as a line from an agent, and as parts of a report.
 *
 * Invariants: printing what was read reads as the same; a printed line is one
 * line, with two TABs if it is a result, whatever its parts hold.
 */
#include "taproto/report.h"

#include "base/fuzz.h"

/* Reads back one printed line, which must have its only LF at the end. */
static struct report read_back(const struct str *printed)
{
	struct slice line = str_slice(printed);
	struct report r;

	FUZZ_CHECK(line.len > 0);
	FUZZ_CHECK(slice_find(line, '\n') == line.len - 1);
	report_parse(slice_head(line, line.len - 1), &r);
	return r;
}

static void check_message(struct slice got, struct slice meant)
{
	FUZZ_CHECK(got.len == meant.len);
	for (size_t i = 0; i < got.len; i++) {
		unsigned char c = (unsigned char)meant.p[i];

		if (c == '\t')
			c = ' ';
		else if (c == '\n')
			c = '\r';
		else if (c != '\r' && (c < 0x20 || c == 0x7f))
			c = '?';
		FUZZ_CHECK((unsigned char)got.p[i] == c);
	}
}

/* Prints a result and reads it again. */
static void check_result(const struct report_result *given)
{
	struct str printed = STR_INIT;
	struct notary n;
	struct report r;
	size_t tabs = 0;

	report_print_result(&printed, given);
	r = read_back(&printed);
	for (size_t i = 0; i < printed.len; i++)
		tabs += printed.p[i] == '\t';
	FUZZ_CHECK(tabs == 2);
	FUZZ_CHECK(r.kind == REPORT_RESULT);
	FUZZ_CHECK(r.id == given->id && r.offset == given->offset);
	FUZZ_CHECK(r.status == given->status);
	FUZZ_CHECK(r.has_retry == (given->status == STATUS_RETRYAT));
	FUZZ_CHECK(!r.has_retry || (r.retry_is_relative &&
				    r.retry == given->diag->retry_after));
	check_message(r.message, given->diag->text);
	FUZZ_CHECK(notary_parse(r.notary, &n, NULL) == 0);
	FUZZ_CHECK(n.has_ta_id == (r.notary.len > 0 && given->ta_id.len > 0));
	if (r.notary.len > 0)
		FUZZ_CHECK(n.final_recipient.len == given->recipient.len);
	str_done(&printed);
}

/* Prints what was read, from its parts, and reads it again. */
static void check_again(const struct report *r)
{
	struct str printed = STR_INIT;
	struct diag d = { .text = r->message,
			  .retry_after = (unsigned)r->retry };
	struct notary n;
	struct report again;

	switch (r->kind) {
	case REPORT_HUNGRY:
		report_print_hungry(&printed);
		break;
	case REPORT_RESYNC:
		report_print_resync(&printed, r->name);
		break;
	case REPORT_COMMENT:
		report_print_comment(&printed, r->message);
		break;
	case REPORT_RESULT:
		if (r->status == STATUS_UNKNOWN)
			return;
		if (notary_parse(r->notary, &n, NULL) < 0)
			n = (struct notary){ 0 };
		d.status = n.status;
		d.diagnostic = n.diagnostic;
		d.remote_mta = n.remote_mta;
		check_result(&(struct report_result){ r->id, r->offset,
						      n.final_recipient, &d,
						      r->status, n.ta_id });
		return;
	case REPORT_MALFORMED:
		return;
	}
	again = read_back(&printed);
	FUZZ_CHECK(again.kind == r->kind);
	FUZZ_CHECK(again.name.len == r->name.len);
	FUZZ_CHECK(again.message.len == r->message.len);
	str_done(&printed);
}

static void check_inside(struct slice part, struct slice line)
{
	if (part.len > 0)
		FUZZ_CHECK(part.p >= line.p &&
			   part.p + part.len <= line.p + line.len);
}

FUZZ(data, size)
{
	struct slice line = slice_make((const char *)data, size);
	struct slice parts[6] = { { 0 } };
	struct str comment = STR_INIT;
	struct report r;

	report_parse(line, &r);
	check_inside(r.name, line);
	check_inside(r.notary, line);
	check_inside(r.message, line);
	FUZZ_CHECK(slice_eq(r.line, line));
	check_again(&r);

	report_print_comment(&comment, line);
	FUZZ_CHECK(read_back(&comment).kind == REPORT_COMMENT);
	/* 0xff cuts the same bytes into parts that may hold anything else. */
	for (size_t i = 0; i < 6; i++)
		slice_cut(&line, '\xff', &parts[i]);
	for (unsigned s = 0; s < STATUS_UNKNOWN; s++) {
		struct diag d = {
			.fate = (enum fate)(size % (FATE_DEFERRED_BACK + 1)),
			.reason = "fuzz",
			.status = parts[0],
			.diagnostic = parts[1],
			.remote_mta = parts[2],
			.text = parts[3],
			.retry_after = (unsigned)size,
		};

		check_result(&(struct report_result){
		    size, UINT64_MAX - size, parts[4], &d,
		    (enum report_status)s, parts[5] });
	}
	str_done(&comment);
	return 0;
}
