/*
 * names.c - the addresses in a field of the header.
 *
 * One pass over the body; what may become an address is collected, and thrown
 * away when '<' or ':' tells that it was a name.
 */
#include "subm/names.h"

#include "base/mem.h"
#include "mime/header.h"
#include "mime/token.h"

#include <stdlib.h>

void subm_list_add(struct subm_list *list, struct slice item)
{
	list->items = mem_grow(list->items, &list->cap, list->n + 1,
			       sizeof(*list->items));
	list->items[list->n++] = item;
}

void subm_list_done(struct subm_list *list)
{
	free(list->items);
	*list = (struct subm_list){ 0 };
}

struct names {
	struct subm_list *list;
	struct arena *a;
	struct str now;	  /* what is collected */
	bool in_angle;	  /* behind '<' */
	bool had_angle;	  /* behind '>': what follows is no address */
	bool was_blank;	  /* white space or a comment stood here */
	bool has_address; /* something stood in the element */
};

/* Length of the comment, quoted string or domain literal at the start of s. */
static size_t token_length(struct slice s)
{
	struct token token;

	return token_next(&s, token_mail_specials, &token) ? token.text.len : 0;
}

/* Ends the element, which is one address or none. */
static void flush(struct names *n)
{
	if (n->has_address && (n->now.len > 0 || n->in_angle))
		subm_list_add(n->list, arena_dup(n->a, str_slice(&n->now)));
	str_clear(&n->now);
	n->in_angle = n->had_angle = n->was_blank = n->has_address = false;
}

/* Adds a piece; two words with a blank between stay two. */
static void add(struct names *n, struct slice piece)
{
	bool is_joint = piece.p[0] == '.' || piece.p[0] == '@';
	char last = n->now.len > 0 ? n->now.p[n->now.len - 1] : '\0';

	if (n->had_angle)
		return;
	if (n->was_blank && n->now.len > 0 && !is_joint && last != '.' &&
	    last != '@')
		str_addc(&n->now, ' ');
	for (size_t i = 0; i < piece.len; i++) /* folding within quotes */
		if (piece.p[i] != '\n' && piece.p[i] != '\r')
			str_addc(&n->now, piece.p[i]);
	n->was_blank = false;
	n->has_address = true;
}

static void open_angle(struct names *n)
{
	if (n->had_angle || n->in_angle) /* a comma is missing */
		flush(n);
	str_clear(&n->now);
	n->in_angle = n->has_address = true;
	n->was_blank = false;
}

static void close_angle(struct names *n)
{
	if (n->in_angle)
		n->had_angle = true;
	else
		add(n, SLICE(">"));
}

/* Takes what stands at the start of s; returns how much of it. */
static size_t take(struct names *n, struct slice s)
{
	size_t len = 1;

	switch (s.p[0]) {
	case '(':
		n->was_blank = true;
		return token_length(s);
	case '"':
	case '[':
		len = token_length(s);
		add(n, slice_head(s, len));
		return len;
	case '<':
		open_angle(n);
		return 1;
	case '>':
		close_angle(n);
		return 1;
	case ':':
		if (n->in_angle) { /* a source route */
			add(n, SLICE(":"));
			return 1;
		}
		str_clear(&n->now); /* the name of a group */
		n->has_address = false;
		return 1;
	case ',':
		if (n->in_angle && !n->had_angle && n->now.len > 0 &&
		    n->now.p[0] == '@') { /* in a source route */
			add(n, SLICE(","));
			return 1;
		}
		flush(n);
		return 1;
	case ';':
		flush(n);
		return 1;
	default:
		break;
	}
	if (token_is_space(s.p[0])) {
		n->was_blank = true;
		return 1;
	}
	while (len < s.len && !token_is_space(s.p[len]) &&
	       !slice_has(SLICE("(\"[<>:,;.@"), s.p[len]) && s.p[0] != '.' &&
	       s.p[0] != '@')
		len++;
	add(n, slice_head(s, len));
	return len;
}

void subm_names_add(struct subm_list *list, struct slice body, struct arena *a)
{
	struct names n = { .list = list, .a = a };

	while (body.len > 0)
		body = slice_from(body, take(&n, body));
	flush(&n);
	str_done(&n.now);
}

void subm_names_of_header(struct subm_list *list, struct slice fields,
			  struct arena *a)
{
	static const char *const plain[] = { "To", "Cc", "Bcc", NULL };
	static const char *const resent[] = { "Resent-To", "Resent-Cc",
					      "Resent-Bcc", NULL };
	const char *const *wanted = plain;
	struct header_field field;
	struct slice rest = fields;

	while (header_next(&rest, &field))
		if (header_is_one_of(&field, resent))
			wanted = resent;
	rest = fields;
	while (header_next(&rest, &field))
		if (header_is_one_of(&field, wanted))
			subm_names_add(list, field.body, a);
}
