/*
 * secret.c - what of a conversation may be shown.
 *
 *	auth = "AUTH" SP mechanism [ SP initial-response ]	; RFC 4954 4
 */
#include "smtpta/secret.h"

/* The verb and the mechanism's name are no secret. */
static void add_auth(struct str *to, struct slice line)
{
	struct slice word;

	for (int i = 0; i < 2 && slice_word(&line, &word); i++) {
		str_add(to, word);
		str_addc(to, ' ');
	}
}

struct smtp_said secret_mask(struct secret *s, const struct smtp_said *said)
{
	struct smtp_said shown = *said;
	bool is_auth = said->direction == 'w' &&
		       slice_starts_nocase(said->text, SLICE("AUTH "));

	s->is_in_auth |= is_auth;
	if (!s->is_in_auth || said->direction == 'x')
		return shown;
	if (said->direction == 'r' && said->reply != NULL &&
	    said->reply->code != 334) {
		s->is_in_auth = false;
		return shown;
	}
	str_clear(&s->room);
	if (is_auth)
		add_auth(&s->room, said->text);
	else if (said->direction == 'r')
		str_adds(&s->room, "334 ");
	str_adds(&s->room, "***");
	shown.text = str_slice(&s->room);
	return shown;
}

void secret_done(struct secret *s)
{
	str_done(&s->room);
	*s = (struct secret){ 0 };
}
