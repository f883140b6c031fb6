/*
 * deliverby.c - what a deadline means for one recipient (RFC 2852 4).
 */
#include "smtpta/deliverby.h"

static bool must_return(const struct ctl_deliverby *by)
{
	return by->is_set && by->do_return;
}

/* Seconds left; a deadline may be anything. */
static int64_t time_left(const struct ctl_deliverby *by, int64_t now)
{
	int64_t left;

	if (__builtin_sub_overflow(by->deadline, now, &left))
		return by->deadline < now ? INT64_MIN : INT64_MAX;
	return left;
}

struct smtp_by deliverby_param(const struct ctl_deliverby *by)
{
	if (!by->is_set)
		return (struct smtp_by){ 0 };
	return (struct smtp_by){ .is_set = true,
				 .deadline = by->deadline,
				 .mode = by->do_return ? 'R' : 'N',
				 .trace = by->do_trace };
}

bool deliverby_same(const struct ctl_deliverby *a,
		    const struct ctl_deliverby *b)
{
	if (!a->is_set || !b->is_set)
		return a->is_set == b->is_set;
	return a->deadline == b->deadline && a->do_return == b->do_return &&
	       a->do_trace == b->do_trace;
}

const struct diag *deliverby_expired(const struct ctl_deliverby *by,
				     int64_t now, struct arena *a)
{
	struct diag *d;

	if (!must_return(by) || time_left(by, now) > 0)
		return NULL;
	d = ARENA_NEW(a, struct diag);
	d->fate = FATE_FAILED;
	d->reason = "deliver-by-expired";
	d->status = SLICE("5.4.7 (delivery time expired)");
	d->diagnostic = SLICE("x-local; 500 (deliver-by time has passed)");
	d->text = SLICE("deliver-by time has passed: the mail is returned, as "
			"its sender asked");
	return d;
}

const struct diag *deliverby_unsuited(const struct ctl_deliverby *by,
				      const struct caps *caps, int64_t now,
				      struct arena *a)
{
	int64_t left = time_left(by, now);
	struct diag *d;

	if (!must_return(by) ||
	    (caps->deliverby && (int64_t)caps->deliverby_min <= left))
		return NULL;
	d = ARENA_NEW(a, struct diag);
	d->fate = FATE_FAILED;
	d->reason = "deliver-by-unsuited";
	d->status = SLICE("5.3.3 (system not capable of selected features)");
	if (caps->deliverby) {
		d->diagnostic = arena_printf(
		    a,
		    "x-local; 500 (deliver-by time of %lld seconds is less "
		    "than the remote system's minimum: %llu)",
		    (long long)left, (unsigned long long)caps->deliverby_min);
		d->text = arena_printf(
		    a,
		    "only %lld seconds are left to deliver, and the host does "
		    "not promise less than %llu",
		    (long long)left, (unsigned long long)caps->deliverby_min);
	} else {
		d->diagnostic = SLICE("x-local; 500 (remote system does not "
				      "offer DELIVERBY)");
		d->text = SLICE("host does not offer DELIVERBY, and the sender "
				"wants the mail back rather than late");
	}
	return d;
}

bool deliverby_asks_delay(const struct ctl_deliverby *by,
			  const struct caps *caps)
{
	return by->is_set && !by->do_return && !caps->deliverby;
}

bool deliverby_tells_relay(const struct ctl_dsn *dsn, const struct caps *caps)
{
	const struct ctl_deliverby *by = &dsn->by;

	if (!by->is_set || (dsn->notify & NOTIFY_NEVER) != 0)
		return false;
	return by->do_trace || deliverby_asks_delay(by, caps);
}
