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

static bool is_8bit(const struct notice *n)
{
	if (slice_has_8bit(n->to) || slice_has_8bit(n->header) ||
	    (n->has_body && slice_has_8bit(n->body)))
		return true;
	for (size_t i = 0; i < n->n_rcpts; i++)
		if (slice_has_8bit(n->rcpts[i].address) ||
		    slice_has_8bit(n->rcpts[i].text))
			return true;
	return false;
}

/* Has the machine's part an address outside ASCII? */
static bool is_global(const struct notice *n)
{
	for (size_t i = 0; i < n->n_rcpts; i++)
		if (slice_has_8bit(n->rcpts[i].address))
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

static void add_rcpt_words(struct str *to, const struct notice *n,
			   const struct notice_rcpt *r)
{
	str_adds(to, "\n  <");
	str_add_clean(to, r->address, VALUE_MAX);
	str_adds(to, ">\n");
	if (r->text.len > 0)
		add_wrapped(to, r->text);
	if (r->remote_mta.len > 0) {
		struct slice rest = r->remote_mta, type;

		(void)slice_cut(&rest, ';', &type);
		str_adds(to, "    said by ");
		str_add_clean(to, slice_trim(rest), VALUE_MAX);
		str_addc(to, '\n');
	}
	if (r->attempted > 0) {
		str_adds(to, n->kind == NOTICE_DELIVERED
				 ? "    on "
				 : "    last tried on ");
		notice_print_date(to, r->attempted);
		str_addc(to, '\n');
	}
	if (r->retry_until > 0) {
		str_adds(to, "    tried until ");
		notice_print_date(to, r->retry_until);
		str_addc(to, '\n');
	}
	if (n->kind != NOTICE_DELIVERED)
		add_wrapped(to, slice_of(advice_of(r->status)));
}

static void add_words(struct str *to, const struct notice *n)
{
	static const char *const begins[] = {
		[NOTICE_FAILED] = "Your message could not be delivered to:\n",
		[NOTICE_DELAYED] =
		    "Your message has not been delivered yet to:\n",
		[NOTICE_DELIVERED] = "As you asked to hear, it went to:\n",
	};

	str_adds(to, "This is the mail system of ");
	str_add_clean(to, n->host, VALUE_MAX);
	str_adds(to, ".\n\n");
	str_adds(to, begins[n->kind]);
	for (size_t i = 0; i < n->n_rcpts; i++)
		add_rcpt_words(to, n, &n->rcpts[i]);
	str_adds(to, n->has_body
			 ? "\nThe message is attached.\n"
			 : "\nThe header of the message is attached.\n");
}

/* ---- for programs ------------------------------------------------------- */

/* TYPE ";" xtext, decoded; what is no such thing is left out. */
static void add_orcpt(struct str *to, struct slice orcpt)
{
	struct slice rest = orcpt, type;
	struct str text = STR_INIT;

	if (!slice_cut(&rest, ';', &type) || rest.p == NULL || rest.len == 0)
		return;
	str_add(&text, type);
	str_addc(&text, ';');
	if (xtext_decode(&text, rest))
		add_field(to, "Original-Recipient", str_slice(&text));
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
	str_add_clean(to, n->host, VALUE_MAX);
	str_adds(to, ">\nTo: <");
	str_add_clean(to, n->to, VALUE_MAX);
	str_addf(to, ">\nSubject: %s\n", subjects[n->kind]);
	str_adds(to, "Message-ID: <");
	str_add_clean(to, n->message_id, VALUE_MAX);
	str_adds(to, ">\nAuto-Submitted: auto-replied\n"
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
	bool is_utf8 = slice_has_8bit(n->header);

	if (n->has_body)
		return is_utf8 ? "message/global" : "message/rfc822";
	return is_utf8 ? "message/global-headers" : "text/rfc822-headers";
}

void notice_print_body(struct str *to, const struct notice *n)
{
	struct str words = STR_INIT;

	add_words(&words, n);
	str_adds(to, "This is a report in MIME.\n");
	add_part(to, n, "text/plain; charset=utf-8",
		 slice_has_8bit(str_slice(&words)));
	str_add(to, str_slice(&words));
	str_done(&words);
	add_part(to, n,
		 is_global(n) ? "message/global-delivery-status"
			      : "message/delivery-status",
		 is_global(n));
	add_fields(to, n);
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
