/*
 * outcome.c - what a reply means for a recipient.
 *
 * One row per code that has a meaning of its own; every other code is judged
 * by its class. The same code speaks of something else in another phase
 * (RFC 5321 4.2.3, 4.3.2): 550 is no such mailbox to RCPT, but the sender or
 * the content that is not wanted to MAIL and behind DATA.
 */
#include "smtp/outcome.h"

#include "base/keyword.h"

#define AT(phase) (1U << SMTP_PHASE_##phase)

/* What a reply is about. */
enum {
	ANY = AT(END_ALL) * 2 - 1,
	HOST = AT(GREETING) | AT(HELLO),
	TLS = AT(STARTTLS),
	ACCOUNT = AT(AUTH),
	SENDER = AT(MAIL),
	RCPT = AT(RCPT),
	MAILBOX = AT(RCPT) | AT(END),
	CONTENT = AT(DATA) | AT(END_ALL)
};

struct row {
	unsigned code;
	unsigned phases; /* that it holds for; the first row that fits counts */
	bool is_permanent, is_abnormal;
	const char *status; /* used when the server sends no enhanced code */
};

#define NOT_WANTED "5.7.1 (Delivery not authorized, message refused)"
#define TOO_BIG	   "5.3.4 (message too big for system)"
#define NO_SERVICE "5.3.2 (system not accepting network messages)"

/*
 * 550 and 554 behind DATA are 5.7.1 and not 5.6.0: RFC 5321 4.3.2 has 550 there
 * for reasons of policy, and who refuses content with 554 means spam or a
 * virus. 5.6.x would send the sender to look for a fault in the format.
 *
 * 450 and 551 to 553 where they can mean nothing are left to their class.
 */
/* clang-format off */
static const struct row outcome_rows[] = {
	{ 432, ACCOUNT, false, false, "4.7.12" },
	{ 454, TLS,     false, false, "4.7.5 (TLS not available)" },
	{ 454, ACCOUNT, false, false, "4.7.0" },
	{ 500, ACCOUNT, true,  false, "5.5.6" },
	{ 530, ACCOUNT, true,  false, "5.7.0" },
	{ 534, ACCOUNT, true,  false, "5.7.9" },
	{ 535, ACCOUNT, true,  false, "5.7.8" },
	{ 538, ACCOUNT, true,  false, "5.7.11" },
	{ 421, ANY,     false, false, "4.3.2" },
	{ 450, HOST,    false, false, NO_SERVICE },
	{ 450, MAILBOX, false, false, "4.2.0" },
	{ 451, ANY,     false, false, "4.3.0" },
	{ 452, RCPT,    false, false, "4.5.3" },
	{ 452, ANY,     false, false, "4.3.1" },
	{ 455, ANY,     false, false, "4.5.4" },
	{ 500, ANY,     true,  true,  "5.5.1" },
	{ 501, ANY,     true,  true,  "5.5.2" },
	{ 502, ANY,     true,  true,  "5.5.1" },
	{ 503, ANY,     false, false, "4.5.0" },
	{ 504, ANY,     true,  true,  "5.5.4" },
	{ 521, ANY,     true,  false, "5.3.2" },
	{ 550, HOST,    true,  false, NO_SERVICE },
	{ 550, MAILBOX, true,  false, "5.1.1 (bad destination mailbox)" },
	{ 550, ANY,     true,  false, NOT_WANTED },
	{ 551, MAILBOX, true,  false, "5.1.6 (mailbox has moved)" },
	{ 552, SENDER,  true,  false, TOO_BIG },
	{ 552, CONTENT, true,  false, TOO_BIG },
	{ 552, MAILBOX, true,  false,
	  "5.2.3 (content related rejection, size or text)" },
	{ 553, SENDER,  true,  false,
	  "5.1.7 (bad sender's mailbox address syntax)" },
	{ 553, MAILBOX, true,  false,
	  "5.1.3 (bad destination mailbox address syntax)" },
	{ 554, HOST,    true,  false, NO_SERVICE },
	{ 554, MAILBOX, true,  false, "5.1.1 (No acceptable recipients given)" },
	{ 554, ANY,     true,  false, NOT_WANTED },
	{ 555, ANY,     true,  true,  "5.5.4 (invalid parameters)" },
	{ 556, ANY,     true,  false, "5.1.10" },
	{ 571, ANY,     true,  false, NOT_WANTED },
};
/* clang-format on */

static const struct row *find_row(enum smtp_phase phase, unsigned code)
{
	static const struct row permanent = {
		0, ANY, true, false, "5.0.0 (generic permanent failure)"
	};
	static const struct row temporary = {
		0, ANY, false, false, "4.0.0 (generic temporary failure)"
	};
	static const struct row strange = {
		0, ANY, false, false, "4.5.0 (generic protocol failure)"
	};

	for (size_t i = 0; i < COUNT(outcome_rows); i++)
		if (outcome_rows[i].code == code &&
		    (outcome_rows[i].phases & 1U << phase) != 0)
			return &outcome_rows[i];
	if (code >= 500 && code <= 599)
		return &permanent;
	return code >= 400 && code <= 499 ? &temporary : &strange;
}

bool outcome_is_yes(enum smtp_phase phase, unsigned code)
{
	if (phase == SMTP_PHASE_DATA)
		return code == 354;
	return code >= 200 && code <= 299;
}

/* A full mailbox is no reason to try the others of a message again. */
static bool rcpt_552_is_permanent(const struct reply *r, bool enhanced_offered)
{
	return enhanced_offered && r->has_enhanced &&
	       (r->enhanced.subject == 2 || r->enhanced.subject == 3);
}

static enum fate refusal_fate(enum smtp_phase phase, const struct row *row,
			      const struct reply *r, bool enhanced_offered)
{
	if (phase < SMTP_PHASE_MAIL)
		return FATE_DEFERRED_ALL;
	if (phase == SMTP_PHASE_RCPT && r->code == 552 &&
	    !rcpt_552_is_permanent(r, enhanced_offered))
		return FATE_DEFERRED;
	if (row->is_permanent)
		return FATE_FAILED;
	return phase >= SMTP_PHASE_END ? FATE_DEFERRED_BACK : FATE_DEFERRED;
}

static const char *refusal_reason(enum smtp_phase phase)
{
	switch (phase) {
	case SMTP_PHASE_GREETING:
		return "greeting-refused";
	case SMTP_PHASE_HELLO:
		return "hello-refused";
	case SMTP_PHASE_STARTTLS:
		return "starttls-refused";
	case SMTP_PHASE_AUTH:
		return "auth-failed";
	case SMTP_PHASE_MAIL:
		return "mail-refused";
	case SMTP_PHASE_RCPT:
		return "rcpt-refused";
	case SMTP_PHASE_DATA:
		return "data-refused";
	case SMTP_PHASE_END:
	case SMTP_PHASE_END_ALL:
		return "content-refused";
	case SMTP_PHASE_CONNECT:
		break;
	}
	return "connect-failed";
}

/* ---- greylisting --------------------------------------------------------- */

static const char *const grey_words[] = {
	"greylist",  "graylist",  "grey list", "gray list",
	"grey-list", "gray-list", "grey_list", "gray_list",
};

static const char *const later_words[] = {
	"again later",		"later again", "try later",
	"retry later",		"try again",   "come back",
	"please retry",		"please wait", "first time",
	"temporarily deferred", "not yet",
};

/* A cause of its own, which another host may not have. */
static const char *const trouble_words[] = {
	"local problem", "local error",	 "internal",  "unavailable",
	"config",	 "database",	 "lookup",    "resol",
	"dns",		 "cannot",	 "unable",    "timeout",
	"timed out",	 "too many",	 "too much",  "too quickly",
	"overload",	 "load average", "busy",      "resource",
	"disk",		 "space",	 "storage",   "memory",
	"quota",	 "full",	 "locked",    "maintenance",
	"mailbox",	 "queue",	 "not found", "not exist",
	"verif",	 "rate limit",
};

static bool speaks_of(struct slice text, const char *const *words, size_t n)
{
	for (size_t at = 0; at < text.len; at++)
		for (size_t i = 0; i < n; i++)
			if (slice_starts_nocase(slice_from(text, at),
						slice_of(words[i])))
				return true;
	return false;
}

/* Security and policy in general, or nothing that can be told. */
static bool may_be_grey(struct status code)
{
	return code.subject == 7 || code.subject == 0 ||
	       (code.subject == 2 && code.detail == 0);
}

static bool is_grey_code(struct status code)
{
	return (code.subject == 7 && code.detail == 1) ||
	       (code.subject == 2 && code.detail == 0);
}

bool outcome_is_greylisting(const struct reply *reply)
{
	struct slice text = reply->text;

	if (reply->code < 400 || reply->code > 499)
		return false;
	if (speaks_of(text, grey_words, COUNT(grey_words)))
		return true;
	if (reply->code != 450 && reply->code != 451)
		return false;
	if (reply->has_enhanced && !may_be_grey(reply->enhanced))
		return false;
	if (speaks_of(text, trouble_words, COUNT(trouble_words)))
		return false;
	return speaks_of(text, later_words, COUNT(later_words)) ||
	       (reply->has_enhanced && is_grey_code(reply->enhanced));
}

struct slice outcome_diagnostic(const struct reply *reply, struct arena *a)
{
	struct slice rest = reply->text, line;
	struct str out = STR_INIT;
	struct slice kept;

	str_addf(&out, "smtp; %03u (", reply->code);
	for (size_t n = 0; slice_cut(&rest, '\n', &line); n++) {
		if (n > 0)
			str_addc(&out, ' ');
		str_add_clean(&out, reply_line_text(line), SIZE_MAX);
	}
	for (size_t i = sizeof("smtp; 000 (") - 1; i < out.len; i++) {
		if (out.p[i] == '(')
			out.p[i] = '[';
		if (out.p[i] == ')')
			out.p[i] = ']';
	}
	str_addc(&out, ')');
	kept = arena_dup(a, str_slice(&out));
	str_done(&out);
	return kept;
}

static bool is_grey(enum smtp_phase phase, enum fate fate,
		    const struct reply *reply)
{
	return phase >= SMTP_PHASE_MAIL && fate != FATE_FAILED &&
	       outcome_is_greylisting(reply);
}

bool outcome_of_reply(enum smtp_phase phase, const struct reply *reply,
		      bool enhanced_offered, struct arena *a, struct diag *d)
{
	const struct row *row = find_row(phase, reply->code);

	d->dsn_handed_over = false;
	d->diagnostic = outcome_diagnostic(reply, a);
	if (outcome_is_yes(phase, reply->code)) {
		d->fate = FATE_RELAYED;
		d->reason = "accepted";
		d->status = SLICE("2.0.0");
	} else {
		d->fate = refusal_fate(phase, row, reply, enhanced_offered);
		d->reason = refusal_reason(phase);
		if (is_grey(phase, d->fate, reply))
			d->reason = "greylisted";
		d->status = slice_of(row->status);
	}
	if (enhanced_offered && reply->has_enhanced) {
		struct str code = STR_INIT;

		status_print(&code, reply->enhanced);
		d->status = arena_dup(a, str_slice(&code));
		str_done(&code);
	}
	diag_fit_status(d, a);
	return d->fate == FATE_FAILED && row->is_abnormal &&
	       phase < SMTP_PHASE_END;
}
