/*
 * message.c - a report about TLS as it goes out.
 *
 * The boundary needs no luck: nothing between the boundaries has a line that
 * begins with "--", since base64 has no "-" and the text begins its lines
 * with words.
 */
#include "tlsrpt/message.h"

#include "base/mem.h"
#include "mime/base64.h"

#include <assert.h>
#include <zlib.h>

void message_gzip(struct slice text, struct str *to)
{
	z_stream z = { 0 };
	int r = deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9,
			     Z_DEFAULT_STRATEGY);

	if (r != Z_OK)
		mem_exhausted();
	assert(text.len <= UINT32_MAX / 2);
	/* In one step: there is room for the worst case. */
	str_reserve(to, deflateBound(&z, (uLong)text.len));
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.len;
	z.next_out = (Bytef *)to->p + to->len;
	z.avail_out = (uInt)deflateBound(&z, (uLong)text.len);
	r = deflate(&z, Z_FINISH);
	assert(r == Z_STREAM_END);
	to->len += z.total_out;
	to->p[to->len] = '\0';
	deflateEnd(&z);
}

void message_id_print(struct str *to, int64_t day, struct slice token,
		      struct slice submitter)
{
	tlsrpt_day_print(to, day);
	str_addf(to, ".%.*s@", SLICE_ARG(token));
	str_add(to, submitter);
}

void message_file_print(struct str *to, const struct message *m)
{
	str_addf(to, "%.*s!%.*s!%lld!%lld!%.*s.json.gz",
		 SLICE_ARG(m->submitter), SLICE_ARG(m->report->domain),
		 (long long)tlsrpt_day_begin(m->report->day),
		 (long long)tlsrpt_day_end(m->report->day),
		 SLICE_ARG(m->token));
}

/* "Sun, 22 Nov 2026 06:00:00 +0000" */
static void add_date(struct str *to, int64_t now)
{
	static const char days[][4] = { "Thu", "Fri", "Sat", "Sun",
					"Mon", "Tue", "Wed" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr",
					  "May", "Jun", "Jul", "Aug",
					  "Sep", "Oct", "Nov", "Dec" };
	int64_t day = tlsrpt_day_of(now);
	int64_t second = now - tlsrpt_day_begin(day);
	struct str date = STR_INIT;

	tlsrpt_day_print(&date, day);
	str_addf(to, "%s, %.2s %s %.4s %02d:%02d:%02d +0000",
		 days[((day % 7) + 7) % 7], date.p + 8,
		 months[(date.p[5] - '0') * 10 + date.p[6] - '0' - 1], date.p,
		 (int)(second / 3600), (int)(second / 60 % 60),
		 (int)(second % 60));
	str_done(&date);
}

static void add_header(struct str *to, const struct message *m)
{
	const struct tlsrpt_report *r = m->report;

	str_addf(to, "From: %.*s\n", SLICE_ARG(r->contact));
	str_adds(to, "To: ");
	for (size_t i = 0; i < m->n_to; i++)
		str_addf(to, "%s%.*s", i > 0 ? ",\n " : "",
			 SLICE_ARG(m->to[i]));
	str_addf(to,
		 "\nSubject: Report Domain: %.*s\n Submitter: %.*s\n"
		 " Report-ID: <%.*s>\n",
		 SLICE_ARG(r->domain), SLICE_ARG(m->submitter),
		 SLICE_ARG(r->id));
	str_adds(to, "Date: ");
	add_date(to, m->now);
	str_addf(to,
		 "\nMessage-ID: <%.*s>\n"
		 "Auto-Submitted: auto-generated\n"
		 "TLS-Required: No\n"
		 "TLS-Report-Domain: %.*s\n"
		 "TLS-Report-Submitter: %.*s\n"
		 "MIME-Version: 1.0\n"
		 "Content-Type: multipart/report; report-type=\"tlsrpt\";\n"
		 " boundary=\"=_%.*s\"\n\n",
		 SLICE_ARG(r->id), SLICE_ARG(r->domain),
		 SLICE_ARG(m->submitter), SLICE_ARG(m->token));
}

/* For people. */
static void add_text(struct str *to, const struct message *m)
{
	const struct tlsrpt_report *r = m->report;
	uint64_t n_good = 0, n_failed = 0;

	for (size_t i = 0; i < r->n_groups; i++) {
		n_good += r->groups[i].n_good;
		n_failed += r->groups[i].n_failed;
	}
	str_addf(to,
		 "--=_%.*s\n"
		 "Content-Type: text/plain; charset=us-ascii\n\n"
		 "This is an aggregate report about TLS (RFC 8460)\n"
		 "from %.*s\nabout mail for %.*s\non ",
		 SLICE_ARG(m->token), SLICE_ARG(m->submitter),
		 SLICE_ARG(r->domain));
	tlsrpt_day_print(to, r->day);
	str_adds(to, " (UTC).\n\nSessions that were as the policy wants: ");
	str_addu(to, n_good);
	str_adds(to, "\nSessions that failed: ");
	str_addu(to, n_failed);
	str_adds(to, "\n\n");
}

static void add_attachment(struct str *to, const struct message *m)
{
	struct base64_encoder encoder;

	str_addf(to,
		 "--=_%.*s\n"
		 "Content-Type: application/tlsrpt+gzip\n"
		 "Content-Transfer-Encoding: base64\n"
		 "Content-Disposition: attachment;\n filename=\"",
		 SLICE_ARG(m->token));
	message_file_print(to, m);
	str_adds(to, "\"\n\n");
	base64_encode_begin(&encoder, false);
	base64_encode_push(&encoder, m->gzip, to);
	base64_encode_end(&encoder, to);
	str_addf(to, "\n--=_%.*s--\n", SLICE_ARG(m->token));
}

void message_print(struct str *to, const struct message *m)
{
	add_header(to, m);
	add_text(to, m);
	add_attachment(to, m);
}
