/*
 * envelope.c - who sends what to whom, and how the spool's files say it.
 */
#include "subm/envelope.h"

#include "base/keyword.h"
#include "base/xtext.h"
#include "smtp/path.h"
#include "spool/ctl.h"
#include "subm/address.h"
#include "subm/head.h"

#include <sysexits.h>

enum { IDENTITY_MAX = 998 }; /* a line's length, RFC 5322 2.1.1 */

/* Adds the name of this machine to an address that is a login name. */
static int qualify(const struct subm_request *r, struct slice login,
		   struct arena *a, struct slice *ret, struct err *err)
{
	if (!helo_name_valid(r->host_name)) {
		err_set(err, 0,
			"the sender needs a domain, and this host's name '%.*s'"
			" is none; use -f USER@DOMAIN",
			SLICE_ARG(r->host_name));
		return EX_CONFIG;
	}
	*ret = arena_printf(a, "%.*s@%.*s", SLICE_ARG(login),
			    SLICE_ARG(r->host_name));
	return EX_OK;
}

static int make_sender(const struct subm_request *r, struct arena *a,
		       struct slice *ret, struct err *err)
{
	struct slice given = r->has_sender ? r->sender : r->login;
	struct subm_address address;
	int code;

	if (!r->has_sender && r->login.len == 0) {
		err_set(err, 0, "uid %ju has no login name; use -f SENDER",
			(uintmax_t)r->uid);
		return EX_NOUSER;
	}
	if (subm_address_parse(given, "sender", r->has_sender, &address, err) <
	    0)
		return EX_DATAERR;
	if (address.text.len > 0 && !address.has_domain) {
		code = qualify(r, address.text, a, &given, err);
		if (code != EX_OK)
			return code;
		if (subm_address_parse(given, "sender", false, &address, err) <
		    0)
			return EX_DATAERR;
	}
	*ret = address.text;
	return EX_OK;
}

static struct slice lower(struct slice s, struct arena *a)
{
	char *p = arena_alloc(a, s.len + 1);

	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice_make(p, s.len);
}

static int make_rcpt(const struct subm_request *r, struct slice word,
		     struct arena *a, struct subm_rcpt *ret, struct err *err)
{
	struct subm_address address;

	if (subm_address_parse(word, "recipient", false, &address, err) < 0)
		return EX_DATAERR;
	if (!r->has_host && !address.has_domain) {
		err_set(err, 0,
			"recipient '%.*s' has no domain; name the host"
			" with -h",
			SLICE_ARG(address.text));
		return EX_USAGE;
	}
	ret->address = address.text;
	ret->host = lower(r->has_host ? r->host : address.domain, a);
	return EX_OK;
}

int subm_envelope_make(const struct subm_request *r, struct arena *a,
		       struct subm_envelope *ret, struct err *err)
{
	struct subm_envelope e = { .channel = r->channel, .uid = r->uid };
	int code;

	if (r->n_rcpts == 0) {
		err_set(err, 0, "no recipient is given");
		return EX_USAGE;
	}
	if (subm_channel_check(r->channel, err) < 0 ||
	    (r->has_host && subm_host_check(r->host, err) < 0))
		return EX_DATAERR;
	code = make_sender(r, a, &e.sender, err);
	e.rcpts = arena_array(a, r->n_rcpts, sizeof(*e.rcpts));
	while (code == EX_OK && e.n_rcpts < r->n_rcpts) {
		code = make_rcpt(r, r->rcpts[e.n_rcpts], a, &e.rcpts[e.n_rcpts],
				 err);
		e.n_rcpts++;
	}
	if (code == EX_OK)
		*ret = e;
	return code;
}

static void add_bracketed(struct str *to, const char *keyword,
			  struct slice address)
{
	str_adds(to, keyword);
	str_adds(to, " <");
	str_add(to, address);
	str_adds(to, ">\n");
}

void subm_envelope_print(struct str *to, const struct subm_envelope *e)
{
	if (e->sender.len == 0)
		str_adds(to, "channel error\n");
	else
		add_bracketed(to, "from", e->sender);
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

/*
 * NOTIFY is what RFC 3461 5.2.1 makes of a recipient without any. ORCPT of
 * type rfc822 is ASCII (RFC 6533 section 3 has another type for the rest) and
 * at most 500 bytes; where it cannot be written it is left out.
 */
static void add_dsn(struct str *to, struct slice address)
{
	struct str orcpt = STR_INIT;

	str_adds(&orcpt, "rfc822;");
	xtext_encode(&orcpt, address);
	str_adds(to, "N NOTIFY=FAILURE");
	if (!slice_has_8bit(address) && orcpt_valid(str_slice(&orcpt))) {
		str_adds(to, " ORCPT=");
		str_add(to, str_slice(&orcpt));
	}
	str_addc(to, '\n');
	str_done(&orcpt);
}

static void add_rcpt(struct str *to, const struct subm_envelope *e, size_t i)
{
	str_addf(to, "r%c%*s%*s", CTL_TAG_TODO, CTL_PID_WIDTH, "",
		 CTL_DELAY_WIDTH, "");
	add_quad(to, e->channel, e->rcpts[i].host, e->rcpts[i].address, e->uid);
	add_dsn(to, e->rcpts[i].address);
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
	for (size_t i = 0; i < e->n_rcpts; i++)
		add_rcpt(to, e, i);
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
