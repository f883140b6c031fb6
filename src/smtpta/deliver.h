/*
 * deliver.h - batches into the engine, its events into settled recipients.
 *
 * Decides about a second try on a new connection and about recipients that
 * must go in a transaction of their own.
 */
#ifndef SMTPTA_DELIVER_H
#define SMTPTA_DELIVER_H

#include "smtpta/flight.h"
#include "smtpta/guests.h"
#include "smtpta/peers.h"
#include "smtpta/session.h"

/* What a delivery needs beside the flight. */
struct deliver {
	const struct smtpta_options *options;
	struct agent *agent;
	struct session *session;
	struct sesslog *log;	   /* may be NULL */
	struct recorder *recorder; /* may be NULL */
	struct peer *peer;	   /* of the open session's host */
	size_t n_ended;		   /* transactions, on this connection */
	size_t rcpt_limit;	   /* learnt on this connection; 0: none */
	size_t n_unknown;	   /* recipients with outcome unknown, untold */
	unsigned doubted;	   /* extensions left alone on it, on trial */
	struct guests *guests;	   /* NULL without -e */
};

/*
 * Gives every waiting batch of a flight that suits the open session to its
 * engine; one that must not or cannot be sent there is settled instead.
 */
void deliver_add(struct deliver *x, struct flight *f);

/*
 * May a batch go over the open session? Not to a host that it has been to;
 * to a further host only if it has been to those before; and not if its
 * message asks for more security than the session was opened with.
 */
bool deliver_suits(const struct deliver *x, const struct batch *b);

/*
 * Settles a waiting batch for which no further host can be reached: with the
 * last word of a host that it has been to, or with `why`.
 */
void deliver_no_further(struct deliver *x, struct batch *b,
			const struct diag *why);

/*
 * Takes every event of the open session's engine. The connection may be gone
 * afterwards; batches that came back and may be tried again are waiting.
 */
void deliver_take_events(struct deliver *x);

/*
 * Settles every open recipient of a flight whose host cannot be spoken to:
 * the first gets `why` as it is if is_first, the others a plain deferral with
 * the same text. A permanent `why` goes to all. Recipients whom another host
 * of the destination has put off keep what that said.
 */
void deliver_unreachable(struct deliver *x, struct flight *f,
			 const struct diag *why, bool is_first);

/* The session_fill of every delivery. */
int deliver_fill(struct smtp_transaction *t, bool needs_dots, struct str *sink,
		 struct err *err);

#endif
