/*
 * secret.c - what of a conversation may be shown.
 *
 *	auth = "AUTH" SP mechanism [ SP initial-response ]	; RFC 4954 4
 */
#include "smtpta/secret.h"

/* The verb and the mechanism's name are no secret; what is behind them is. */
static void add_auth(struct str *to, struct slice line)
{
	struct slice word;
	int n = 0;

	while (n < 2 && slice_word(&line, &word)) {
		str_addf(to, "%s%.*s", n > 0 ? " " : "", SLICE_ARG(word));
		n++;
	}
	if (n < 2 || slice_trim(line).len > 0)
		str_adds(to, " ***");
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
	else
		str_adds(&s->room, said->direction == 'r' ? "334 ***" : "***");
	shown.text = str_slice(&s->room);
	return shown;
}

void secret_done(struct secret *s)
{
	str_done(&s->room);
	*s = (struct secret){ 0 };
}
