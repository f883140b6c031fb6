/*
 * tlsrpt_fuzz.c - any bytes as TXT records of TLS reports, and as whatever
 * stands in a report.
 *
 * Invariants: what is accepted as a destination may go to a command line and
 * a header as it is, and means the same when written out and read again; a
 * report parses as JSON of RFC 8259 whose objects have no name twice, is
 * I-JSON, one line, and within its bound; what is no report is not taken for
 * one.
 */
#include "base/fuzz.h"
#include "base/json.h"
#include "base/keyword.h"
#include "policy/tlsrpt.h"

/* ---- a reader of JSON that takes nothing else --------------------------- */

struct reader {
	const unsigned char *p, *end;
};

static void read_value(struct reader *r, unsigned depth);

static unsigned char next(struct reader *r)
{
	FUZZ_CHECK(r->p < r->end);
	return *r->p++;
}

static bool peek(const struct reader *r, char c)
{
	return r->p < r->end && *r->p == (unsigned char)c;
}

/* No surrogate, noncharacter or control, none that could be shorter. */
static void check_code(uint32_t code, unsigned n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	FUZZ_CHECK(code >= least[n] && code <= 0x10ffff && code >= 0x20);
	FUZZ_CHECK(code < 0xd800 || code > 0xdfff);
	FUZZ_CHECK(code < 0xfdd0 || code > 0xfdef);
	FUZZ_CHECK((code & 0xfffe) != 0xfffe);
	FUZZ_CHECK(code < 0x7f || code > 0x9f);
}

static void read_character(struct reader *r)
{
	unsigned char c = next(r);
	unsigned n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code = n == 1 ? c : c & (0xffu >> (n + 1));

	FUZZ_CHECK(c < 0x80 || (c >= 0xc2 && c <= 0xf4));
	for (unsigned i = 1; i < n; i++) {
		c = next(r);
		FUZZ_CHECK((c & 0xc0) == 0x80);
		code = code << 6 | (c & 0x3f);
	}
	check_code(code, n);
}

static void read_escape(struct reader *r)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	unsigned char c = next(r);

	if (c != 'u') {
		FUZZ_CHECK(slice_has(SLICE("\"\\/bfnrt"), (char)c));
		return;
	}
	for (int i = 0; i < 4; i++)
		FUZZ_CHECK(slice_has(slice_of(hex), (char)next(r)));
}

static struct slice read_string(struct reader *r)
{
	const unsigned char *begin;

	FUZZ_CHECK(next(r) == '"');
	begin = r->p;
	while (!peek(r, '"')) {
		if (peek(r, '\\')) {
			r->p++;
			read_escape(r);
		} else {
			read_character(r);
		}
	}
	r->p++;
	return slice_make((const char *)begin, (size_t)(r->p - begin) - 1);
}

static void read_number(struct reader *r)
{
	const unsigned char *begin = r->p;
	uint64_t n;

	while (r->p < r->end && ascii_is_digit((char)*r->p))
		r->p++;
	FUZZ_CHECK(
	    slice_uint(slice_make((const char *)begin, (size_t)(r->p - begin)),
		       (UINT64_C(1) << 53) - 1, &n));
	FUZZ_CHECK(*begin != '0' || r->p == begin + 1);
}

/* An object's names, of which none may come twice. */
static void read_name(struct reader *r, struct slice *names, size_t *n)
{
	FUZZ_CHECK(*n < 16);
	names[*n] = read_string(r);
	for (size_t i = 0; i < *n; i++)
		FUZZ_CHECK(!slice_eq(names[i], names[*n]));
	++*n;
	FUZZ_CHECK(next(r) == ':');
}

static void read_list(struct reader *r, bool is_object, unsigned depth)
{
	struct slice names[16];
	char end = is_object ? '}' : ']';
	size_t n = 0;

	r->p++;
	if (peek(r, end)) {
		r->p++;
		return;
	}
	do {
		if (is_object)
			read_name(r, names, &n);
		read_value(r, depth + 1);
	} while (peek(r, ',') && r->p++);
	FUZZ_CHECK(next(r) == (unsigned char)end);
}

static void read_value(struct reader *r, unsigned depth)
{
	FUZZ_CHECK(depth < JSON_DEPTH_MAX);
	if (peek(r, '{') || peek(r, '['))
		read_list(r, peek(r, '{'), depth);
	else if (peek(r, '"'))
		(void)read_string(r);
	else
		read_number(r);
}

/* ---- the report --------------------------------------------------------- */

enum { N = 5 };

/* Cuts the next text off: its length is in its first byte or two. */
static struct slice take(struct slice *rest)
{
	size_t n = rest->len > 0 ? (unsigned char)rest->p[0] : 0;
	struct slice text;

	if (n > 250)
		n *= 40;
	text = slice_head(slice_from(*rest, 1), n);
	*rest = slice_from(*rest, 1 + n);
	return text;
}

static void fill_group(struct tlsrpt_group *g, struct slice strings[N],
		       struct tlsrpt_detail details[N], struct slice *rest)
{
	size_t count = rest->len;

	for (size_t i = 0; i < N; i++) {
		strings[i] = take(rest);
		details[i] = (struct tlsrpt_detail){
			{ (enum tlsrpt_type)(count % TLSRPT_TYPES), take(rest),
			  take(rest), take(rest), take(rest), take(rest),
			  take(rest) },
			count << count % 64
		};
	}
	*g = (struct tlsrpt_group){
		.policy = { (enum tlsrpt_kind)(count % TLSRPT_KINDS),
			    take(rest), strings, count % (N + 1), strings,
			    count % 3 },
		.n_good = count,
		.n_failed = ~(uint64_t)count,
		.details = details,
		.n_details = count % (N + 1),
	};
}

static void check_report(struct slice rest)
{
	struct slice strings[N][N];
	struct tlsrpt_detail details[N][N];
	struct tlsrpt_group groups[N];
	struct str out = STR_INIT;
	struct tlsrpt_report report = {
		.organization = take(&rest),
		.contact = take(&rest),
		.id = take(&rest),
		.day = (int64_t)rest.len * 9001 - 100000,
		.groups = groups,
		.n_groups = rest.len % (N + 1),
	};
	struct reader r;

	for (size_t i = 0; i < N; i++)
		fill_group(&groups[i], strings[i], details[i], &rest);
	tlsrpt_json_print(&out, &report);
	FUZZ_CHECK(out.len <= TLSRPT_JSON_MAX);
	r.p = (const unsigned char *)out.p;
	r.end = r.p + out.len;
	read_value(&r, 0);
	FUZZ_CHECK(r.p == r.end);
	str_done(&out);
}

/* ---- the record --------------------------------------------------------- */

static void print_uri(struct str *to, const struct tlsrpt_destination *d)
{
	if (d->way == TLSRPT_HTTPS) {
		str_add(to, d->target);
		return;
	}
	str_adds(to, "mailto:");
	for (size_t i = 0; i < d->target.len; i++)
		str_addf(to, "%%%02X", (unsigned char)d->target.p[i]);
}

static void check_destination(const struct tlsrpt_destination *d)
{
	FUZZ_CHECK(d->target.len > 0 && d->target.p[0] != '"');
	for (size_t i = 0; i < d->target.len; i++)
		FUZZ_CHECK(d->target.p[i] > ' ' && d->target.p[i] <= '~');
	if (d->way == TLSRPT_HTTPS)
		FUZZ_CHECK(slice_starts_nocase(d->target, SLICE("https://")));
	else
		FUZZ_CHECK(slice_has(d->target, '@') &&
			   !slice_has(d->target, ',') &&
			   !slice_has(d->target, '<') && d->target.len <= 254);
}

static void check_record(struct slice text, struct arena *a)
{
	struct tlsrpt_destination *found = NULL, *again;
	struct slice records[4], record;
	struct str uris = STR_INIT;
	size_t n = 0, n_found = 99, n_again;
	enum tlsrpt_txt txt;

	while (n < 4 && slice_cut(&text, '\n', &records[n]))
		n++;
	txt = tlsrpt_txt_find(records, n, a, &found, &n_found);
	FUZZ_CHECK((txt == TLSRPT_TXT_OK) == (n_found != 99));
	if (txt != TLSRPT_TXT_OK || n_found == 0)
		return;
	FUZZ_CHECK(n_found <= TLSRPT_DESTINATIONS_MAX);
	str_adds(&uris, "v=TLSRPTv1; rua=");
	for (size_t i = 0; i < n_found; i++) {
		check_destination(&found[i]);
		str_adds(&uris, i > 0 ? "," : "");
		print_uri(&uris, &found[i]);
	}
	record = str_slice(&uris);
	if (record.len < TLSRPT_RECORD_MAX)
		FUZZ_CHECK(tlsrpt_txt_find(&record, 1, a, &again, &n_again) ==
			       TLSRPT_TXT_OK &&
			   n_again == n_found);
	for (size_t i = 0; i < n_found && record.len < TLSRPT_RECORD_MAX; i++)
		FUZZ_CHECK(slice_eq(found[i].target, again[i].target));
	str_done(&uris);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct arena *a = arena_new();
	int64_t day;

	check_record(in, a);
	check_report(in);
	if (tlsrpt_is_report(in))
		FUZZ_CHECK(slice_find_text(in, SLICE(":")) < in.len);
	if (tlsrpt_day_read(in, &day)) {
		struct str text = STR_INIT;

		tlsrpt_day_print(&text, day);
		FUZZ_CHECK(slice_eq(in, str_slice(&text)));
		str_done(&text);
	}
	arena_free(a);
	return 0;
}
