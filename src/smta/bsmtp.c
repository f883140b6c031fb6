/*
 * bsmtp.c - the envelope of batched SMTP (RFC 2442).
 */
#include "smta/bsmtp.h"

#include "base/keyword.h"
#include "smta/flags.h"
#include "smtp/path.h"

enum { BY_MAX = 999999999 }; /* RFC 2852 4: at most nine digits */

static bool has(const struct stream_facts *f, unsigned flags)
{
	return (f->flags & flags) != 0;
}

static void end_line(struct str *to, const struct stream_facts *f)
{
	str_adds(to, has(f, SMTA_CRLF) ? "\r\n" : "\n");
}

/*
 * BY=seconds;mode (RFC 2852 4): seconds from now, then R or N, then T. All
 * recipients of a message share what its sender asked for, so the first
 * recipient that has it speaks for all. A deadline that is over cannot be
 * sent with R: the receiver would have to refuse it.
 */
static void add_by(struct str *to, const struct stream_facts *f)
{
	const struct ctl_deliverby *by = NULL;
	int64_t left;

	for (size_t i = 0; i < f->n_rcpts && by == NULL; i++)
		if (f->rcpts[i]->dsn.by.is_set)
			by = &f->rcpts[i]->dsn.by;
	if (by == NULL || (!by->do_return && !by->do_notify))
		return;
	if (__builtin_sub_overflow(by->deadline, f->now, &left) ||
	    left > BY_MAX || left < -BY_MAX || (by->do_return && left <= 0))
		return;
	str_addf(to, " BY=%lld;%c%s", (long long)left,
		 by->do_return ? 'R' : 'N', by->do_trace ? "T" : "");
}

static void add_mail_parameters(struct str *to, const struct stream_facts *f)
{
	static const char *const words[] = {
		[CTL_RET_FULL] = "FULL", [CTL_RET_HDRS] = "HDRS"
	};

	if (has(f, SMTA_BSMTP_SIZE)) {
		str_adds(to, " SIZE=");
		str_addu(to, f->size);
		if (has(f, SMTA_8BIT) && f->sends_8bit)
			str_adds(to, " BODY=8BITMIME");
	}
	if (!has(f, SMTA_BSMTP_DSN))
		return;
	if (f->envid.len > 0 && envid_valid(f->envid)) {
		str_adds(to, " ENVID=");
		str_add(to, f->envid);
	}
	if (f->ret != CTL_RET_NONE)
		str_addf(to, " RET=%s", words[f->ret]);
	add_by(to, f);
}

void bsmtp_add_begin(struct str *to, const struct stream_facts *f)
{
	if (has(f, SMTA_HELO)) {
		str_adds(to, has(f, SMTA_BSMTP_SIZE) ? "EHLO " : "HELO ");
		str_add(to, helo_name_valid(f->host_name) ? f->host_name
							  : SLICE("localhost"));
		end_line(to, f);
	}
	str_adds(to, "MAIL FROM:<");
	if (!f->sender->is_null)
		str_add(to, f->sender->address.user);
	str_addc(to, '>');
	add_mail_parameters(to, f);
	end_line(to, f);
}

/* NEVER stands alone (RFC 3461 4.1); TRACE is no word of it. */
static void add_notify(struct str *to, const struct ctl_dsn *dsn)
{
	static const struct keyword words[] = {
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};
	const char *before = " NOTIFY=";

	if (dsn->notify & NOTIFY_NEVER) {
		str_addf(to, "%sNEVER", before);
		return;
	}
	for (size_t i = 0; i < COUNT(words); i++)
		if (dsn->notify & (unsigned)words[i].value) {
			str_addf(to, "%s%s", before, words[i].word);
			before = ",";
		}
}

void bsmtp_add_rcpt(struct str *to, const struct stream_facts *f,
		    const struct ctl_rcpt *r)
{
	str_adds(to, "RCPT TO:<");
	str_add(to, r->address.user);
	str_addc(to, '>');
	if (has(f, SMTA_BSMTP_DSN)) {
		if (r->dsn.has_notify)
			add_notify(to, &r->dsn);
		if (r->dsn.orcpt.len > 0 && orcpt_valid(r->dsn.orcpt)) {
			str_adds(to, " ORCPT=");
			str_add(to, r->dsn.orcpt);
		}
	}
	end_line(to, f);
}

void bsmtp_add_data(struct str *to, const struct stream_facts *f)
{
	str_adds(to, "DATA");
	end_line(to, f);
}

void bsmtp_add_end(struct str *to, const struct stream_facts *f)
{
	str_addc(to, '.');
	end_line(to, f);
	if (has(f, SMTA_HELO)) {
		str_adds(to, "QUIT");
		end_line(to, f);
	}
}
