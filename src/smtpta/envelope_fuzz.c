/*
 * envelope_fuzz.c - hostile words of a control file as parts of commands.
 *
 * Input: two bytes of choices, then fields between bytes 1F: the VERP tail if
 * one is chosen, sender, ENVID, and address and ORCPT of each recipient. What
 * passes the checks goes through an engine whose server offers everything,
 * everything but SMTPUTF8, or nothing. Invariants: each command is one line,
 * of ASCII unless SMTPUTF8 is said, and else of UTF-8; a strict reader of RFC
 * 5321 4.1.2 finds in it just the address that was given and known parameters,
 * each once; what is refused is refused for good, with a status of its own.
 */
#include "smtpta/envelope.h"

#include "base/fuzz.h"
#include "base/keyword.h"
#include "mime/charset.h"

enum {
	RCPTS_MAX = 4,
	SEPARATOR = 0x1f,
	/* Choices, first byte; the second is NOTIFY. */
	NULL_SENDER = 4,
	HAS_DSN_LINE = 8,
	HAS_NOTIFY = 16,
	OFFER_NOTHING = 32,
	OFFER_SMTPUTF8 = 64,
	HAS_TAIL = 128
};

struct run {
	struct arena *arena;
	unsigned choices, notify;
	struct smtp_engine *engine;
	struct str said; /* everything the engine wrote since EHLO */
};

/* ---- a strict reader ---------------------------------------------------- */

/* The path between '<' and '>' at the start of *rest, which moves behind it. */
static struct slice read_path(struct slice *rest)
{
	bool is_quoted = false;
	struct slice path;
	size_t at;

	FUZZ_CHECK(slice_starts(*rest, SLICE("<")));
	for (at = 1; at < rest->len; at++) {
		char c = rest->p[at];

		if (is_quoted && c == '\\')
			at++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && c == '>')
			break;
		else
			FUZZ_CHECK(is_quoted || (c != ' ' && c != '<'));
	}
	FUZZ_CHECK(at < rest->len);
	path = slice_from(slice_head(*rest, at), 1);
	*rest = slice_from(*rest, at + 1);
	return path;
}

static void check_value(struct slice value)
{
	FUZZ_CHECK(value.len > 0);
	for (size_t i = 0; i < value.len; i++)
		FUZZ_CHECK((unsigned char)value.p[i] > ' ' &&
			   value.p[i] != 0x7f && value.p[i] != '=');
}

/* *(SP KEY ["=" VALUE]), each key one of the table's and there only once. */
static unsigned check_params(struct slice rest, const struct keyword *keys,
			     size_t n)
{
	struct slice param, key;
	unsigned seen = 0;

	if (rest.len == 0)
		return 0;
	FUZZ_CHECK(rest.p[0] == ' ');
	rest = slice_from(rest, 1);
	while (slice_cut(&rest, ' ', &param)) {
		const struct keyword *row;

		FUZZ_CHECK(slice_cut(&param, '=', &key));
		row = keyword_find(keys, n, key);
		FUZZ_CHECK(row != NULL && (seen & (unsigned)row->value) == 0);
		seen |= (unsigned)row->value;
		if (param.p != NULL)
			check_value(param);
		else
			FUZZ_CHECK(slice_eq(key, SLICE("SMTPUTF8")));
	}
	return seen;
}

static void check_mail(struct slice line, const struct smtp_transaction *t)
{
	static const struct keyword keys[] = {
		{ "BODY", 1 }, { "SIZE", 2 },	   { "ENVID", 4 },
		{ "RET", 8 },  { "SMTPUTF8", 16 },
	};
	struct slice rest = slice_from(line, 10);
	unsigned seen;

	FUZZ_CHECK(slice_starts(line, SLICE("MAIL FROM:")));
	FUZZ_CHECK(slice_eq(read_path(&rest), t->sender));
	seen = check_params(rest, keys, COUNT(keys));
	FUZZ_CHECK(((seen & 16) != 0) == t->needs_smtputf8);
}

static void check_rcpt(struct slice line, struct slice path)
{
	static const struct keyword keys[] = { { "NOTIFY", 1 },
					       { "ORCPT", 2 } };
	struct slice rest = slice_from(line, 8);

	FUZZ_CHECK(slice_starts(line, SLICE("RCPT TO:")));
	FUZZ_CHECK(slice_eq(read_path(&rest), path));
	check_params(rest, keys, COUNT(keys));
}

/* Cuts a line, which must end in CRLF and hold nothing strange. */
static struct slice next_line(struct slice *rest, bool is_smtputf8)
{
	size_t at = slice_find_text(*rest, SLICE("\r\n"));
	struct slice line = slice_head(*rest, at);

	FUZZ_CHECK(at < rest->len);
	FUZZ_CHECK(!slice_has_control(line));
	FUZZ_CHECK(!slice_has_8bit(line) ||
		   (is_smtputf8 && utf8_text_is_wide(line)));
	*rest = slice_from(*rest, at + 2);
	return line;
}

static void check_dialogue(struct slice said, const struct smtp_transaction *t)
{
	bool is_utf8 = t->needs_smtputf8;

	check_mail(next_line(&said, is_utf8), t);
	for (size_t i = 0; i < t->n_rcpts; i++)
		check_rcpt(next_line(&said, is_utf8), t->rcpts[i].path);
	FUZZ_CHECK(slice_eq(next_line(&said, is_utf8), SLICE("DATA")));
	FUZZ_CHECK(said.len == 0);
}

/* ---- the engine --------------------------------------------------------- */

static void take_output(struct run *r)
{
	struct slice out = smtp_output(r->engine);

	str_add(&r->said, out);
	smtp_sent(r->engine, out.len);
}

static bool offers_smtputf8(const struct run *r)
{
	return (r->choices & (OFFER_NOTHING | OFFER_SMTPUTF8)) ==
	       OFFER_SMTPUTF8;
}

static void open_engine(struct run *r)
{
	struct smtp_config config = { .helo_name = SLICE("client.example") };
	struct smtp_event event;

	r->engine = smtp_new(&config);
	smtp_input(r->engine, SLICE("220 hi\r\n"));
	take_output(r);
	if ((r->choices & OFFER_NOTHING) != 0)
		smtp_input(r->engine, SLICE("250 mx.example\r\n"));
	else
		smtp_input(r->engine, SLICE("250-mx.example\r\n250-DSN\r\n"
					    "250-SIZE\r\n250-8BITMIME\r\n"));
	if (offers_smtputf8(r))
		smtp_input(r->engine, SLICE("250-SMTPUTF8\r\n"));
	if ((r->choices & OFFER_NOTHING) == 0)
		smtp_input(r->engine, SLICE("250 PIPELINING\r\n"));
	FUZZ_CHECK(smtp_event(r->engine, &event) &&
		   event.kind == SMTP_EVENT_READY);
	str_clear(&r->said);
}

static void send(struct run *r, struct smtp_transaction *t)
{
	open_engine(r);
	smtp_add(r->engine, t);
	take_output(r);
	/* Yes to MAIL and to each RCPT; the reply to DATA never comes. */
	for (size_t i = 0; i <= t->n_rcpts; i++) {
		smtp_input(r->engine, SLICE("250 ok\r\n"));
		take_output(r);
	}
	check_dialogue(str_slice(&r->said), t);
	smtp_free(r->engine);
}

/* ---- the words ---------------------------------------------------------- */

static struct slice cut_field(struct slice *rest)
{
	struct slice field = slice_make(NULL, 0);

	(void)slice_cut(rest, SEPARATOR, &field);
	return field;
}

static void check_refusal(const struct diag *d, const char *status)
{
	FUZZ_CHECK(d->fate == FATE_FAILED && d->reason != NULL);
	FUZZ_CHECK(slice_eq(d->status, slice_of(status)));
	FUZZ_CHECK(d->text.len > 0 && d->text.len < 500);
	FUZZ_CHECK(d->diagnostic.len > 0);
}

/*
 * Reads one recipient; false if it is refused, or does not go with the first.
 */
static bool make_rcpt(struct run *r, struct slice *in, struct ctl_rcpt *rcpt,
		      struct smtp_rcpt *ret)
{
	const struct diag *d;

	rcpt->address.user = cut_field(in);
	rcpt->dsn.orcpt = cut_field(in);
	rcpt->dsn.is_present = (r->choices & HAS_DSN_LINE) != 0;
	rcpt->dsn.has_notify = (r->choices & HAS_NOTIFY) != 0;
	rcpt->dsn.notify = r->notify;
	d = envelope_recipient(rcpt, r->arena, &ret->path);
	if (d != NULL)
		check_refusal(d, "5.1.3");
	return d == NULL;
}

/* Reads the recipients of one transaction. */
static void read_rcpts(struct run *r, struct slice in,
		       const struct ctl_rcpt *model, struct smtp_transaction *t)
{
	struct ctl_rcpt ctls[RCPTS_MAX];

	while (in.p != NULL && t->n_rcpts < RCPTS_MAX) {
		ctls[t->n_rcpts] = *model;
		if (make_rcpt(r, &in, &ctls[t->n_rcpts],
			      &t->rcpts[t->n_rcpts]) &&
		    envelope_go_together(&ctls[0], &ctls[t->n_rcpts], true))
			t->n_rcpts++;
	}
	t->needs_smtputf8 = slice_has_8bit(t->sender);
	for (size_t i = 0; i < t->n_rcpts; i++)
		t->needs_smtputf8 |= slice_has_8bit(t->rcpts[i].path);
	for (size_t i = 0; i < t->n_rcpts; i++)
		t->rcpts[i] =
		    envelope_rcpt(&ctls[i], t->rcpts[i].path, t->needs_smtputf8,
				  (r->choices & 2) != 0, r->arena);
}

static void run(struct run *r, struct slice in)
{
	struct ctl_sender sender = { 0 };
	struct ctl_rcpt model = { .tag = CTL_TAG_TODO, .sender = &sender };
	struct smtp_rcpt rcpts[RCPTS_MAX] = { 0 };
	struct smtp_transaction t = { .arena = r->arena, .rcpts = rcpts };
	struct ctl ctl = { .ret = (enum ctl_ret)((r->choices & 3) % 3) };
	const struct diag *d;

	if ((r->choices & HAS_TAIL) != 0)
		model.dsn.ezmlm = cut_field(&in);
	sender.address.user = cut_field(&in);
	sender.is_null = (r->choices & NULL_SENDER) != 0;
	ctl.envid = cut_field(&in);
	d = envelope_sender(&model, SLICE("S1AauAAAAA"), r->arena, &t.sender);
	if (d != NULL) {
		check_refusal(d, "5.1.7");
		return;
	}
	envelope_mail(&ctl, &t);
	t.size = 1234;
	t.is_8bit = true;
	read_rcpts(r, in, &model, &t);
	if (t.n_rcpts > 0 && (!t.needs_smtputf8 || offers_smtputf8(r)))
		send(r, &t);
}

FUZZ(data, size)
{
	struct run r = { 0 };

	if (size < 2)
		return 0;
	r.arena = arena_new();
	r.choices = data[0];
	r.notify = data[1];
	run(&r, slice_make((const char *)data + 2, size - 2));
	str_done(&r.said);
	arena_free(r.arena);
	return 0;
}
