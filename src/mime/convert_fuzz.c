/*
 * convert_fuzz.c - any bytes as a message, through plan and conversion.
 *
 * The first byte is what the channel takes; header and body are parted by the
 * first empty line. Invariants: what is made quoted-printable is 7-bit and in
 * short lines; the header never gains an empty line or a field that is not
 * ours; what may not be touched is not; a converted message needs no more.
 */
#include "mime/convert.h"

#include "base/fuzz.h"
#include "mime/header.h"

struct mail {
	struct slice header, body;
};

static struct mime_channel channel_of(unsigned bits)
{
	return (struct mime_channel){
		.takes_8bit = bits & 1,
		.may_decode = bits & 2,
		.is_narrow = bits & 4,
		.keeps_headers = bits & 8,
		.encodes_nul = bits & 16,
		.encodes_cr = bits & 32,
		.is_8bit_clean = bits & 64,
		.line_max = bits & 128 ? 998 : 0,
		.charset = SLICE("KOI8-R"),
	};
}

static struct mime_plan plan_of(struct mail mail,
				const struct mime_channel *channel)
{
	struct qp_decoder trial;
	struct mime_label label;
	struct mime_plan plan;
	struct scan scan;

	scan_begin(&scan);
	scan_push(&scan, mail.body);
	scan_end(&scan);
	qp_decode_begin(&trial);
	qp_decode_push(&trial, mail.body, NULL);
	qp_decode_end(&trial, NULL);
	mime_label_read(&label, mail.header);
	mime_plan_make(&label, channel, &scan, &trial, &plan);
	FUZZ_CHECK(plan.reason < MIME_N_REASONS);
	FUZZ_CHECK(!label.is_untouchable || !plan.edits_header);
	FUZZ_CHECK(!label.is_untouchable || plan.mode == MIME_NONE);
	return plan;
}

static struct str converted(struct slice body, const struct mime_plan *plan)
{
	struct str out = STR_INIT;
	struct convert_body convert;

	convert_body_begin(&convert, plan);
	convert_body_push(&convert, body, &out);
	convert_body_end(&convert, &out);
	return out;
}

static void check_body(struct slice in, struct slice out,
		       const struct mime_plan *plan)
{
	struct slice line;

	if (plan->mode == MIME_NONE)
		FUZZ_CHECK(slice_eq(in, out));
	if (plan->mode == MIME_8BIT)
		FUZZ_CHECK(out.len <= in.len);
	FUZZ_CHECK(slice_has_8bit(out) == plan->sends_8bit);
	if (plan->mode != MIME_QP && plan->mode != MIME_UNKNOWN)
		return;
	FUZZ_CHECK(out.len <= 5 * in.len);
	while (slice_cut(&out, '\n', &line))
		FUZZ_CHECK(line.len <= QP_LINE_MAX);
}

static size_t count_fields(struct slice header)
{
	struct header_field f;
	size_t n = 0;

	while (header_next(&header, &f)) {
		FUZZ_CHECK(f.all.len > 0);
		n++;
	}
	return n;
}

static void check_header(struct slice in, struct slice out,
			 const struct mime_plan *plan)
{
	size_t most = plan->mode == MIME_UNKNOWN ? 4
		      : plan->mode == MIME_QP	 ? 2
						 : 0;

	FUZZ_CHECK(count_fields(out) <= count_fields(in) + most);
	if (!plan->edits_header)
		FUZZ_CHECK(slice_eq(in, out));
}

static void check_again(struct mail mail, const struct mime_channel *channel)
{
	struct mime_plan plan = plan_of(mail, channel);

	FUZZ_CHECK(plan.mode != MIME_QP && plan.mode != MIME_UNKNOWN);
}

FUZZ(data, size)
{
	struct slice text = slice_make((const char *)data, size);
	struct mime_channel channel = channel_of(size > 0 ? data[0] : 0);
	struct str clean = STR_INIT, header = STR_INIT, body;
	struct mime_plan plan;
	struct mail mail;
	size_t end;

	text = slice_from(text, 1);
	end = slice_find_text(text, SLICE("\n\n"));
	convert_clean_header(&clean, slice_head(text, end), false);
	mail.header = str_slice(&clean);
	mail.body = slice_from(text, end + 2);
	plan = plan_of(mail, &channel);
	convert_header(&header, mail.header, &plan);
	body = converted(mail.body, &plan);
	check_header(mail.header, str_slice(&header), &plan);
	check_body(mail.body, str_slice(&body), &plan);
	if (plan.mode == MIME_QP || plan.mode == MIME_UNKNOWN)
		check_again(
		    (struct mail){ str_slice(&header), str_slice(&body) },
		    &channel);
	str_done(&clean);
	str_done(&header);
	str_done(&body);
	return 0;
}
