/*
 * envelope.c - from the control file's words to those of MAIL and RCPT.
 */
#include "smtpta/envelope.h"

#include "base/xtext.h"
#include "smtp/path.h"

static const struct diag *refuse(enum path_verdict verdict, const char *status,
				 const char *what, struct slice address,
				 struct arena *a)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = FATE_FAILED;
	d->reason = "bad-address";
	d->status =
	    verdict == PATH_NEEDS_SMTPUTF8 ? SLICE("5.6.7") : slice_of(status);
	d->diagnostic = arena_printf(a, "x-local; 500 (%s %s)", what,
				     path_verdict_text(verdict));
	d->text =
	    arena_printf(a, "%s %s: <%.*s>", what, path_verdict_text(verdict),
			 SLICE_ARG(slice_head(address, 300)));
	return d;
}

const struct diag *envelope_check_sender(const struct ctl_sender *sender,
					 struct arena *a)
{
	enum path_verdict verdict = path_check(sender->address.user);

	if (sender->is_null || verdict == PATH_OK)
		return NULL;
	return refuse(verdict, "5.1.7", "sender", sender->address.user, a);
}

const struct diag *envelope_check_rcpt(const struct ctl_rcpt *rcpt,
				       struct arena *a)
{
	enum path_verdict verdict = path_check(rcpt->address.user);

	if (verdict == PATH_OK)
		return NULL;
	return refuse(verdict, "5.1.3", "recipient", rcpt->address.user, a);
}

void envelope_mail(const struct ctl *ctl, const struct ctl_sender *sender,
		   struct smtp_transaction *t)
{
	t->sender = sender->is_null ? SLICE("") : sender->address.user;
	if (envid_valid(ctl->envid))
		t->envid = ctl->envid;
	if (ctl->ret == CTL_RET_FULL)
		t->ret = SLICE("FULL");
	if (ctl->ret == CTL_RET_HDRS)
		t->ret = SLICE("HDRS");
}

static struct slice notify_value(const struct ctl_dsn *dsn, struct arena *a)
{
	unsigned n = dsn->notify;

	if (!dsn->is_present || !dsn->has_notify)
		return SLICE("FAILURE");
	if ((n & NOTIFY_NEVER) != 0)
		return SLICE("NEVER");
	n &= NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	if (n == 0)
		return SLICE("FAILURE,DELAY");
	return slice_from(
	    arena_printf(a, "%s%s%s",
			 (n & NOTIFY_SUCCESS) != 0 ? ",SUCCESS" : "",
			 (n & NOTIFY_FAILURE) != 0 ? ",FAILURE" : "",
			 (n & NOTIFY_DELAY) != 0 ? ",DELAY" : ""),
	    1);
}

struct smtp_rcpt envelope_rcpt(const struct ctl_rcpt *rcpt, struct arena *a)
{
	struct smtp_rcpt r = { .path = rcpt->address.user };

	r.notify = notify_value(&rcpt->dsn, a);
	r.orcpt = rcpt->dsn.orcpt;
	if (!orcpt_valid(r.orcpt)) {
		struct str made = STR_INIT;

		str_adds(&made, "rfc822;");
		xtext_encode(&made, rcpt->address.user);
		r.orcpt = arena_dup(a, str_slice(&made));
		str_done(&made);
	}
	if (!orcpt_valid(r.orcpt))
		r.orcpt = SLICE("");
	return r;
}
