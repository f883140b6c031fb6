/*
 * dial.h - connecting to one address as the options say.
 */
#ifndef SMTPTA_DIAL_H
#define SMTPTA_DIAL_H

#include "dsn/diag.h"
#include "net/conn.h"
#include "net/dns.h"
#include "smtpta/options.h"

/*
 * How to connect to a destination: the
 * options' time, buffer, port, and local end, of several the one that serves
 * this destination (-O source). Borrows from both.
 */
struct conn_options dial_options(const struct smtpta_options *o,
				 struct slice destination);

/* Has a host that -L names looked up by this resolver, which is borrowed. */
void dial_resolve(struct conn_options *how, struct dns_resolver *r);

/*
 * Sets fate, reason and status of a dial that failed. What the other side or
 * the way there is to blame for puts off the whole host; what we lack (a
 * port, memory, descriptors) only this mail.
 */
void dial_judge(int failure, const struct err *err, struct diag *d);

/* Adds both ends for our own logs: "192.0.2.1|25|192.0.2.2|4711". */
void dial_print_ends(struct str *to, const struct conn *c);

/* Adds one end before there is a connection: "192.0.2.1|25". */
void dial_print_end(struct str *to, const struct net_addr *addr);

/*
 * The connect test (-D): tries the addresses of host until one answers, and
 * gives a line for each to say, without a newline.
 */
void dial_try_host(const struct smtpta_options *o, struct dns_resolver *r,
		   struct slice host, void (*say)(const char *line));

#endif
