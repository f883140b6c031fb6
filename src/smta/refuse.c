/*
 * refuse.c - addresses that no mailer is run for.
 */
#include "smta/refuse.h"

#include "smta/flags.h"
#include "smtp/path.h"

/* Which of an envelope's two addresses is at fault (RFC 3463 3.2). */
struct party {
	const char *reason, *status, *diagnostic;
};

static const struct party recipient = {
	"bad-recipient", "5.1.3 (bad destination mailbox address)",
	"x-local; 501 (bad destination mailbox address)"
};

static const struct party sender_party = {
	"bad-sender", "5.1.7 (bad sender's mailbox address)",
	"x-local; 501 (bad sender's mailbox address)"
};

static struct diag failure(const struct party *p, struct slice text)
{
	return (struct diag){ .fate = FATE_FAILED,
			      .reason = p->reason,
			      .status = slice_of(p->status),
			      .diagnostic = slice_of(p->diagnostic),
			      .text = text };
}

static struct diag not_ascii(struct slice text)
{
	return (struct diag){ .fate = FATE_FAILED,
			      .reason = "needs-smtputf8",
			      .status = SLICE("5.6.7 (non-ASCII address)"),
			      .diagnostic =
				  SLICE("x-local; 553 (non-ASCII address)"),
			      .text = text };
}

static bool has_control(const struct ctl_address *a)
{
	return slice_has_control(a->user) || slice_has_control(a->host);
}

/* Would this address be malformed in MAIL or RCPT? */
static bool is_bad_path(struct slice address, const struct party *p,
			struct diag *ret)
{
	switch (path_check(address)) {
	case PATH_OK:
		return false;
	case PATH_NEEDS_SMTPUTF8:
		*ret = not_ascii(SLICE("batched SMTP cannot carry an address "
				       "that is not ASCII"));
		return true;
	case PATH_TOO_LONG:
		*ret = failure(p, SLICE("the address is too long"));
		return true;
	case PATH_EMPTY:
	case PATH_BAD_SYNTAX:
		break;
	}
	*ret = failure(p, SLICE("the address is malformed"));
	return true;
}

bool refuse_addresses(unsigned flags, const struct ctl_sender *sender,
		      const struct ctl_rcpt *rcpt, struct diag *ret)
{
	if (has_control(&rcpt->address)) {
		*ret = failure(&recipient,
			       SLICE("the recipient's address holds a control "
				     "character"));
		return true;
	}
	if (has_control(&sender->address)) {
		*ret = failure(&sender_party,
			       SLICE("the sender's address holds a control "
				     "character"));
		return true;
	}
	if (!(flags & SMTA_BSMTP))
		return false;
	return is_bad_path(rcpt->address.user, &recipient, ret) ||
	       (!sender->is_null &&
		is_bad_path(sender->address.user, &sender_party, ret));
}

struct diag refuse_option_like(struct slice sequence, struct arena *a)
{
	return failure(&recipient,
		       arena_printf(a,
				    "the value of %.*s begins with '-' and "
				    "would be taken for an option",
				    SLICE_ARG(sequence)));
}

struct diag refuse_too_long(void)
{
	return failure(&recipient,
		       SLICE("the address is too long for an argument"));
}
