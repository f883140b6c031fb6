/*
 * tlsrpt_json.c - reports about TLS: the aggregate report, and its days.
 *
 * The size is kept by building each group aside and adding it only if it
 * fits. A detail has six texts of at most TLSRPT_TEXT_MAX bytes, of which one
 * may become six ("\u0001"), so one alone always fits into a group's share.
 *
 * The text of others may hold noncharacters (U+FFFE, U+FDD0...), which JSON
 * may have and I-JSON not (RFC 7493 2.1); they become U+FFFD here.
 */
#include "policy/tlsrpt.h"

#include "base/json.h"

enum { DAY = 24 * 60 * 60, DETAIL_MAX = 16 * 1024 };

/* ---- days --------------------------------------------------------------- */

int64_t tlsrpt_day_begin(int64_t day)
{
	return day * DAY;
}

int64_t tlsrpt_day_end(int64_t day)
{
	return day * DAY + DAY - 1;
}

int64_t tlsrpt_day_of(int64_t second)
{
	return second >= 0 ? second / DAY : -1 - (-1 - second) / DAY;
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30,
					31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of a year. */
static int64_t year_begin(int64_t year)
{
	int64_t y = year - 1; /* whose leap days have been */

	return year * 365 + y / 4 - y / 100 + y / 400 -
	       (1970 * 365 + 1969 / 4 - 1969 / 100 + 1969 / 400);
}

void tlsrpt_day_print(struct str *to, int64_t day)
{
	int64_t year, month = 1;

	if (day < year_begin(1) || day >= year_begin(10000))
		day = 0;
	year = day / 366 + 1970;
	if (day < 0)
		year = day / 365 + 1968;
	while (year_begin(year + 1) <= day)
		year++;
	day -= year_begin(year);
	while (day >= month_days(year, month))
		day -= month_days(year, month++);
	str_addf(to, "%04d-%02d-%02d", (int)year, (int)month, (int)day + 1);
}

bool tlsrpt_day_read(struct slice text, int64_t *ret)
{
	uint64_t year, month, day;
	int64_t n;

	if (text.len != 10 || text.p[4] != '-' || text.p[7] != '-' ||
	    !slice_uint(slice_head(text, 4), 9999, &year) ||
	    !slice_uint(slice_make(text.p + 5, 2), 12, &month) ||
	    !slice_uint(slice_make(text.p + 8, 2), 31, &day) || year == 0 ||
	    month == 0 || day == 0 ||
	    (int64_t)day > month_days((int64_t)year, (int64_t)month))
		return false;
	n = year_begin((int64_t)year) + (int64_t)day - 1;
	for (int64_t m = 1; m < (int64_t)month; m++)
		n += month_days((int64_t)year, m);
	*ret = n;
	return true;
}

/* ---- texts -------------------------------------------------------------- */

/*
 * The length of the noncharacter that begins at byte i, or 0. U+FDD0..FDEF is
 * EF B7 90..AF; the last two of each plane end in BF BE and BF BF.
 */
static size_t noncharacter(struct slice s, size_t i)
{
	const unsigned char *p = (const unsigned char *)s.p + i;
	size_t left = s.len - i;

	if (left >= 3 && p[0] == 0xef)
		return (p[1] == 0xb7 && p[2] >= 0x90 && p[2] <= 0xaf) ||
			       (p[1] == 0xbf && (p[2] & 0xfe) == 0xbe)
			   ? 3
			   : 0;
	return left >= 4 && p[0] >= 0xf0 && (p[1] & 0x0f) == 0x0f &&
		       p[2] == 0xbf && (p[3] & 0xfe) == 0xbe
		   ? 4
		   : 0;
}

static void add_cut(struct json *j, const char *key, struct slice text,
		    size_t max)
{
	struct str good = STR_INIT;
	size_t n;

	text = json_cut(text, max);
	for (size_t i = 0; i < text.len; i += n) {
		n = noncharacter(text, i);
		if (n > 0) {
			str_adds(&good, "\xef\xbf\xbd");
		} else {
			str_addc(&good, text.p[i]);
			n = 1;
		}
	}
	json_text(j, key, str_slice(&good));
	str_done(&good);
}

static void add_text(struct json *j, const char *key, struct slice text)
{
	add_cut(j, key, text, TLSRPT_TEXT_MAX);
}

static void add_text_if(struct json *j, const char *key, struct slice text)
{
	if (text.len > 0)
		add_text(j, key, text);
}

/* As many as there is room for; an empty one takes room too. */
static void add_texts(struct json *j, const char *key, const struct slice *s,
		      size_t n)
{
	size_t room = TLSRPT_STRINGS_MAX;

	if (n == 0)
		return;
	json_array(j, key);
	for (size_t i = 0; i < n && s[i].len < room; i++) {
		room -= s[i].len + 1;
		add_cut(j, NULL, s[i], TLSRPT_STRINGS_MAX);
	}
	json_close(j);
}

/* ---- the report --------------------------------------------------------- */

/* What readers take for an integer (RFC 7493 2.2). */
static void add_count(struct json *j, const char *key, uint64_t n)
{
	const uint64_t most = UINT64_C(1) << 53;

	json_uint(j, key, n < most ? n : most - 1);
}

static void add_time(struct json *j, const char *key, int64_t day,
		     const char *time)
{
	struct str text = STR_INIT;

	tlsrpt_day_print(&text, day);
	str_adds(&text, time);
	json_text(j, key, str_slice(&text));
	str_done(&text);
}

static void add_policy(struct json *j, const struct tlsrpt_policy *p)
{
	json_object(j, "policy");
	json_text(j, "policy-type", slice_of(tlsrpt_kind_word(p->kind)));
	add_texts(j, "policy-string", p->strings, p->n_strings);
	add_text(j, "policy-domain", p->domain);
	if (p->kind == TLSRPT_STS)
		add_texts(j, "mx-host", p->mx, p->n_mx);
	json_close(j);
}

static void add_detail(struct json *j, const struct tlsrpt_detail *d)
{
	const struct tlsrpt_failure *f = &d->failure;

	json_object(j, NULL);
	json_text(j, "result-type", slice_of(tlsrpt_type_word(f->type)));
	add_text_if(j, "sending-mta-ip", f->sending_ip);
	add_text_if(j, "receiving-mx-hostname", f->mx_host);
	add_text_if(j, "receiving-mx-helo", f->mx_helo);
	add_text_if(j, "receiving-ip", f->receiving_ip);
	add_count(j, "failed-session-count", d->count);
	add_text_if(j, "additional-information", f->information);
	add_text_if(j, "failure-reason-code", f->reason);
	json_close(j);
}

/* One group; its details as far as they fit into room bytes. */
static void add_group(struct json *j, const struct tlsrpt_group *g, size_t room)
{
	size_t before = j->out->len;

	json_object(j, NULL);
	add_policy(j, &g->policy);
	json_object(j, "summary");
	add_count(j, "total-successful-session-count", g->n_good);
	add_count(j, "total-failure-session-count", g->n_failed);
	json_close(j);
	if (g->n_details > 0) {
		json_array(j, "failure-details");
		for (size_t i = 0; i < g->n_details &&
				   j->out->len - before + DETAIL_MAX <= room;
		     i++)
			add_detail(j, &g->details[i]);
		json_close(j);
	}
	json_close(j);
}

void tlsrpt_json_print(struct str *to, const struct tlsrpt_report *r)
{
	/* More than a policy takes, its texts at their longest, and words. */
	const size_t least = (size_t)16 * TLSRPT_STRINGS_MAX;
	size_t before = to->len;
	struct json j;

	json_begin(&j, to);
	json_object(&j, NULL);
	add_text(&j, "organization-name", r->organization);
	json_object(&j, "date-range");
	add_time(&j, "start-datetime", r->day, "T00:00:00Z");
	add_time(&j, "end-datetime", r->day, "T23:59:59Z");
	json_close(&j);
	add_text(&j, "contact-info", r->contact);
	add_text(&j, "report-id", r->id);
	json_array(&j, "policies");
	for (size_t i = 0; i < r->n_groups; i++) {
		size_t used = to->len - before + 2 * least;

		if (used > TLSRPT_JSON_MAX)
			break;
		add_group(&j, &r->groups[i], TLSRPT_JSON_MAX - used + least);
	}
	json_close(&j);
	json_close(&j);
}
