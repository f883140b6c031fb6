/*
 * ctl_fuzz.c - whatever a control file holds, what is read from it lies
 * inside it and fits together.
 */
#include "spool/ctl.h"

#include "base/fuzz.h"

static struct slice text;

/* An empty slice may point anywhere. */
static void check_inside(struct slice s)
{
	FUZZ_CHECK(s.len == 0 ||
		   (s.p >= text.p && s.len <= text.len &&
		    s.p - text.p <= (ptrdiff_t)(text.len - s.len)));
}

static void check_letter(size_t offset, char letter)
{
	FUZZ_CHECK(offset < text.len);
	FUZZ_CHECK(text.p[offset] == letter);
	FUZZ_CHECK(offset == 0 || text.p[offset - 1] == '\n');
}

static void check_address(const struct ctl_address *a)
{
	check_inside(a->channel);
	check_inside(a->host);
	check_inside(a->user);
	check_inside(a->privilege);
	FUZZ_CHECK(a->channel.len > 0 && a->host.len > 0);
	FUZZ_CHECK(a->user.len > 0 && a->privilege.len > 0);
	FUZZ_CHECK(!slice_has(a->user, '\n') && !slice_has(a->user, '\0'));
}

static void check_header(const struct ctl_header *h)
{
	check_letter(h->offset - 2, 'm');
	check_inside(h->text);
	FUZZ_CHECK(h->text.len == 0 || h->text.p == text.p + h->offset);
	FUZZ_CHECK(h->text.len == 0 || h->text.p[h->text.len - 1] == '\n');
	FUZZ_CHECK(slice_find_text(h->text, SLICE("\n\n")) == h->text.len);
	FUZZ_CHECK(text.p[h->offset + h->text.len] == '\n');
}

static void check_dsn(const struct ctl_rcpt *r)
{
	const struct ctl_dsn *dsn = &r->dsn;

	if (!dsn->is_present) {
		FUZZ_CHECK(dsn->notify == NOTIFY_FAILURE && !dsn->by.is_set);
		return;
	}
	check_letter(dsn->offset, 'N');
	FUZZ_CHECK(dsn->offset > r->offset);
	check_inside(dsn->orcpt);
	check_inside(dsn->inrcpt);
	check_inside(dsn->infrom);
	check_inside(dsn->ezmlm);
	FUZZ_CHECK((dsn->notify & NOTIFY_NEVER) == 0 ||
		   dsn->notify == NOTIFY_NEVER);
	FUZZ_CHECK(!dsn->by.is_set || dsn->by.do_return || dsn->by.do_notify);
}

static void check_rcpt(const struct ctl *ctl, size_t i)
{
	const struct ctl_rcpt *r = &ctl->rcpts[i];

	check_letter(r->offset, 'r');
	FUZZ_CHECK(text.p[r->offset + 1] == r->tag);
	FUZZ_CHECK(i == 0 || r->offset > ctl->rcpts[i - 1].offset);
	FUZZ_CHECK(r->pid_slot.len == (r->has_pid_slot ? CTL_PID_WIDTH : 0));
	FUZZ_CHECK(!r->has_pid_slot || r->pid_slot.p == text.p + r->offset + 2);
	check_address(&r->address);
	FUZZ_CHECK(r->sender != NULL && r->sender->offset < r->offset);
	check_letter(r->sender->offset, 's');
	check_address(&r->sender->address);
	FUZZ_CHECK(r->header != NULL && r->header->offset > r->offset);
	check_header(r->header);
	check_dsn(r);
}

static void check(const struct ctl *ctl)
{
	FUZZ_CHECK((ctl->flags & ~(unsigned)CTL_FLAGS_KNOWN) == 0);
	FUZZ_CHECK(ctl->message_name.len > 0);
	FUZZ_CHECK(ctl->body_offset <= INT64_MAX);
	FUZZ_CHECK(ctl->largest_block <= text.len);
	check_inside(ctl->message_name);
	check_inside(ctl->log_identity);
	check_inside(ctl->verbose_file);
	check_inside(ctl->envid);
	for (size_t i = 0; i < ctl->n_rcpts; i++)
		check_rcpt(ctl, i);
	FUZZ_CHECK(ctl_size_estimate(ctl, text.len) >= 82);
}

FUZZ(data, size)
{
	struct arena *a = arena_new();
	struct ctl ctl;
	struct err err = { 0 };

	text = slice_make((const char *)data, size);
	switch (ctl_parse(text, a, &ctl, &err)) {
	case CTL_OK:
		check(&ctl);
		break;
	case CTL_UNSUPPORTED:
		FUZZ_CHECK((ctl.flags & ~(unsigned)CTL_FLAGS_KNOWN) != 0);
		break;
	case CTL_TURN:
		FUZZ_CHECK(text.p[0] == 'T');
		break;
	case CTL_REFUSED:
		FUZZ_CHECK(err.text[0] != '\0');
		break;
	}
	arena_free(a);
	return 0;
}
