/*
 * envelope.c - who sends what to whom, and how the spool's files say it.
 */
#include "subm/envelope.h"

#include "base/keyword.h"
#include "base/xtext.h"
#include "mime/charset.h"
#include "smtp/address.h"
#include "smtp/path.h"
#include "spool/ctl.h"
#include "subm/head.h"
#include "subm/where.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { IDENTITY_MAX = 998 }; /* a line's length, RFC 5322 2.1.1 */

/* Adds the name of this machine to an address that is a login name. */
static int qualify(const struct subm_request *r, struct slice login,
		   struct arena *a, struct slice *ret, struct err *err)
{
	struct slice name = r->mail_name.len > 0 ? r->mail_name : r->host_name;

	if (!helo_name_valid(name)) {
		err_set(err, 0,
			"the sender needs a domain, and this host's name '%.*s'"
			" is none; use -f USER@DOMAIN",
			SLICE_ARG(name));
		return EX_CONFIG;
	}
	*ret = arena_printf(a, "%.*s@%.*s", SLICE_ARG(login), SLICE_ARG(name));
	return EX_OK;
}

static int make_sender(const struct subm_request *r, struct arena *a,
		       struct slice *ret, struct err *err)
{
	struct slice given = r->has_sender ? r->sender : r->login;
	struct address address;
	int code;

	if (!r->has_sender && r->login.len == 0) {
		err_set(err, 0, "uid %ju has no login name; use -f SENDER",
			(uintmax_t)r->uid);
		return EX_NOUSER;
	}
	if (address_parse(given, "sender", r->has_sender, &address, err) < 0)
		return EX_DATAERR;
	if (address.text.len > 0 && !address.has_domain) {
		code = qualify(r, address.text, a, &given, err);
		if (code != EX_OK)
			return code;
		if (address_parse(given, "sender", false, &address, err) < 0)
			return EX_DATAERR;
	}
	*ret = address.text;
	return EX_OK;
}

/* ---- recipients --------------------------------------------------------- */

/* Two rows of a table of pointers; the earlier recipient is first. */
static int compare_rcpts(const void *left, const void *right)
{
	const struct subm_rcpt *a = *(const struct subm_rcpt *const *)left;
	const struct subm_rcpt *b = *(const struct subm_rcpt *const *)right;
	int order = slice_order(a->address, b->address);

	if (order == 0)
		order = slice_order(a->host, b->host);
	if (order == 0)
		order = slice_order(a->channel, b->channel);
	return order != 0 ? order : (a > b) - (a < b);
}

static bool is_same_rcpt(const struct subm_rcpt *a, const struct subm_rcpt *b)
{
	return slice_eq(a->address, b->address) && slice_eq(a->host, b->host) &&
	       slice_eq(a->channel, b->channel);
}

/* Leaves the first of recipients that are the same; the order stays. */
static void drop_doubles(struct subm_envelope *e, struct arena *a)
{
	struct subm_rcpt **rows = arena_array(a, e->n_rcpts, sizeof(*rows));
	bool *is_double = arena_array(a, e->n_rcpts, sizeof(*is_double));
	size_t kept = 0;

	for (size_t i = 0; i < e->n_rcpts; i++)
		rows[i] = &e->rcpts[i];
	qsort(rows, e->n_rcpts, sizeof(*rows), compare_rcpts);
	for (size_t i = 1; i < e->n_rcpts; i++)
		is_double[rows[i] - e->rcpts] =
		    is_same_rcpt(rows[i], rows[i - 1]);
	for (size_t i = 0; i < e->n_rcpts; i++)
		if (!is_double[i])
			e->rcpts[kept++] = e->rcpts[i];
	e->n_rcpts = kept;
}

static int check_request(const struct subm_request *r, struct err *err)
{
	bool chooses = r->channel.p != NULL || r->has_host;

	if (r->may_not_choose && (chooses || r->is_raw)) {
		err_set(err, 0,
			"permission denied: only root and the users that"
			" TRUSTEDUSER in zmailer.conf names may choose %s",
			chooses ? "channel and host" : "a raw header");
		return EX_NOPERM;
	}
	if (r->n_rcpts == 0) {
		err_set(err, 0, "no recipient is given");
		return EX_USAGE;
	}
	if ((r->channel.p != NULL &&
	     address_channel_check(r->channel, err) < 0) ||
	    (r->has_host && address_host_check(r->host, err) < 0))
		return EX_DATAERR;
	if (r->envid.len > 0 && !envid_valid(r->envid)) {
		err_set(err, 0,
			"envelope id '%.*s': not xtext of at most 100"
			" bytes",
			SLICE_ARG(slice_head(r->envid, 100)));
		return EX_DATAERR;
	}
	return EX_OK;
}

int subm_envelope_make(const struct subm_request *r, struct arena *a,
		       struct subm_envelope *ret, struct err *err)
{
	struct subm_envelope e = {
		.channel = r->channel.p != NULL ? r->channel : SLICE("smtp"),
		.uid = r->uid,
		.request = r,
	};
	int code = check_request(r, err);

	if (code == EX_OK)
		code = make_sender(r, a, &e.sender, err);
	if (code != EX_OK)
		return code;
	e.rcpts = arena_array(a, r->n_rcpts, sizeof(*e.rcpts));
	while (code == EX_OK && e.n_rcpts < r->n_rcpts) {
		code = subm_where(r, r->rcpts[e.n_rcpts], a,
				  &e.rcpts[e.n_rcpts], err);
		if (e.n_rcpts < r->n_wishes)
			e.rcpts[e.n_rcpts].wish = &r->wishes[e.n_rcpts];
		e.n_rcpts++;
	}
	if (code != EX_OK)
		return code;
	drop_doubles(&e, a);
	*ret = e;
	return EX_OK;
}

/* ---- the message file --------------------------------------------------- */

static void add_bracketed(struct str *to, const char *keyword,
			  struct slice address)
{
	str_adds(to, keyword);
	str_adds(to, " <");
	str_add(to, address);
	str_adds(to, ">\n");
}

static const char *ret_text(enum ctl_ret ret)
{
	return ret == CTL_RET_FULL ? "FULL" : "HDRS";
}

static void add_wishes(struct str *to, const struct subm_request *r)
{
	if (r->body != SUBM_BODY_UNKNOWN)
		str_addf(to, "bodytype %s\n",
			 r->body == SUBM_BODY_7BIT ? "7BIT" : "8BITMIME");
	if (r->envid.len > 0)
		str_addf(to, "envid %.*s\n", SLICE_ARG(r->envid));
	if (r->ret != CTL_RET_NONE)
		str_addf(to, "notaryret %s\n", ret_text(r->ret));
}

void subm_envelope_print(struct str *to, const struct subm_envelope *e)
{
	if (e->sender.len == 0)
		str_adds(to, "channel error\n");
	else
		add_bracketed(to, "from", e->sender);
	if (e->request != NULL)
		add_wishes(to, e->request);
	for (size_t i = 0; i < e->n_rcpts; i++)
		add_bracketed(to, "to", e->rcpts[i].address);
	str_adds(to, "env-end\n");
}

/* channel SP host SP user SP privilege LF */
static void add_quad(struct str *to, struct slice channel, struct slice host,
		     struct slice user, uint64_t uid)
{
	const struct slice words[] = { channel, host, user };

	for (size_t i = 0; i < COUNT(words); i++) {
		ctl_print_token(to, words[i]);
		str_addc(to, ' ');
	}
	str_addu(to, uid);
	str_addc(to, '\n');
}

static void add_line(struct str *to, const char *letter, struct slice value)
{
	str_adds(to, letter);
	str_addc(to, ' ');
	str_add(to, value);
	str_addc(to, '\n');
}

static void add_notify(struct str *to, unsigned notify)
{
	static const struct keyword words[] = {
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};
	const char *comma = "";

	str_adds(to, "NOTIFY=");
	if (notify == NOTIFY_NEVER)
		str_adds(to, "NEVER");
	for (size_t i = 0; notify != NOTIFY_NEVER && i < COUNT(words); i++)
		if ((notify & (unsigned)words[i].value) != 0) {
			str_addf(to, "%s%s", comma, words[i].word);
			comma = ",";
		}
}

/* What RFC 3461 5.2.1 makes of a recipient without any is the default. */
static unsigned notify_of(const struct subm_request *r,
			  const struct subm_wish *wish)
{
	if (wish != NULL && wish->has_notify)
		return wish->notify;
	return r != NULL && r->has_notify ? r->notify : NOTIFY_FAILURE;
}

/*
 * The recipient as it was given; of type rfc822 if it is ASCII, else utf-8 (RFC
 * 6533 section 3). At most 500 bytes; where it cannot be written it is left
 * out.
 */
static void add_original(struct str *to, const struct subm_rcpt *rcpt)
{
	struct slice original =
	    rcpt->original.len > 0 ? rcpt->original : rcpt->address;
	struct str orcpt = STR_INIT;

	if (!slice_has_8bit(original)) {
		str_adds(&orcpt, "rfc822;");
		xtext_encode(&orcpt, original);
	} else if (utf8_text_is_wide(original)) {
		str_adds(&orcpt, "utf-8;");
		xtext_quote_utf8(&orcpt, original, true, '\0');
	}
	if (orcpt_valid(str_slice(&orcpt)))
		str_addf(to, " ORCPT=%s", orcpt.p);
	str_done(&orcpt);
}

static void add_dsn(struct str *to, const struct subm_request *r,
		    const struct subm_rcpt *rcpt)
{
	str_adds(to, "N ");
	add_notify(to, notify_of(r, rcpt->wish));
	if (rcpt->wish != NULL && rcpt->wish->orcpt.len > 0)
		str_addf(to, " ORCPT=%.*s", SLICE_ARG(rcpt->wish->orcpt));
	else
		add_original(to, rcpt);
	if (r != NULL && r->by.is_set)
		str_addf(to, " BY=%jd;%s%s", (intmax_t)(r->now + r->by.seconds),
			 r->by.do_return ? "R" : "N",
			 r->by.do_trace ? "T" : "");
	if (r != NULL && r->requires_tls)
		str_adds(to, " REQUIRETLS");
	str_addc(to, '\n');
}

static void add_rcpt(struct str *to, const struct subm_envelope *e,
		     const struct subm_rcpt *rcpt)
{
	str_addf(to, "r%c%*s%*s", CTL_TAG_TODO, CTL_PID_WIDTH, "",
		 CTL_DELAY_WIDTH, "");
	add_quad(to, rcpt->channel.len > 0 ? rcpt->channel : e->channel,
		 rcpt->host, rcpt->address, e->uid);
	add_dsn(to, e->request, rcpt);
}

/* RET and ENVID, which concern the whole message. */
static void add_report_lines(struct str *to, const struct subm_request *r)
{
	if (r->ret != CTL_RET_NONE)
		add_line(to, "R", slice_of(ret_text(r->ret)));
	if (r->envid.len > 0)
		add_line(to, "n", r->envid);
}

void subm_control_print(struct str *to, const struct subm_envelope *e,
			const struct subm_content *content)
{
	bool is_null = e->sender.len == 0;

	str_addf(to, "@ 0x%08x\n", (unsigned)CTL_FLAGS_KNOWN);
	add_line(to, "i", content->name);
	str_adds(to, "o ");
	str_addu(to, content->body_offset);
	str_addc(to, '\n');
	add_line(to, "l", content->identity);
	str_adds(to, "s ");
	add_quad(to, is_null ? SLICE("error") : SLICE("local"), SLICE("-"),
		 is_null ? SLICE("-") : e->sender, e->uid);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		add_rcpt(to, e, &e->rcpts[i]);
		if (i == 0 && e->request != NULL)
			add_report_lines(to, e->request);
	}
	str_adds(to, "m\n");
	str_add(to, content->fields);
	str_addc(to, '\n');
}

void subm_identity_print(struct str *to, struct slice fields,
			 struct slice spool_id, struct slice host_name)
{
	struct slice value = { 0 };
	struct str line = STR_INIT;

	if (subm_head_find(fields, SLICE("Message-ID"), &value)) {
		struct slice part;

		while (slice_cut(&value, '\n', &part))
			str_add(&line, part);
	}
	value = slice_trim(str_slice(&line));
	if (value.len > 0) {
		str_add_clean(to, value, IDENTITY_MAX);
	} else {
		str_addc(to, '<');
		str_add(to, spool_id);
		str_addc(to, '@');
		str_add_clean(to, host_name, IDENTITY_MAX);
		str_addc(to, '>');
	}
	str_done(&line);
}
