/*
 * walk.h - the steps of an explanation; for explain.c.
 */
#ifndef EXPLAIN_WALK_H
#define EXPLAIN_WALK_H

#include "explain/explanation.h"
#include "smtpta/session.h"

/*
 * Chance, kept: who draws again gets the same numbers, so that hosts of equal
 * preference keep the order in which they were shown.
 */
struct walk_draws {
	size_t (*choose)(void *context, size_t n); /* NULL: none is wanted */
	void *context;
	size_t *picks;
	size_t n, cap, at;
};

/* A number below n: the next one. context is the struct walk_draws. */
size_t walk_draw(void *context, size_t n);

/* Begins again with the first number. */
void walk_draw_again(struct walk_draws *d);

/* Frees the numbers. */
void walk_draws_done(struct walk_draws *d);

/* Who walks; all borrowed. */
struct walk_scene {
	const struct smtpta_options *options;
	struct dns_resolver *resolver;
	struct walk_draws *draws; /* those of the options */
	const struct session_safety *safety;
};

/* Hears of each peer at once; what it is given is borrowed for the call. */
struct walk_listener {
	void (*tell)(void *context, const struct explained_peer *peer);
	void *context;
};

/* Who is meant: recipient and destination, from e->subject. */
void walk_subject(const struct smtpta_options *o, struct explanation *e);

/* Keeps an answer, which lives in e's arena. */
void walk_answer(struct explanation *e, const struct dns_answer *answer);

/* Finds the route, and where connections would come from. */
void walk_route(const struct walk_scene *scene, struct explanation *e);

/*
 * Connects to each address of the route, as far as it is ready for mail: as
 * delivery would, and then to those that it would have no need of.
 */
void walk_peers(const struct walk_scene *scene, struct explanation *e,
		const struct walk_listener *listener);

/* What would become of the message e->content.file, if there is one. */
void walk_content(const struct smtpta_options *o, struct explanation *e);

/*
 * The same for a server with these capabilities; NULL without a message, or
 * if it cannot be read, which e->content.trouble then says.
 */
struct explained_plan *walk_plan(const struct smtpta_options *o,
				 struct explanation *e,
				 const struct caps *caps);

/* What all of it comes to: failure and status. */
void walk_end(struct explanation *e);

/*
 * What would be said in the envelope to a server with these capabilities;
 * nothing if there is no good recipient. Lives in e's arena.
 */
struct explained_envelope walk_envelope(const struct smtpta_options *o,
					const struct explanation *e,
					const struct caps *caps);

#endif
