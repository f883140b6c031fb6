/*
 * params.h - the parameters of MAIL and RCPT in a batch.
 *
 *	MAIL	BODY= (RFC 6152), SIZE= (RFC 1870), SMTPUTF8 (RFC 6531),
 *		RET= ENVID= (RFC 3461), BY= (RFC 2852), REQUIRETLS (RFC 8689),
 *		AUTH= (RFC 4954)
 *	RCPT	NOTIFY= ORCPT= (RFC 3461, RFC 6533)
 *
 * Each counts, but for AUTH, whose word nobody has to believe, and SMTPUTF8:
 * whether it is needed agents see for themselves. What is not known, badly
 * made or said twice is refused, since what it asked for would be lost. Pure.
 */
#ifndef SUBM_PARAMS_H
#define SUBM_PARAMS_H

#include "subm/envelope.h"

/*
 * Adds what text asks for to *r; texts live in a. -1, err naming the
 * parameter.
 */
MUST_USE int subm_params_mail(struct slice text, struct arena *a,
			      struct subm_request *r, struct err *err);

/* The same for one recipient. */
MUST_USE int subm_params_rcpt(struct slice text, struct arena *a,
			      struct subm_wish *wish, struct err *err);

#endif
