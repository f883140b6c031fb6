/*
 * wire.c - what is said on the submission socket.
 */
#include "subm/wire.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "smtp/path.h"
#include "subm/wishes.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* The longest options of one recipient: 500 bytes of ORCPT, and names. */
enum { WISH_MAX = 600 };

void wire_done(struct wire *w)
{
	str_done(&w->frame);
	*w = (struct wire){ 0 };
}

/* ---- frames ------------------------------------------------------------- */

static size_t payload_length(const char *head)
{
	return (size_t)(unsigned char)head[1] << 16 |
	       (size_t)(unsigned char)head[2] << 8 | (unsigned char)head[3];
}

/* Takes bytes until `want` are collected; false: more are needed. */
static bool collect(struct wire *w, struct slice *in, size_t want)
{
	size_t n = want - w->frame.len;

	str_add(&w->frame, slice_head(*in, n));
	*in = slice_from(*in, n);
	return w->frame.len == want;
}

enum parse wire_next(struct wire *w, struct slice *in, const char *types,
		     struct wire_frame *ret, struct err *err)
{
	size_t length;

	if (w->is_used)
		str_clear(&w->frame);
	w->is_used = false;
	if (w->frame.len < WIRE_HEAD && !collect(w, in, WIRE_HEAD))
		return PARSE_MORE;
	length = payload_length(w->frame.p);
	if (w->frame.p[0] == '\0' || strchr(types, w->frame.p[0]) == NULL) {
		err_set(err, 0, "byte %u is no type of a frame",
			(unsigned)(unsigned char)w->frame.p[0]);
		return PARSE_BAD;
	}
	if (length > WIRE_PAYLOAD_MAX) {
		err_set(err, 0, "a frame of %zu bytes", length);
		return PARSE_BAD;
	}
	if (!collect(w, in, WIRE_HEAD + length))
		return PARSE_MORE;
	w->is_used = true;
	*ret = (struct wire_frame){
		.type = w->frame.p[0],
		.payload = slice_from(str_slice(&w->frame), WIRE_HEAD),
	};
	return PARSE_DONE;
}

void wire_add(struct str *to, enum wire_type type, struct slice payload)
{
	do {
		struct slice part = slice_head(payload, WIRE_PAYLOAD_MAX);

		str_addc(to, (char)type);
		str_addc(to, (char)(unsigned char)(part.len >> 16));
		str_addc(to, (char)(unsigned char)(part.len >> 8 & 0xff));
		str_addc(to, (char)(unsigned char)(part.len & 0xff));
		str_add(to, part);
		payload = slice_from(payload, part.len);
	} while (type == WIRE_DATA && payload.len > 0);
}

/* ---- requests ----------------------------------------------------------- */

static bool take_sender(struct subm_request *r, struct slice value)
{
	r->has_sender = true;
	r->sender = value;
	return true;
}

static bool take_name(struct subm_request *r, struct slice value)
{
	r->full_name = value;
	return true;
}

static bool take_channel(struct subm_request *r, struct slice value)
{
	r->channel = value;
	return true;
}

static bool take_host(struct subm_request *r, struct slice value)
{
	r->has_host = true;
	r->host = value;
	return true;
}

static bool take_notify(struct subm_request *r, struct slice value)
{
	r->has_notify = true;
	return subm_wish_notify(value, &r->notify);
}

static bool take_ret(struct subm_request *r, struct slice value)
{
	return subm_wish_ret(value, &r->ret);
}

static bool take_envid(struct subm_request *r, struct slice value)
{
	r->envid = value;
	return true;
}

static bool take_by(struct subm_request *r, struct slice value)
{
	return subm_wish_by(value, &r->by);
}

static bool take_body(struct subm_request *r, struct slice value)
{
	return subm_wish_body(value, &r->body);
}

static bool take_header_rcpts(struct subm_request *r, struct slice value)
{
	r->reads_rcpts = true;
	return value.len == 0;
}

static bool take_raw(struct subm_request *r, struct slice value)
{
	r->is_raw = true;
	return value.len == 0;
}

static bool take_requiretls(struct subm_request *r, struct slice value)
{
	r->requires_tls = true;
	return value.len == 0;
}

static bool take_size(struct subm_request *r, struct slice value)
{
	return slice_uint(value, UINT64_MAX, &r->size);
}

static const struct wire_option {
	const char *name;
	bool (*take)(struct subm_request *r, struct slice value);
} wire_options[] = {
	{ "sender", take_sender },   { "name", take_name },
	{ "channel", take_channel }, { "host", take_host },
	{ "notify", take_notify },   { "ret", take_ret },
	{ "envid", take_envid },     { "by", take_by },
	{ "body", take_body },	     { "headers", take_header_rcpts },
	{ "raw", take_raw },	     { "requiretls", take_requiretls },
	{ "size", take_size },
};

/* Options of the next recipient. */
static bool take_rcpt_notify(struct subm_wish *wish, struct slice value,
			     struct arena *a)
{
	(void)a;
	wish->has_notify = true;
	return subm_wish_notify(value, &wish->notify);
}

static bool take_rcpt_orcpt(struct subm_wish *wish, struct slice value,
			    struct arena *a)
{
	return subm_wish_orcpt(value, a, &wish->orcpt);
}

static const struct wire_wish {
	const char *name;
	bool (*take)(struct subm_wish *wish, struct slice value,
		     struct arena *a);
} wire_wishes[] = {
	{ "rcpt-notify", take_rcpt_notify },
	{ "rcpt-orcpt", take_rcpt_orcpt },
};

static int take_option(struct wire_request *r, struct slice text,
		       struct arena *a, struct err *err)
{
	size_t equals = slice_find(text, '='), i;
	struct slice name = slice_head(text, equals);
	struct slice value = slice_from(text, equals + 1);
	bool is_known = false, is_good = false;

	for (i = 0; equals < text.len && i < COUNT(wire_options); i++)
		if (slice_eq(name, slice_of(wire_options[i].name))) {
			is_known = true;
			is_good = wire_options[i].take(&r->request, value);
		}
	for (i = 0; equals < text.len && i < COUNT(wire_wishes); i++)
		if (slice_eq(name, slice_of(wire_wishes[i].name))) {
			is_known = true;
			is_good = wire_wishes[i].take(&r->next, value, a);
		}
	if (is_good)
		return 0;
	return FAIL(err,
		    is_known ? "option '%.*s': bad value"
			     : "option '%.*s' is not known",
		    SLICE_ARG(slice_head(name, 100)));
}

size_t wire_request_max(uint64_t n_rcpts)
{
	const uint64_t each = PATH_MAX_BYTES + 2 + sizeof(struct slice) +
			      WISH_MAX + 2 * sizeof(struct slice);

	if (n_rcpts == 0 || n_rcpts > WIRE_REQUEST_MAX / each)
		return WIRE_REQUEST_MAX;
	return (size_t)(n_rcpts * each) + WIRE_PAYLOAD_MAX;
}

void wire_request_done(struct wire_request *r)
{
	subm_list_done(&r->rcpts);
	free(r->wishes);
	*r = (struct wire_request){ 0 };
}

static bool has_wish(const struct subm_wish *wish)
{
	return wish->has_notify || wish->orcpt.len > 0;
}

/* Of the recipient that comes, and of those before if this is the first. */
static void add_wish(struct wire_request *r)
{
	r->wishes = mem_grow(r->wishes, &r->cap_wishes, r->rcpts.n + 1,
			     sizeof(*r->wishes));
	for (size_t i = r->request.n_wishes; i < r->rcpts.n; i++)
		r->wishes[i] = (struct subm_wish){ 0 };
	r->wishes[r->rcpts.n] = r->next;
	r->size += sizeof(*r->wishes);
	r->next = (struct subm_wish){ 0 };
	r->request.wishes = r->wishes;
	r->request.n_wishes = r->rcpts.n + 1;
}

int wire_take(struct wire_request *r, const struct wire_frame *frame,
	      struct arena *a, struct err *err)
{
	size_t max = r->max > 0 ? r->max : WIRE_REQUEST_MAX;

	/* An array's element counts too: so many empty ones must not be. */
	r->size += frame->payload.len + sizeof(struct slice);
	if (r->size > max)
		return FAIL(
		    err, "options and recipients of more than %zu bytes", max);
	if (frame->type == WIRE_OPTION)
		return take_option(r, arena_dup(a, frame->payload), a, err);
	if (has_wish(&r->next) || r->request.n_wishes > 0)
		add_wish(r);
	subm_list_add(&r->rcpts, arena_dup(a, frame->payload));
	r->request.rcpts = r->rcpts.items;
	r->request.n_rcpts = r->rcpts.n;
	return 0;
}

static void add_option(struct str *to, const char *name, struct slice value)
{
	struct str text = STR_INIT;

	str_adds(&text, name);
	str_addc(&text, '=');
	str_add(&text, value);
	wire_add(to, WIRE_OPTION, str_slice(&text));
	str_done(&text);
}

static void add_notify(struct str *to, const char *name, unsigned notify)
{
	static const struct keyword words[] = {
		{ "success,", NOTIFY_SUCCESS },
		{ "failure,", NOTIFY_FAILURE },
		{ "delay,", NOTIFY_DELAY },
		{ "never,", NOTIFY_NEVER },
	};
	struct str text = STR_INIT;

	for (size_t i = 0; i < COUNT(words); i++)
		if ((notify & (unsigned)words[i].value) != 0)
			str_adds(&text, words[i].word);
	add_option(
	    to, name,
	    slice_head(str_slice(&text), text.len > 0 ? text.len - 1 : 0));
	str_done(&text);
}

static void add_by(struct str *to, const struct subm_by *by)
{
	struct str text = STR_INIT;

	str_addf(&text, "%ju;%s%s", (uintmax_t)by->seconds,
		 by->do_return ? "R" : "N", by->do_trace ? "T" : "");
	add_option(to, "by", str_slice(&text));
	str_done(&text);
}

static void add_rcpt(struct str *to, const struct subm_request *r, size_t i)
{
	const struct subm_wish *wish =
	    i < r->n_wishes ? &r->wishes[i] : &(struct subm_wish){ 0 };

	if (wish->has_notify)
		add_notify(to, "rcpt-notify", wish->notify);
	if (wish->orcpt.len > 0)
		add_option(to, "rcpt-orcpt", wish->orcpt);
	wire_add(to, WIRE_RCPT, r->rcpts[i]);
}

static void add_size(struct str *to, uint64_t size)
{
	struct str text = STR_INIT;

	str_addu(&text, size);
	add_option(to, "size", str_slice(&text));
	str_done(&text);
}

void wire_add_request(struct str *to, const struct subm_request *r)
{
	static const struct slice none = { 0 };

	if (r->has_sender)
		add_option(to, "sender", r->sender);
	if (r->full_name.len > 0)
		add_option(to, "name", r->full_name);
	if (r->channel.p != NULL)
		add_option(to, "channel", r->channel);
	if (r->has_host)
		add_option(to, "host", r->host);
	if (r->has_notify)
		add_notify(to, "notify", r->notify);
	if (r->ret != CTL_RET_NONE)
		add_option(to, "ret",
			   r->ret == CTL_RET_FULL ? SLICE("full")
						  : SLICE("hdrs"));
	if (r->envid.len > 0)
		add_option(to, "envid", r->envid);
	if (r->by.is_set)
		add_by(to, &r->by);
	if (r->body != SUBM_BODY_UNKNOWN)
		add_option(to, "body",
			   r->body == SUBM_BODY_7BIT ? SLICE("7bit")
						     : SLICE("8bitmime"));
	if (r->reads_rcpts)
		add_option(to, "headers", none);
	if (r->is_raw)
		add_option(to, "raw", none);
	if (r->requires_tls)
		add_option(to, "requiretls", none);
	if (r->size > 0)
		add_size(to, r->size);
	for (size_t i = 0; i < r->n_rcpts; i++)
		add_rcpt(to, r, i);
	wire_add(to, WIRE_BEGIN, none);
}

/* ---- answers ------------------------------------------------------------ */

void wire_add_answer(struct str *to, int code, struct slice text)
{
	struct str line = STR_INIT;

	if (code == EX_OK) {
		wire_add(to, WIRE_ACCEPTED, text);
		return;
	}
	str_addf(&line, "%d %.*s", code, SLICE_ARG(text));
	wire_add(to, WIRE_REFUSED, str_slice(&line));
	str_done(&line);
}

int wire_read_answer(const struct wire_frame *frame, int *ret_code,
		     struct slice *ret_text)
{
	struct slice text = frame->payload, word;
	uint64_t code;

	if (frame->type == WIRE_ACCEPTED) {
		*ret_code = EX_OK;
		*ret_text = text;
		return 0;
	}
	if (!slice_cut(&text, ' ', &word) ||
	    !slice_uint(word, EX__MAX, &code) || code < EX__BASE)
		return -1;
	*ret_code = (int)code;
	*ret_text = text;
	return 0;
}
