/*
 * notice.c - the text of a delivery status notification (RFC 3464, 6522).
 *
 *	multipart/report; report-type=delivery-status
 *	  text/plain			what happened, and what to do
 *	  message/delivery-status	fields of the message, of each recipient
 *	  message/rfc822 or text/rfc822-headers
 *
 * With 8-bit addresses: message/global-delivery-status (RFC 6533 3); with an
 * 8-bit header: message/global or message/global-headers.
 */
#include "dsn/notice.h"

#include "base/keyword.h"
#include "base/xtext.h"
#include "dsn/status.h"

enum { VALUE_MAX = 900, DAY = 86400, WRAP = 72 };

/* ---- time --------------------------------------------------------------- */

/* Year, month and day of a number of days since 1970, by the 400-year cycle. */
static void civil(int64_t days, int *year, unsigned *month, unsigned *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int)(yoe + era * 400) + (*month <= 2);
}

void notice_print_date(struct str *to, int64_t unix_time)
{
	static const char *const week[] = { "Thu", "Fri", "Sat", "Sun",
					    "Mon", "Tue", "Wed" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
					      "May", "Jun", "Jul", "Aug",
					      "Sep", "Oct", "Nov", "Dec" };
	int64_t t = unix_time > 0 ? unix_time : 0;
	int64_t days = t / DAY, rest = t % DAY;
	unsigned month, day;
	int year;

	civil(days, &year, &month, &day);
	str_addf(to, "%s, %u %s %04d %02d:%02d:%02d +0000", week[days % 7], day,
		 months[month - 1], year, (int)(rest / 3600),
		 (int)(rest / 60 % 60), (int)(rest % 60));
}

/* ---- pieces ------------------------------------------------------------- */

/* The character of a "{HEX}" behind "\\x", as UTF-8; false: it is none. */
static bool add_embedded(struct str *to, struct slice hex)
{
	uint32_t u = 0;

	if (hex.len == 0 || hex.len > 6)
		return false;
	for (size_t i = 0; i < hex.len; i++) {
		char c = ascii_upper(hex.p[i]);

		if (!ascii_is_digit(c) && (c < 'A' || c > 'F'))
			return false;
		u = u << 4 |
		    (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'A' + 10);
	}
	if (u < 0x20 || u == 0x7f || u > 0x10ffff ||
	    (u >= 0xd800 && u <= 0xdfff))
		return false;
	if (u < 0x80) {
		str_addc(to, (char)u);
		return true;
	}
	if (u >= 0x10000)
		str_addc(to, (char)(0xf0 | u >> 18));
	if (u >= 0x800)
		str_addc(to, (char)(u >= 0x10000 ? 0x80 | (u >> 12 & 0x3f)
						 : 0xe0 | u >> 12));
	str_addc(to,
		 (char)(u >= 0x800 ? 0x80 | (u >> 6 & 0x3f) : 0xc0 | u >> 6));
	str_addc(to, (char)(0x80 | (u & 0x3f)));
	return true;
}

/* utf-8-addr-xtext and -unitext (RFC 6533 3). */
static bool add_unitext(struct str *to, struct slice s)
{
	const struct slice begin = SLICE("\\x{");
	size_t was = to->len;

	while (s.len > 0) {
		size_t n = slice_find_text(s, begin);
		struct slice hex;

		str_add(to, slice_head(s, n));
		s = slice_from(s, n);
		if (s.len == 0)
			break;
		s = slice_from(s, begin.len);
		n = slice_find(s, '}');
		hex = slice_head(s, n);
		if (n == s.len || !add_embedded(to, hex)) {
			str_cut(to, was);
			return false;
		}
		s = slice_from(s, n + 1);
	}
	return true;
}

bool notice_orcpt(struct str *to, struct slice value, struct slice *ret_type)
{
	struct slice rest = value, type;

	if (!slice_cut(&rest, ';', &type) || rest.p == NULL || rest.len == 0)
		return false;
	*ret_type = type;
	return slice_eq_nocase(type, SLICE("utf-8")) ? add_unitext(to, rest)
						     : xtext_decode(to, rest);
}

/* Is the recipient, or whom the sender named, outside ASCII? */
static bool is_wide(const struct notice_rcpt *r)
{
	struct str original = STR_INIT;
	struct slice type;
	bool is = slice_has_8bit(r->address) ||
		  (notice_orcpt(&original, r->orcpt, &type) &&
		   slice_eq_nocase(type, SLICE("utf-8")) &&
		   slice_has_8bit(str_slice(&original)));

	str_done(&original);
	return is;
}

/* Has the machine's part an address outside ASCII? */
static bool is_global(const struct notice *n)
{
	for (size_t i = 0; i < n->n_rcpts; i++)
		if (is_wide(&n->rcpts[i]))
			return true;
	return false;
}

static bool is_8bit(const struct notice *n)
{
	if (slice_has_8bit(n->header) || slice_has_8bit(n->remark) ||
	    slice_has_8bit(n->about_subject) ||
	    (n->has_body && slice_has_8bit(n->body)) || is_global(n))
		return true;
	for (size_t i = 0; i < n->n_rcpts; i++)
		if (slice_has_8bit(n->rcpts[i].text) ||
		    slice_has_8bit(n->rcpts[i].remote_mta))
			return true;
	return false;
}

static void add_field(struct str *to, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	str_addf(to, "%s: ", name);
	str_add_clean(to, value, VALUE_MAX);
	str_addc(to, '\n');
}

/* The same for what may hold ASCII alone: other bytes become '?'. */
static void add_ascii(struct str *to, const char *name, struct slice value)
{
	struct str text = STR_INIT;

	str_add_clean(&text, value, VALUE_MAX);
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			text.p[i] = '?';
	add_field(to, name, str_slice(&text));
	str_done(&text);
}

static void add_time(struct str *to, const char *name, int64_t t)
{
	if (t <= 0)
		return;
	str_addf(to, "%s: ", name);
	notice_print_date(to, t);
	str_addc(to, '\n');
}

/* ---- for people --------------------------------------------------------- */

struct advice {
	const char *code; /* the start of a status */
	const char *text;
};

static const struct advice advices[] = {
	{ "5.1.1", "There is no such mailbox. Please check the address." },
	{ "5.1.2", "There is no such domain. Please check the address." },
	{ "5.1.10", "The domain takes no mail at all. Please check the "
		    "address." },
	{ "5.1.", "Please check the address." },
	{ "5.2.1", "The mailbox is closed. Please reach the recipient in "
		   "another way." },
	{ "5.2.2", "The mailbox is full. Please try again later." },
	{ "5.2.3", "The message is too large for this mailbox. Please send a "
		   "smaller one." },
	{ "5.3.4", "The message is too large for that system. Please send a "
		   "smaller one." },
	{ "5.4.6",
	  "The message goes in a circle. Please tell the postmaster." },
	{ "5.4.7", "It was tried for as long as is allowed here. Please try "
		   "again later, or reach the recipient in another way." },
	{ "5.6.7", "That system takes no addresses outside ASCII. Please use "
		   "another address of the recipient." },
	{ "5.7.", "The recipient's system refuses the message by its rules. "
		  "Please ask its postmaster, in another way." },
	{ "5.", "If the reason above does not help, please ask your "
		"postmaster." },
	{ "4.", "You need not do anything: it is tried on." },
};

static const char *advice_of(struct slice status)
{
	for (size_t i = 0; i < COUNT(advices); i++) {
		struct slice code = slice_of(advices[i].code);

		/* "5.1.1" is not the start of "5.1.10" */
		if (slice_starts(status, code) &&
		    (code.p[code.len - 1] == '.' || status.len == code.len ||
		     !ascii_is_digit(status.p[code.len])))
			return advices[i].text;
	}
	return "";
}

/* Words, broken at blanks before the edge, each line indented. */
static void add_wrapped(struct str *to, struct slice text)
{
	struct str clean = STR_INIT;
	struct slice rest, word;
	size_t column = 0;

	str_add_clean(&clean, text, 4 * VALUE_MAX);
	rest = str_slice(&clean);
	while (slice_word(&rest, &word)) {
		word = slice_head(word, VALUE_MAX);
		if (column > 0 && column + 1 + word.len > WRAP) {
			str_addc(to, '\n');
			column = 0;
		}
		str_adds(to, column == 0 ? "    " : " ");
		column += (column == 0 ? 4 : 1) + word.len;
		str_add(to, word);
	}
	if (column > 0)
		str_addc(to, '\n');
	str_done(&clean);
}

/* "    last tried on DATE", if there is one. */
static void add_when(struct str *to, const char *what, int64_t t)
{
	if (t <= 0)
		return;
	str_addf(to, "    %s ", what);
	notice_print_date(to, t);
	str_addc(to, '\n');
}

/* The recipient as the sender named it and, should it differ, as it is now. */
static void add_who(struct str *to, const struct notice_rcpt *r)
{
	struct str original = STR_INIT;
	struct slice type;

	str_adds(to, "  <");
	if (notice_orcpt(&original, r->orcpt, &type) &&
	    !slice_eq_nocase(str_slice(&original), r->address)) {
		str_add_clean(to, str_slice(&original), VALUE_MAX);
		str_adds(to, ">, which is now\n  <");
	}
	str_add_clean(to, r->address, VALUE_MAX);
	str_adds(to, ">\n");
	str_done(&original);
}

/* What a success was, in the words of RFC 3461 5.2. */
static const char *success_of(struct slice action)
{
	if (slice_eq_nocase(action, SLICE("relayed")))
		return "It was handed on to a system that sends no reports of "
		       "success: you will hear no more of it.";
	if (slice_eq_nocase(action, SLICE("expanded")))
		return "It went on to all who stand behind this address.";
	return "It was delivered.";
}

/* What happened, where, when, and what to do. */
static void add_why(struct str *to, const struct notice *n,
		    const struct notice_rcpt *r)
{
	bool is_done = n->kind == NOTICE_DELIVERED;

	if (r->text.len > 0)
		add_wrapped(to, r->text);
	if (r->remote_mta.len > 0) {
		struct slice rest = r->remote_mta, type;

		(void)slice_cut(&rest, ';', &type);
		str_adds(to, "    at ");
		str_add_clean(to, slice_trim(rest), VALUE_MAX);
		str_addc(to, '\n');
	}
	add_when(to, is_done ? "on" : "last tried on", r->attempted);
	add_when(to, "tried until", r->retry_until);
	add_wrapped(to, slice_of(is_done ? success_of(r->action)
					 : advice_of(r->status)));
}

static bool has_same_end(const struct notice_rcpt *a,
			 const struct notice_rcpt *b)
{
	return slice_eq(a->text, b->text) && slice_eq(a->status, b->status) &&
	       slice_eq(a->action, b->action) &&
	       slice_eq(a->remote_mta, b->remote_mta) &&
	       a->retry_until == b->retry_until;
}

/* Recipients one behind the other of which the same is to be said: once. */
static void add_rcpts(struct str *to, const struct notice *n)
{
	size_t shown = n->n_rcpts, i = 0;

	if (shown > NOTICE_WORDS_MAX)
		shown = NOTICE_WORDS_MAX;
	while (i < shown) {
		const struct notice_rcpt *r = &n->rcpts[i];

		str_addc(to, '\n');
		do
			add_who(to, &n->rcpts[i++]);
		while (i < shown && has_same_end(r, &n->rcpts[i]));
		add_why(to, n, &n->rcpts[i - 1]);
	}
	if (shown < n->n_rcpts)
		str_addf(to,
			 "\n  and %zu more; the second part of this report "
			 "names them all.\n",
			 n->n_rcpts - shown);
}

static void add_words(struct str *to, const struct notice *n)
{
	static const char *const ends[] = {
		[NOTICE_FAILED] = "could not be delivered to:\n",
		[NOTICE_DELAYED] = "has not been delivered yet to:\n",
		[NOTICE_DELIVERED] = "went, as you asked to hear, to:\n",
	};

	str_adds(to, "This is the mail system of ");
	str_add_clean(to, n->host, VALUE_MAX);
	str_adds(to, ".\n\nYour message");
	if (n->arrived > 0) {
		str_adds(to, " of ");
		notice_print_date(to, n->arrived);
	}
	if (n->about_subject.len > 0) {
		str_adds(to, "\n    \"");
		str_add_clean(to, n->about_subject, VALUE_MAX);
		str_addc(to, '"');
	}
	str_addc(to, '\n');
	str_adds(to, ends[n->kind]);
	add_rcpts(to, n);
	str_adds(to, n->has_body ? "\nThe message is attached.\n"
		     : n->is_too_large
			 ? "\nThe message is too large to be attached; its "
			   "header is.\n"
			 : "\nThe header of the message is attached.\n");
	if (n->remark.len > 0) {
		str_addc(to, '\n');
		str_add(to, n->remark);
		if (n->remark.p[n->remark.len - 1] != '\n')
			str_addc(to, '\n');
	}
	str_force_utf8(to);
}

/* ---- for programs ------------------------------------------------------- */

/* What is no ORCPT value is left out. */
static void add_orcpt(struct str *to, struct slice orcpt)
{
	struct str text = STR_INIT, value = STR_INIT;
	struct slice type;

	if (notice_orcpt(&text, orcpt, &type)) {
		str_add(&value, type);
		str_addc(&value, ';');
		str_add(&value, str_slice(&text));
		if (slice_eq_nocase(type, SLICE("utf-8")))
			add_field(to, "Original-Recipient", str_slice(&value));
		else
			add_ascii(to, "Original-Recipient", str_slice(&value));
	}
	str_done(&value);
	str_done(&text);
}

/* The code alone if it is one, else what belongs to the action. */
static void add_status(struct str *to, const struct notice_rcpt *r)
{
	struct status code;
	size_t len = status_parse(r->status, &code);

	str_adds(to, "Status: ");
	if (len > 0)
		str_add(to, slice_head(r->status, len));
	else
		str_adds(to, slice_eq(r->action, SLICE("failed"))    ? "5.0.0"
			     : slice_eq(r->action, SLICE("delayed")) ? "4.0.0"
								     : "2.0.0");
	str_addc(to, '\n');
}

static void add_rcpt_fields(struct str *to, const struct notice_rcpt *r)
{
	struct str final = STR_INIT;

	str_addc(to, '\n');
	add_orcpt(to, r->orcpt);
	str_adds(&final, slice_has_8bit(r->address)   ? "utf-8; "
			 : slice_has(r->address, '@') ? "rfc822; "
						      : "x-local; ");
	str_add(&final, r->address);
	add_field(to, "Final-Recipient", str_slice(&final));
	str_done(&final);
	add_ascii(to, "Action", r->action);
	add_status(to, r);
	add_ascii(to, "Remote-MTA", r->remote_mta);
	add_ascii(to, "Diagnostic-Code", r->diagnostic);
	add_time(to, "Last-Attempt-Date", r->attempted);
	add_time(to, "Will-Retry-Until", r->retry_until);
}

static void add_fields(struct str *to, const struct notice *n)
{
	struct str text = STR_INIT;

	if (n->envid.len > 0 && xtext_decode(&text, n->envid))
		add_ascii(to, "Original-Envelope-Id", str_slice(&text));
	str_clear(&text);
	str_adds(&text, "dns; ");
	str_add(&text, n->host);
	add_ascii(to, "Reporting-MTA", str_slice(&text));
	add_time(to, "Arrival-Date", n->arrived);
	for (size_t i = 0; i < n->n_rcpts; i++)
		add_rcpt_fields(to, &n->rcpts[i]);
	str_done(&text);
	str_force_utf8(to);
}

/* ---- the whole ---------------------------------------------------------- */

void notice_print_fields(struct str *to, const struct notice *n)
{
	static const char *const subjects[] = {
		[NOTICE_FAILED] = "Undelivered mail",
		[NOTICE_DELAYED] = "Delayed mail (still being tried)",
		[NOTICE_DELIVERED] = "Delivery report",
	};

	str_adds(to, "Date: ");
	notice_print_date(to, n->now);
	str_adds(to, "\nFrom: Mail Delivery System <postmaster@");
	str_add_clean(to, n->domain, VALUE_MAX);
	str_adds(to, ">\nTo: ");
	for (size_t i = 0; i < n->n_to; i++) {
		str_adds(to, i == 0 ? "<" : ",\n\t<");
		str_add_clean(to, n->to[i], VALUE_MAX);
		str_addc(to, '>');
	}
	str_addf(to, "\nSubject: %s\n", subjects[n->kind]);
	str_adds(to, "Message-ID: <");
	str_add_clean(to, n->message_id, VALUE_MAX);
	str_adds(to, ">\n");
	add_field(to, "In-Reply-To", n->about_id);
	add_field(to, "References", n->about_id);
	str_adds(to, "Auto-Submitted: auto-replied\n"
		     "MIME-Version: 1.0\n"
		     "Content-Type: multipart/report; "
		     "report-type=delivery-status;\n\tboundary=\"");
	str_add(to, n->boundary);
	str_adds(to, "\"\n");
	if (is_8bit(n))
		str_adds(to, "Content-Transfer-Encoding: 8bit\n");
}

static void add_part(struct str *to, const struct notice *n, const char *type,
		     bool has_8bit)
{
	str_adds(to, "\n--");
	str_add(to, n->boundary);
	str_addf(to, "\nContent-Type: %s\n", type);
	if (has_8bit)
		str_adds(to, "Content-Transfer-Encoding: 8bit\n");
	str_addc(to, '\n');
}

static const char *returned_type(const struct notice *n)
{
	/* What is no UTF-8 is not what RFC 6532 has in mind, but old mail. */
	bool is_utf8 = n->is_utf8 && slice_has_8bit(n->header);

	if (n->has_body)
		return is_utf8 ? "message/global" : "message/rfc822";
	return is_utf8 ? "message/global-headers" : "text/rfc822-headers";
}

void notice_print_body(struct str *to, const struct notice *n)
{
	struct str text = STR_INIT;

	add_words(&text, n);
	str_adds(to, "This is a report in MIME.\n");
	add_part(to, n, "text/plain; charset=utf-8",
		 slice_has_8bit(str_slice(&text)));
	str_add(to, str_slice(&text));
	add_part(to, n,
		 is_global(n) ? "message/global-delivery-status"
			      : "message/delivery-status",
		 is_global(n));
	str_clear(&text);
	add_fields(&text, n);
	str_add(to, str_slice(&text));
	str_done(&text);
	add_part(to, n, returned_type(n),
		 slice_has_8bit(n->header) ||
		     (n->has_body && slice_has_8bit(n->body)));
	str_add(to, n->header);
	if (n->has_body) {
		str_addc(to, '\n');
		str_add(to, n->body);
	}
	if (to->len > 0 && to->p[to->len - 1] != '\n')
		str_addc(to, '\n');
	str_adds(to, "\n--");
	str_add(to, n->boundary);
	str_adds(to, "--\n");
}
