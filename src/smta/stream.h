/*
 * stream.h - what a mailer reads on its standard input, piece by piece.
 *
 * In this order: the batched SMTP envelope (flags b, B), the From_ line
 * (unless n), Return-Path (P), Delivered-To (loop guard), the header with its
 * edits, the extra headers (e, O), an empty line, the body, the end of the
 * batch. The body is converted as planned, then loses bit 8 (7), then gets
 * '>' (E), dots and line ends. All lines end alike: LF, or CR LF with R. Where
 * dots are doubled (X, b, B) they are in header and body. Memory is constant
 * whatever the size of the body.
 *
 * The stream knows no file and no clock: all it needs is handed in.
 */
#ifndef SMTA_STREAM_H
#define SMTA_STREAM_H

#include "base/err.h"
#include "mime/passage.h"
#include "mime/treeconv.h"
#include "mime/wire.h"
#include "spool/ctl.h"

#include <sys/types.h>

/*
 * Bytes of body read at once; a piece of stream is about as large, or three
 * times that if it is made quoted-printable.
 */
enum { STREAM_CHUNK = 64 * 1024 };

/*
 * Adds up to max bytes of body to *to; returns their number, 0 at the end, or
 * -1 with err filled.
 */
typedef ssize_t stream_body(void *context, size_t max, struct str *to,
			    struct err *err);

/* What a stream is made of; borrowed while the stream lives. */
struct stream_facts {
	unsigned flags; /* SMTA_... */
	const struct ctl_sender *sender;
	const struct ctl_rcpt *const *rcpts; /* of this run; at least one */
	size_t n_rcpts;
	struct slice header;	       /* fields, each ended by LF; converted */
	const struct passage *passage; /* for the body; NULL: as it is */
	bool sends_8bit;	       /* header or body: for BODY= */
	struct slice envid;	/* xtext as the control file has it, or empty */
	enum ctl_ret ret;	/* RET= */
	struct slice date;	/* "Sat Nov 21 20:35:16 2026", local time */
	struct slice host_name; /* for HELO, "remote from", Delivered-To */
	uint64_t size;		/* for SIZE= */
	int64_t now;		/* Unix time, for BY= */
	bool has_for_clause;	/* add "for" to the first Received, if alone */
	bool expand_tabs;	/* make TABs of the header blanks */
	bool loop_guard;	/* a Delivered-To for each recipient */
	stream_body *body;
	void *body_context;
	struct str *trace; /* gets a copy of all before the body, or NULL */
};

struct stream {
	const struct stream_facts *facts;
	unsigned stage;
	size_t at; /* recipient that the stage has come to */
	struct slice header_rest;
	bool has_first_field;
	struct wire wire;
	bool converts;
	struct treeconv convert;
	struct str field, chunk, converted;
};

/* Begins at the first byte. */
void stream_begin(struct stream *s, const struct stream_facts *facts);

/* Frees what the stream holds, wherever it has come to. */
void stream_done(struct stream *s);

/*
 * Adds the next piece to *to; returns the number of bytes, 0 at the end, or
 * -1 with err filled if the body cannot be read. Not to be called again after
 * 0 or -1.
 */
ssize_t stream_next(struct stream *s, struct str *to, struct err *err);

/* The sender as a program is told: its user part, or "<>". */
struct slice stream_sender(const struct ctl_sender *sender);

#endif
