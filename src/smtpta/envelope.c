/*
 * envelope.c - from the control file's words to those of MAIL and RCPT.
 */
#include "smtpta/envelope.h"

#include "mime/charset.h"
#include "net/idn.h"
#include "smtp/path.h"
#include "smtpta/deliverby.h"
#include "smtpta/orcpt.h"

/* ---- addresses ---------------------------------------------------------- */

static struct slice local_part(struct slice address)
{
	return slice_head(address, path_local_length(address));
}

/*
 * An address with a U-label domain behind an ASCII local part, as the wire
 * has it. What the mapping makes of a domain is checked like the address.
 */
static const char *with_ascii_domain(struct slice address, struct arena *a,
				     struct slice *ret_path)
{
	size_t local = path_local_length(address);
	struct str made = STR_INIT;
	enum path_verdict verdict;
	struct err err;

	str_add(&made, slice_head(address, local + 1));
	if (net_idn_ascii(slice_from(address, local + 1), &made, &err) < 0) {
		str_done(&made);
		return "address has an impossible domain";
	}
	verdict = path_check(str_slice(&made));
	if (verdict == PATH_OK)
		*ret_path = arena_dup(a, str_slice(&made));
	str_done(&made);
	return verdict == PATH_OK ? NULL : path_verdict_text(verdict);
}

/* What is wrong with an address, or NULL and its form on the wire. */
static const char *wire_form(struct slice address, struct arena *a,
			     struct slice *ret_path)
{
	enum path_verdict verdict = path_check(address);

	if (verdict == PATH_OK) {
		*ret_path = address;
		return NULL;
	}
	if (verdict != PATH_NEEDS_SMTPUTF8)
		return path_verdict_text(verdict);
	if (!utf8_text_is_wide(address))
		return "address is not UTF-8";
	if (!slice_has_8bit(local_part(address)))
		return with_ascii_domain(address, a, ret_path);
	*ret_path = address;
	return NULL;
}

static const struct diag *refuse(const char *status, const char *whose,
				 const char *why, struct slice address,
				 struct arena *a)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = FATE_FAILED;
	d->reason = "bad-address";
	d->status = slice_of(status);
	d->diagnostic = arena_printf(a, "x-local; 500 (%s %s)", whose, why);
	d->text = arena_printf(a, "%s %s: <%.*s>", whose, why,
			       SLICE_ARG(slice_head(address, 300)));
	return d;
}

/* The sender with a VERP tail. */
static struct slice with_tail(struct slice address, struct slice tail,
			      struct slice id, struct arena *a)
{
	bool is_quoted = slice_starts(address, SLICE("\""));
	size_t local = path_local_length(address);

	if (is_quoted && local > 0)
		local--; /* the closing quote comes behind the tail */
	return arena_printf(a, "%.*s%.*s-%.*s%.*s",
			    SLICE_ARG(slice_head(address, local)),
			    SLICE_ARG(tail), SLICE_ARG(id),
			    SLICE_ARG(slice_from(address, local)));
}

static bool same_domain(struct slice a, struct slice b)
{
	return slice_eq(slice_from(a, path_local_length(a)),
			slice_from(b, path_local_length(b)));
}

const struct diag *envelope_sender(const struct ctl_rcpt *rcpt,
				   struct slice verp_id, struct arena *a,
				   struct slice *ret_path)
{
	struct slice own = rcpt->sender->address.user, address = own;
	struct slice tail = rcpt->dsn.ezmlm;
	const char *why;

	if (rcpt->sender->is_null) {
		*ret_path = SLICE("");
		return NULL;
	}
	why = wire_form(address, a, ret_path);
	if (why == NULL && verp_id.len > 0 && tail.len > 0) {
		address = with_tail(address, tail, verp_id, a);
		why = wire_form(address, a, ret_path);
		if (why == NULL && !same_domain(address, own))
			why = "address gets another domain by its EZMLM= tail";
	}
	return why == NULL ? NULL : refuse("5.1.7", "sender", why, address, a);
}

const struct diag *envelope_recipient(const struct ctl_rcpt *rcpt,
				      struct arena *a, struct slice *ret_path)
{
	struct slice address = rcpt->address.user;
	const char *why = wire_form(address, a, ret_path);

	return why == NULL ? NULL
			   : refuse("5.1.3", "recipient", why, address, a);
}

/* ---- transactions ------------------------------------------------------- */

static bool needs_smtputf8(const struct ctl_rcpt *r)
{
	return slice_has_8bit(local_part(r->address.user)) ||
	       (!r->sender->is_null &&
		slice_has_8bit(local_part(r->sender->address.user)));
}

bool envelope_go_together(const struct ctl_rcpt *a, const struct ctl_rcpt *b,
			  bool ignore_ezmlm)
{
	if (!ignore_ezmlm && (a->dsn.ezmlm.len > 0 || b->dsn.ezmlm.len > 0))
		return false;
	return deliverby_same(&a->dsn.by, &b->dsn.by) &&
	       needs_smtputf8(a) == needs_smtputf8(b);
}

const struct diag *envelope_unsuited(struct slice address, struct arena *a)
{
	struct diag *d = ARENA_NEW(a, struct diag);

	d->fate = FATE_FAILED;
	d->reason = "smtputf8-unsuited";
	d->status = SLICE("5.6.7 (Non-ASCII addresses not permitted)");
	d->diagnostic =
	    SLICE("x-local; 500 (remote system does not offer SMTPUTF8)");
	d->text = arena_printf(
	    a, "host does not offer SMTPUTF8, which the mail needs: <%.*s>",
	    SLICE_ARG(slice_head(address, 300)));
	return d;
}

/* ---- MAIL and RCPT ------------------------------------------------------ */

void envelope_mail(const struct ctl *ctl, struct smtp_transaction *t)
{
	if (envid_valid(ctl->envid))
		t->envid = ctl->envid;
	if (ctl->ret == CTL_RET_FULL)
		t->ret = SLICE("FULL");
	if (ctl->ret == CTL_RET_HDRS)
		t->ret = SLICE("HDRS");
}

static struct slice notify_value(const struct ctl_dsn *dsn, bool asks_delay,
				 struct arena *a)
{
	unsigned n = dsn->notify;

	if (!dsn->is_present || !dsn->has_notify)
		n = NOTIFY_FAILURE;
	if ((n & NOTIFY_NEVER) != 0)
		return SLICE("NEVER");
	n &= NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY;
	if (n == 0)
		n = NOTIFY_FAILURE | NOTIFY_DELAY;
	if (asks_delay)
		n |= NOTIFY_DELAY;
	return slice_from(
	    arena_printf(a, "%s%s%s",
			 (n & NOTIFY_SUCCESS) != 0 ? ",SUCCESS" : "",
			 (n & NOTIFY_FAILURE) != 0 ? ",FAILURE" : "",
			 (n & NOTIFY_DELAY) != 0 ? ",DELAY" : ""),
	    1);
}

struct smtp_rcpt envelope_rcpt(const struct ctl_rcpt *rcpt, struct slice path,
			       bool is_smtputf8, bool asks_delay,
			       struct arena *a)
{
	return (struct smtp_rcpt){
		.path = path,
		.notify = notify_value(&rcpt->dsn, asks_delay, a),
		.orcpt = orcpt_value(rcpt->dsn.orcpt, path, is_smtputf8, a),
	};
}
