/*
 * tlsterms.c - what TLS has to be like for a destination: words into values.
 *
 *	match       = name *( ( ":" / "|" ) name )
 *	name        = "hostname" / "nexthop" / "dot-nexthop" / [ "." ] domain
 *	fingerprint = hex *( "|" hex )		with or without ":" inside
 *	protocols   = term *( ( ":" / "|" ) term )
 *	term        = [ "!" / ">=" / "<=" ] protocol
 */
#include "conf/tlsterms.h"

#include "base/keyword.h"

#include <assert.h>
#include <string.h>

struct tlsterms tlsterms_default(void)
{
	return (struct tlsterms){ .rule = { .level = TLS_LEVEL_AUTO },
				  .settings = TLS_SETTINGS_DEFAULT };
}

/* ---- lists -------------------------------------------------------------- */

/* Adds one to a list that may be somebody else's: into a new array. */
static int add_item(const struct slice **list, size_t *n, struct slice item,
		    struct arena *a, struct err *err)
{
	struct slice *grown;

	if (*n == TLSTERMS_LIST_MAX)
		return FAIL(err, "more than %d", (int)TLSTERMS_LIST_MAX);
	grown = arena_array(a, *n + 1, sizeof(*grown));
	if (*n > 0)
		memcpy(grown, *list, *n * sizeof(*grown));
	grown[(*n)++] = arena_dup(a, item);
	*list = grown;
	return 0;
}

/* Cuts at the first of ":" and "|", whichever comes first. */
static bool cut_item(struct slice *rest, struct slice *ret_item)
{
	bool is_bar = slice_find(*rest, '|') < slice_find(*rest, ':');

	return slice_cut(rest, is_bar ? '|' : ':', ret_item);
}

/* ---- names -------------------------------------------------------------- */

enum { LABEL_MAX = 63, NAME_MAX_BYTES = 253 }; /* RFC 1035 2.3.4 */

bool tlsterms_is_name(struct slice s)
{
	size_t label = 0;

	if (s.len == 0 || s.len > NAME_MAX_BYTES || s.p[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '.' ? label == 0
			     : !ascii_is_alpha(c) && !ascii_is_digit(c) &&
				   c != '-' && c != '_')
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return true;
}

static int read_names(struct tlsterms_reader *r, struct slice value,
		      struct err *err)
{
	struct tls_rule *rule = &r->terms.rule;
	struct slice item, name;

	while (cut_item(&value, &item)) {
		item = slice_without_dot(item);
		name = item.len > 1 && item.p[0] == '.' ? slice_from(item, 1)
							: item;
		if (!tlsterms_is_name(name))
			return FAIL(err,
				    "'%.*s' is neither hostname, nexthop, "
				    "dot-nexthop, a domain name (in ASCII) nor "
				    "\".\" and one",
				    SLICE_ARG(item));
		if (add_item(&rule->match, &rule->n_match, item, r->arena,
			     err) < 0)
			return -1;
	}
	return 0;
}

static int read_servername(struct tlsterms_reader *r, struct slice value,
			   struct err *err)
{
	value = slice_without_dot(value);
	if (!tlsterms_is_name(value))
		return FAIL(err,
			    "'%.*s' is neither hostname, nexthop nor a domain "
			    "name (in ASCII)",
			    SLICE_ARG(value));
	r->terms.rule.servername = arena_dup(r->arena, value);
	return 0;
}

/* ---- fingerprints ------------------------------------------------------- */

enum { DIGEST_MAX = 64 };

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of "AB:CD" or "abcd"; false if it is neither, or too long. */
static bool read_hex(struct slice s, unsigned char *to, size_t *ret_n)
{
	bool has_colons = s.len > 2 && s.p[2] == ':';
	size_t i = 0, n = 0;

	while (i < s.len) {
		if (n > 0 && has_colons && s.p[i++] != ':')
			return false;
		if (n == DIGEST_MAX || i + 2 > s.len || hex_value(s.p[i]) < 0 ||
		    hex_value(s.p[i + 1]) < 0)
			return false;
		to[n++] = (unsigned char)(hex_value(s.p[i]) << 4 |
					  hex_value(s.p[i + 1]));
		i += 2;
	}
	*ret_n = n;
	return true;
}

static int read_fingerprints(struct tlsterms_reader *r, struct slice value,
			     struct err *err)
{
	struct tls_rule *rule = &r->terms.rule;
	unsigned char digest[DIGEST_MAX];
	struct slice item;
	size_t n = 0;

	while (slice_cut(&value, '|', &item)) {
		if (!read_hex(item, digest, &n) || (n != 32 && n != 64))
			return FAIL(err,
				    "'%.*s' is no SHA2-256 or SHA2-512 of a "
				    "certificate or its key: 32 or 64 bytes in "
				    "hexadecimal",
				    SLICE_ARG(item));
		if (add_item(&rule->fingerprints, &rule->n_fingerprints,
			     slice_make((const char *)digest, n), r->arena,
			     err) < 0)
			return -1;
	}
	return 0;
}

/* Postfix gives fingerprints of that level as match. */
static int read_match(struct tlsterms_reader *r, struct slice value,
		      struct err *err)
{
	return r->terms.rule.level == TLS_LEVEL_FINGERPRINT
		   ? read_fingerprints(r, value, err)
		   : read_names(r, value, err);
}

/* ---- levels and protocols ----------------------------------------------- */

int tlsterms_set_level(struct tlsterms_reader *r, struct slice value,
		       struct err *err)
{
	struct str words = STR_INIT;

	if (tls_level_read(value, &r->terms.rule.level))
		return 0;
	for (int i = 0; i < TLS_LEVELS; i++)
		str_addf(&words, " %s", tls_level_word((enum tls_level)i));
	err_set(err, 0, "'%.*s' is none of the levels%s", SLICE_ARG(value),
		str_cstr(&words));
	str_done(&words);
	return -1;
}

static int read_minimum(struct tlsterms_reader *r, struct slice value,
			struct err *err)
{
	enum tls_protocol p;

	if (!tls_protocol_read(value, &p) || p < TLS_PROTOCOL_1_2)
		return FAIL(err,
			    "'%.*s' is neither TLSv1.2 nor TLSv1.3 (older ones "
			    "only for single destinations, in the policy file)",
			    SLICE_ARG(value));
	r->terms.settings.min_protocol = p;
	return 0;
}

enum { ALL_PROTOCOLS = (1 << TLS_PROTOCOLS) - 1 };

/* Sets of protocols, a bit each. */
struct protocols {
	unsigned named, excluded;
	int min, max;
};

/* One term of the list; false if it is none. */
static bool read_protocol(struct protocols *p, struct slice term)
{
	struct slice word = term;
	enum tls_protocol it;
	char first = term.len > 0 ? term.p[0] : '\0';
	bool is_bound =
	    (first == '<' || first == '>') && term.len > 1 && term.p[1] == '=';

	if (first == '!' || is_bound)
		word = slice_from(term, is_bound ? 2 : 1);
	if (!tls_protocol_read(word, &it))
		/* what is never there anyway */
		return first == '!' && (slice_eq_nocase(word, SLICE("SSLv2")) ||
					slice_eq_nocase(word, SLICE("SSLv3")));
	if (first == '!')
		p->excluded |= 1u << it;
	else if (first == '>')
		p->min = (int)it;
	else if (first == '<')
		p->max = (int)it;
	else
		p->named |= 1u << it;
	return true;
}

/* The protocols that are left must follow one another. */
static int read_protocols(struct tlsterms_reader *r, struct slice value,
			  struct err *err)
{
	struct tls_settings *s = &r->terms.settings;
	struct protocols p = { 0, 0, (int)s->min_protocol,
			       (int)s->max_protocol };
	struct slice term, whole = value;
	unsigned left = 0, between;
	int low = TLS_PROTOCOLS, high = 0;

	while (cut_item(&value, &term))
		if (!read_protocol(&p, term))
			return FAIL(err,
				    "'%.*s' is none of TLSv1 TLSv1.1 TLSv1.2 "
				    "TLSv1.3, nor one behind \"!\", \">=\" or "
				    "\"<=\"",
				    SLICE_ARG(term));
	for (int i = p.min; i <= p.max; i++)
		left |= 1u << i;
	if (p.named != 0)
		left = p.named;
	left &= ALL_PROTOCOLS & ~p.excluded;
	for (int i = TLS_PROTOCOLS - 1; i >= 0; i--)
		if ((left & 1u << i) != 0) {
			low = i;
			high = high > i ? high : i;
		}
	between = (2u << high) - (1u << low);
	if (left == 0 || left != between)
		return FAIL(err, "'%.*s' leaves %s", SLICE_ARG(whole),
			    left == 0 ? "no protocol"
				      : "a gap between protocols");
	s->min_protocol = (enum tls_protocol)low;
	s->max_protocol = (enum tls_protocol)high;
	return 0;
}

/* ---- ciphers ------------------------------------------------------------ */

/* Postfix's grades, in OpenSSL's words. */
static const struct {
	const char *grade, *list;
} grades[] = {
	{ "high", "HIGH:!aNULL" },
	{ "medium", "HIGH:MEDIUM:!aNULL" },
};

static int read_ciphers(struct tlsterms_reader *r, struct slice value,
			struct err *err)
{
	(void)err;
	r->terms.settings.cipher_list = arena_cstr(r->arena, value);
	for (size_t i = 0; i < COUNT(grades); i++)
		if (slice_eq(value, slice_of(grades[i].grade)))
			r->terms.settings.cipher_list = grades[i].list;
	return 0;
}

/* Everything of the list, taken out: OpenSSL removes with "!". */
static int read_exclude(struct tlsterms_reader *r, struct slice value,
			struct err *err)
{
	struct str list = STR_INIT;
	struct slice item;
	int status = 0;

	while (cut_item(&value, &item)) {
		if (item.len == 0 || item.p[0] == '!')
			status =
			    FAIL(err, "'%.*s' is no cipher", SLICE_ARG(item));
		str_adds(&list, ":!");
		str_add(&list, item);
	}
	r->exclude = arena_cstr(r->arena, str_slice(&list));
	str_done(&list);
	return status;
}

/* ---- the keys ----------------------------------------------------------- */

enum { IN_FILE = 1 << TLSTERMS_OF_FILE, IN_POLICY = 1 << TLSTERMS_OF_POLICY };

/* Plain text is kept as it is, in one of these. */
enum text {
	TEXT_NONE,
	TEXT_SUITES,
	TEXT_GROUPS,
	TEXT_CA_FILE,
	TEXT_CA_PATH,
	TEXT_CERT, /* these four in this order */
	TEXT_KEY,
	TEXT_CERT2,
	TEXT_KEY2
};

static const struct key {
	const char *word;
	unsigned sources;
	bool may_repeat; /* and adds then */
	int (*read)(struct tlsterms_reader *r, struct slice value,
		    struct err *err);
	enum text text; /* where read is NULL */
} keys[] = {
	{ "level", IN_FILE, false, tlsterms_set_level, TEXT_NONE },
	{ "min-protocol", IN_FILE, false, read_minimum, TEXT_NONE },
	{ "match", IN_FILE | IN_POLICY, true, read_match, TEXT_NONE },
	{ "fingerprint", IN_FILE | IN_POLICY, true, read_fingerprints,
	  TEXT_NONE },
	{ "servername", IN_FILE | IN_POLICY, false, read_servername,
	  TEXT_NONE },
	{ "protocols", IN_POLICY, false, read_protocols, TEXT_NONE },
	{ "ciphers", IN_FILE | IN_POLICY, false, read_ciphers, TEXT_NONE },
	{ "exclude", IN_POLICY, false, read_exclude, TEXT_NONE },
	{ "ciphersuites", IN_FILE | IN_POLICY, false, NULL, TEXT_SUITES },
	{ "groups", IN_FILE | IN_POLICY, false, NULL, TEXT_GROUPS },
	{ "CAfile", IN_FILE | IN_POLICY, false, NULL, TEXT_CA_FILE },
	{ "tafile", IN_POLICY, false, NULL, TEXT_CA_FILE },
	{ "CApath", IN_FILE | IN_POLICY, false, NULL, TEXT_CA_PATH },
	{ "cert", IN_FILE | IN_POLICY, false, NULL, TEXT_CERT },
	{ "key", IN_FILE | IN_POLICY, false, NULL, TEXT_KEY },
	{ "dcert", IN_FILE | IN_POLICY, false, NULL, TEXT_CERT2 },
	{ "dkey", IN_FILE | IN_POLICY, false, NULL, TEXT_KEY2 },
};

/* Anchors that a destination names replace those of all. */
static void forget_anchors(struct tlsterms_reader *r)
{
	if (!r->has_anchors) {
		r->terms.settings.ca_file = NULL;
		r->terms.settings.ca_path = NULL;
	}
	r->has_anchors = true;
}

static const char **text_place(struct tlsterms_reader *r, enum text text)
{
	switch (text) {
	case TEXT_SUITES:
		return &r->terms.settings.cipher_suites;
	case TEXT_GROUPS:
		return &r->terms.settings.groups;
	case TEXT_CA_FILE:
		forget_anchors(r);
		return &r->terms.settings.ca_file;
	case TEXT_CA_PATH:
		forget_anchors(r);
		return &r->terms.settings.ca_path;
	case TEXT_CERT:
		return &r->pairs[0].cert_file;
	case TEXT_KEY:
		return &r->pairs[0].key_file;
	case TEXT_CERT2:
		return &r->pairs[1].cert_file;
	case TEXT_KEY2:
		return &r->pairs[1].key_file;
	case TEXT_NONE:
		break;
	}
	assert(false);
	return NULL;
}

void tlsterms_begin(struct tlsterms_reader *r, struct arena *a,
		    enum tlsterms_source source, const struct tlsterms *base)
{
	*r = (struct tlsterms_reader){ .arena = a,
				       .terms = *base,
				       .source = source };
	r->terms.rule.match = NULL;
	r->terms.rule.n_match = 0;
	r->terms.rule.fingerprints = NULL;
	r->terms.rule.n_fingerprints = 0;
}

static const struct key *find_key(enum tlsterms_source source,
				  struct slice word)
{
	for (size_t i = 0; i < COUNT(keys); i++)
		if ((keys[i].sources & 1u << source) != 0 &&
		    slice_eq_nocase(slice_of(keys[i].word), word))
			return &keys[i];
	return NULL;
}

const char *tlsterms_key(enum tlsterms_source source, size_t i)
{
	for (size_t k = 0; k < COUNT(keys); k++)
		if ((keys[k].sources & 1u << source) != 0 && i-- == 0)
			return keys[k].word;
	return NULL;
}

int tlsterms_set(struct tlsterms_reader *r, struct slice key,
		 struct slice value, struct err *err)
{
	const struct key *k = find_key(r->source, key);
	unsigned bit;

	if (k == NULL)
		return FAIL(err, "no such attribute");
	bit = 1u << (k - keys);
	if (r->source == TLSTERMS_OF_POLICY && !k->may_repeat &&
	    (r->seen & bit) != 0)
		return FAIL(err, "stands here twice");
	r->seen |= bit;
	if (value.len == 0)
		return FAIL(err, "a value is missing");
	if (slice_has_control(value))
		return FAIL(err, "a control byte in the value");
	if (k->read != NULL)
		return k->read(r, value, err);
	*text_place(r, k->text) = arena_cstr(r->arena, value);
	return 0;
}

/* ---- the whole ---------------------------------------------------------- */

/* Certificates that a destination names replace those of all. */
static int settle_pairs(struct tlsterms_reader *r, struct err *err)
{
	struct tls_settings *s = &r->terms.settings;
	size_t n = 0;

	for (size_t i = 0; i < COUNT(r->pairs); i++) {
		struct tls_pair pair = r->pairs[i];

		if (pair.cert_file == NULL && pair.key_file == NULL)
			continue;
		if (pair.cert_file == NULL)
			return FAIL(err, "a key without a certificate: '%s'",
				    pair.key_file);
		if (pair.key_file == NULL)
			pair.key_file = pair.cert_file;
		s->pairs[n++] = pair;
		s->n_pairs = n;
	}
	return 0;
}

static void settle_exclude(struct tlsterms_reader *r)
{
	struct tls_settings *s = &r->terms.settings;

	if (r->exclude != NULL)
		s->cipher_list =
		    arena_printf(r->arena, "%s%s",
				 s->cipher_list != NULL ? s->cipher_list
							: "DEFAULT",
				 r->exclude)
			.p;
}

int tlsterms_end(struct tlsterms_reader *r, struct tlsterms *ret,
		 struct err *err)
{
	const struct tls_rule *rule = &r->terms.rule;
	const char *level = tls_level_word(rule->level);
	bool has_names =
	    rule->level == TLS_LEVEL_VERIFY || rule->level == TLS_LEVEL_SECURE;

	if (rule->n_match > 0 && !has_names)
		return FAIL(err,
			    "names to match are for levels verify and "
			    "secure, and this is level %s",
			    level);
	if (rule->level == TLS_LEVEL_FINGERPRINT && rule->n_fingerprints == 0)
		return FAIL(err, "level fingerprint needs a fingerprint");
	if (rule->level != TLS_LEVEL_FINGERPRINT && rule->n_fingerprints > 0)
		return FAIL(err,
			    "fingerprints are for level fingerprint, and "
			    "this is level %s",
			    level);
	if (settle_pairs(r, err) < 0)
		return -1;
	settle_exclude(r);
	assert(r->terms.settings.min_protocol <=
	       r->terms.settings.max_protocol);
	*ret = r->terms;
	return 0;
}
