/*
 * message.h - a report about TLS as it goes out: gzip, and a message with it
 * (RFC 8460 5.1 to 5.3).
 *
 * Pure, but for the library. The same report gives the same bytes; a message
 * differs in its date and in those it is for.
 */
#ifndef TLSRPT_MESSAGE_H
#define TLSRPT_MESSAGE_H

#include "policy/tlsrpt.h"

/* Adds text, compressed with gzip (RFC 1952), without a time in it. */
void message_gzip(struct slice text, struct str *to);

/* All domains in it are fit for headers: tlsrpt_is_domain(). */
struct message {
	const struct tlsrpt_report *report;
	struct slice submitter; /* the domain of report->contact */
	struct slice token;	/* letters and digits: a part of the id */
	struct slice gzip;	/* the report */
	const struct slice *to; /* addresses */
	size_t n_to;
	int64_t now; /* seconds since 1970 */
};

/*
 * Adds "DAY.TOKEN@SUBMITTER", which is the id of the report and, in brackets,
 * that of the message.
 */
void message_id_print(struct str *to, int64_t day, struct slice token,
		      struct slice submitter);

/* Adds the name of the file, SUBMITTER!DOMAIN!BEGIN!END!TOKEN.json.gz. */
void message_file_print(struct str *to, const struct message *m);

/* Adds the whole message; lines end in LF, none is longer than 998 bytes. */
void message_print(struct str *to, const struct message *m);

#endif
