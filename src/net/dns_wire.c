/*
 * dns_wire.c - DNS messages.
 *
 * A message is a head of twelve bytes, questions, and three sections of
 * records (RFC 1035 4.1). Names may end in a pointer to an earlier place; each
 * pointer must go back further than all before it, so none can go round.
 */
#include "net/dns_wire.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAD_SIZE = 12,
	CLASS_IN = 1,
	TYPE_OPT = 41,
	FLAG_QR = 0x8000,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_AD = 0x0020
};

/* A place in a message. Reading past the end makes it bad for good. */
struct reader {
	struct slice message;
	size_t at;
	bool is_bad;
};

static const unsigned char *take(struct reader *r, size_t n)
{
	const char *p = r->message.p;

	if (r->is_bad || n > r->message.len - r->at) {
		r->is_bad = true;
		return NULL;
	}
	p += r->at;
	r->at += n;
	return (const unsigned char *)p;
}

static unsigned take8(struct reader *r)
{
	const unsigned char *p = take(r, 1);

	return p != NULL ? p[0] : 0;
}

static unsigned take16(struct reader *r)
{
	const unsigned char *p = take(r, 2);

	return p != NULL ? (unsigned)p[0] << 8 | p[1] : 0;
}

static uint32_t take32(struct reader *r)
{
	uint32_t high = take16(r);

	return high << 16 | take16(r);
}

/* A TTL with its highest bit set is 0 (RFC 2181 8). */
static uint32_t take_ttl(struct reader *r)
{
	uint32_t ttl = take32(r);

	return ttl > 0x7fffffff ? 0 : ttl;
}

/* Reads a name; r goes on behind it, wherever its end was found. */
static bool take_name(struct reader *r, struct dns_name *ret)
{
	struct reader in = *r;
	size_t lowest = r->at; /* where the part we are in began */
	bool has_jumped = false;

	ret->len = 0;
	for (;;) {
		unsigned n = take8(&in);

		if (!in.is_bad && (n & 0xc0) == 0xc0) {
			size_t to = (n & 0x3f) << 8 | take8(&in);

			if (!has_jumped)
				r->at = in.at;
			has_jumped = true;
			if (in.is_bad || to >= lowest)
				break;
			in.at = lowest = to;
			continue;
		}
		if (in.is_bad || n > DNS_LABEL_MAX ||
		    ret->len + 1 + n + (n > 0) > DNS_NAME_MAX)
			break;
		ret->bytes[ret->len++] = (unsigned char)n;
		if (n == 0) {
			if (!has_jumped)
				r->at = in.at;
			return true;
		}
		if (n > in.message.len - in.at)
			break;
		memcpy(ret->bytes + ret->len, take(&in, n), n);
		ret->len += n;
	}
	r->is_bad = true;
	return false;
}

/* ---- rdata ------------------------------------------------------------- */

static struct slice take_rest(struct reader *r, size_t end, struct arena *a)
{
	size_t n = r->at <= end ? end - r->at : 0;
	const unsigned char *p = take(r, n);

	if (p == NULL)
		return (struct slice){ 0 };
	return arena_dup(a, slice_make((const char *)p, n));
}

static void take_address(struct reader *r, size_t size, unsigned char *to)
{
	const unsigned char *p = take(r, size);

	if (p != NULL)
		memcpy(to, p, size);
}

static struct slice take_name_text(struct reader *r, struct arena *a)
{
	struct dns_name name;

	if (!take_name(r, &name))
		return (struct slice){ 0 };
	return dns_name_text(&name, a);
}

/* One or more strings, each behind its length. */
static struct slice take_strings(struct reader *r, size_t end, struct arena *a)
{
	struct str text = STR_INIT;
	struct slice s;

	do {
		size_t n = take8(r);
		const unsigned char *p = take(r, n);

		if (p == NULL)
			break;
		str_add(&text, slice_make((const char *)p, n));
	} while (r->at < end);
	s = arena_dup(a, str_slice(&text));
	str_done(&text);
	return s;
}

static void take_rdata(struct reader *r, size_t end, enum dns_type type,
		       struct dns_record *to, struct arena *a)
{
	switch (type) {
	case DNS_A:
		take_address(r, 4, to->address.bytes);
		break;
	case DNS_AAAA:
		to->address.is_v6 = true;
		take_address(r, 16, to->address.bytes);
		break;
	case DNS_CNAME:
	case DNS_PTR:
		to->name = take_name_text(r, a);
		break;
	case DNS_MX:
		to->mx.preference = (uint16_t)take16(r);
		to->mx.exchanger = take_name_text(r, a);
		break;
	case DNS_TXT:
		to->data = take_strings(r, end, a);
		break;
	case DNS_TLSA:
		to->tlsa.usage = (uint8_t)take8(r);
		to->tlsa.selector = (uint8_t)take8(r);
		to->tlsa.matching = (uint8_t)take8(r);
		to->tlsa.data = take_rest(r, end, a);
		break;
	case DNS_WKS:
		take_address(r, 4, to->wks.address);
		to->wks.protocol = (uint8_t)take8(r);
		to->wks.ports = take_rest(r, end, a);
		break;
	default:
		to->data = take_rest(r, end, a);
	}
}

bool dns_rdata_read(struct slice rdata, struct slice message,
		    enum dns_type type, struct dns_record *ret, struct arena *a)
{
	struct dns_record record = { 0 };
	struct reader r = { .message = message };
	size_t end;

	assert(rdata.p >= message.p &&
	       rdata.p + rdata.len <= message.p + message.len);
	r.at = (size_t)(rdata.p - message.p);
	end = r.at + rdata.len;
	/* Names may point back into the message, but nothing lies behind. */
	r.message.len = end;
	take_rdata(&r, end, type, &record, a);
	if (r.is_bad || r.at != end)
		return false;
	*ret = record;
	return true;
}

/* ---- messages ---------------------------------------------------------- */

void dns_question_print(struct str *to, const struct dns_name *name,
			enum dns_type type, uint16_t id, bool has_edns)
{
	unsigned flags = FLAG_RD | FLAG_AD;
	const unsigned char head[HEAD_SIZE] = {
		(unsigned char)(id >> 8),
		(unsigned char)id,
		(unsigned char)(flags >> 8),
		(unsigned char)flags,
		[5] = 1,
		[11] = has_edns,
	};
	const unsigned char tail[4] = { (unsigned char)((unsigned)type >> 8),
					(unsigned char)type, 0, CLASS_IN };
	static const unsigned char opt[11] = { [2] = TYPE_OPT,
					       [3] = DNS_UDP_SIZE >> 8,
					       [4] = DNS_UDP_SIZE & 0xff };

	str_add(to, slice_make((const char *)head, sizeof(head)));
	str_add(to, slice_make((const char *)name->bytes, name->len));
	str_add(to, slice_make((const char *)tail, sizeof(tail)));
	if (has_edns)
		str_add(to, slice_make((const char *)opt, sizeof(opt)));
}

/* A record of the answer that may matter. */
struct row {
	struct dns_name owner;
	enum dns_type type;
	uint32_t ttl;
	struct slice rdata;
};

/* What is read of a message. */
struct answers {
	struct row *rows; /* aliases and records of the type asked for */
	size_t n, cap;
	bool has_soa;	       /* in the authority section */
	uint32_t negative_ttl; /* RFC 2308 5 */
};

/* Reads the frame of a record; r goes on behind it. */
static bool take_row(struct reader *r, struct row *ret, unsigned *ret_class)
{
	size_t n;

	if (!take_name(r, &ret->owner))
		return false;
	ret->type = (enum dns_type)take16(r);
	*ret_class = take16(r);
	ret->ttl = take_ttl(r);
	n = take16(r);
	ret->rdata.p = r->is_bad ? NULL : r->message.p + r->at;
	ret->rdata.len = n;
	return take(r, n) != NULL;
}

static bool take_answers(struct reader *r, size_t count, enum dns_type type,
			 struct answers *to)
{
	struct row row;
	unsigned class;

	while (count-- > 0) {
		if (!take_row(r, &row, &class))
			return false;
		if (class != CLASS_IN ||
		    (row.type != type && row.type != DNS_CNAME))
			continue;
		to->rows = mem_grow(to->rows, &to->cap, to->n + 1, sizeof(row));
		to->rows[to->n++] = row;
	}
	return true;
}

/* Looks for the SOA record that tells how long a negative answer holds. */
static bool take_authority(struct reader *r, size_t count, struct answers *to)
{
	struct row row;
	unsigned class;

	while (count-- > 0) {
		struct reader last = { 0 };
		uint32_t minimum;

		if (!take_row(r, &row, &class))
			return false;
		if (class != CLASS_IN || row.type != DNS_SOA)
			continue;
		if (row.rdata.len < 4)
			return false;
		last.message = slice_from(row.rdata, row.rdata.len - 4);
		minimum = take_ttl(&last);
		to->has_soa = true;
		to->negative_ttl = minimum < row.ttl ? minimum : row.ttl;
	}
	return true;
}

static const struct row *find_alias(const struct answers *in,
				    const struct dns_name *owner)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->rows[i].type == DNS_CNAME &&
		    dns_name_eq(&in->rows[i].owner, owner))
			return &in->rows[i];
	return NULL;
}

static void lower_ttl(struct dns_answer *answer, uint32_t ttl)
{
	if (ttl < answer->ttl)
		answer->ttl = ttl;
}

/*
 * Follows the aliases from *at. False if one cannot be read, or there are
 * more than could lead anywhere.
 */
static bool follow(const struct answers *in, struct slice message,
		   struct dns_name *at, struct dns_answer *answer,
		   struct arena *a)
{
	const struct row *alias;

	answer->chain = arena_array(a, DNS_ALIASES_MAX, sizeof(*answer->chain));
	answer->n_chain = 0;
	while ((alias = find_alias(in, at)) != NULL) {
		struct reader r = { .message = message };
		size_t end;

		r.at = (size_t)(alias->rdata.p - message.p);
		end = r.at + alias->rdata.len;
		if (answer->n_chain == DNS_ALIASES_MAX) {
			answer->verdict = DNS_LOOP;
			return true;
		}
		if (!take_name(&r, at) || r.at != end)
			return false;
		lower_ttl(answer, alias->ttl);
		answer->chain[answer->n_chain++] = dns_name_text(at, a);
	}
	return true;
}

/* Takes the records of the owner. False if one cannot be read. */
static bool collect(const struct answers *in, struct slice message,
		    const struct dns_name *owner, struct dns_answer *answer,
		    struct arena *a)
{
	answer->records = arena_array(a, in->n, sizeof(*answer->records));
	for (size_t i = 0; i < in->n; i++) {
		const struct row *row = &in->rows[i];

		if (row->type != answer->type ||
		    !dns_name_eq(&row->owner, owner))
			continue;
		if (!dns_rdata_read(row->rdata, message, row->type,
				    &answer->records[answer->n], a))
			return false;
		answer->n++;
		lower_ttl(answer, row->ttl);
	}
	return true;
}

static void give_up(struct dns_answer *answer, enum dns_verdict verdict,
		    struct slice detail)
{
	answer->verdict = verdict;
	answer->detail = detail;
	answer->records = NULL;
	answer->n = 0;
	answer->ttl = 0;
}

/* What an error code means. */
static void judge_rcode(struct dns_answer *answer, unsigned rcode,
			struct arena *a)
{
	static const struct {
		enum dns_verdict verdict;
		const char *name;
	} codes[] = {
		[1] = { DNS_REFUSED, "FORMERR" },
		[2] = { DNS_SERVFAIL, "SERVFAIL" },
		[4] = { DNS_REFUSED, "NOTIMP" },
		[5] = { DNS_REFUSED, "REFUSED" },
	};

	if (rcode < sizeof(codes) / sizeof(codes[0]) &&
	    codes[rcode].name != NULL)
		give_up(
		    answer, codes[rcode].verdict,
		    arena_printf(a, "the server says %s", codes[rcode].name));
	else
		give_up(answer, DNS_RCODE,
			arena_printf(a, "the server says error %u", rcode));
}

/* Fills the answer from a whole message without an error code. */
static bool judge(const struct answers *in, struct slice message,
		  bool is_nxdomain, struct dns_answer *answer, struct arena *a)
{
	struct dns_name at;

	if (!dns_name_read(answer->name, &at))
		return false;
	answer->ttl = UINT32_MAX;
	answer->verdict = DNS_NODATA;
	if (answer->type != DNS_CNAME && !follow(in, message, &at, answer, a))
		return false;
	answer->canonical = dns_name_text(&at, a);
	if (answer->verdict == DNS_LOOP) {
		give_up(answer, DNS_LOOP, SLICE("aliases without end"));
		return true;
	}
	if (!collect(in, message, &at, answer, a))
		return false;
	if (answer->n > 0) {
		answer->verdict = DNS_OK;
		return true;
	}
	/* The error code speaks of the last name (RFC 6604 3). */
	answer->verdict = is_nxdomain ? DNS_NXDOMAIN : DNS_NODATA;
	if (in->has_soa)
		lower_ttl(answer, in->negative_ttl);
	else if (is_nxdomain || answer->n_chain == 0)
		answer->ttl = 0;
	return true;
}

/* Is this a response to the question of *answer? r goes on behind that. */
static bool is_to(struct reader *r, unsigned flags, unsigned questions,
		  const struct dns_answer *answer)
{
	struct dns_name asked, name;

	if ((flags & FLAG_QR) == 0 || (flags & 0x7800) != 0)
		return false;
	/* Who does not understand a question need not repeat it. */
	if (questions == 0)
		return !r->is_bad && (flags & 0xf) != 0 && (flags & 0xf) != 3;
	if (questions != 1)
		return false;
	if (!dns_name_read(answer->name, &asked) || !take_name(r, &name))
		return false;
	return take16(r) == (unsigned)answer->type && take16(r) == CLASS_IN &&
	       !r->is_bad && dns_name_eq(&asked, &name);
}

bool dns_message_read(struct slice message, struct dns_answer *answer,
		      struct dns_head *ret, struct arena *a)
{
	struct reader r = { .message = message };
	struct answers in = { 0 };
	struct dns_head head = { .id = (uint16_t)take16(&r) };
	unsigned flags = take16(&r), n_questions = take16(&r);
	unsigned n_answers = take16(&r), n_authority = take16(&r);
	bool is_whole;

	take16(&r); /* additional records are not looked at */
	if (!is_to(&r, flags, n_questions, answer))
		return false;
	head.rcode = flags & 0xf;
	head.is_truncated = (flags & FLAG_TC) != 0;
	head.is_authentic = (flags & FLAG_AD) != 0;
	answer->canonical = answer->name;
	answer->chain = NULL;
	answer->records = NULL;
	answer->n_chain = answer->n = 0;
	answer->detail = slice_of("");
	if (head.rcode != 0 && head.rcode != 3) {
		judge_rcode(answer, head.rcode, a);
	} else {
		is_whole = !head.is_truncated &&
			   take_answers(&r, n_answers, answer->type, &in) &&
			   take_authority(&r, n_authority, &in) &&
			   judge(&in, message, head.rcode == 3, answer, a);
		if (!is_whole)
			give_up(answer, DNS_MALFORMED,
				head.is_truncated
				    ? SLICE("the answer is cut off")
				    : SLICE("the answer cannot be read"));
		head.is_unfinished = answer->verdict == DNS_NODATA &&
				     answer->n_chain > 0 && !in.has_soa;
	}
	free(in.rows);
	*ret = head;
	return true;
}
