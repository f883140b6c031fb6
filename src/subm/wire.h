/*
 * wire.h - what is said on the submission socket.
 *
 *	frame   = type length payload	; 1 byte, 3 bytes big-endian, payload
 *	client  = *( message )
 *	message = *( option / recipient ) begin *data ( end / drop )
 *	server  = *( accepted / refused )	; one for each end, in order
 *
 * A client need not wait for an answer before its next message. One that is
 * dropped is not answered. A refusal that no end asked for concerns the whole
 * connection, which is then closed. Options
 * are NAME "=" VALUE; an unknown one is an error, since what it asked for would
 * be lost. Those whose name begins with "rcpt-" concern the next recipient.
 *Pure; whatever comes, memory is bounded by WIRE_PAYLOAD_MAX and the limits
 *handed to wire_take_option().
 */
#ifndef SUBM_WIRE_H
#define SUBM_WIRE_H

#include "base/parse.h"
#include "subm/envelope.h"
#include "subm/names.h"

enum { WIRE_PAYLOAD_MAX = 64 * 1024, WIRE_HEAD = 4 };

enum wire_type {
	WIRE_OPTION = 'O',
	WIRE_RCPT = 'R',
	WIRE_BEGIN = 'B',
	WIRE_DATA = 'D',
	WIRE_END = 'E',
	WIRE_DROP = 'X',
	WIRE_ACCEPTED = 'A', /* the spool id */
	WIRE_REFUSED = 'N',  /* exit code, a blank, the reason */
};

/* Where the submission socket is below $POSTOFFICE. */
#define WIRE_SOCKET "submit.socket"

struct wire_frame {
	char type;
	struct slice payload; /* borrowed until the next call */
};

/* Begin with all zero; end with wire_done(). */
struct wire {
	struct str frame;
	bool is_used;
};

/* Frees what is collected. */
void wire_done(struct wire *w);

/*
 * Takes bytes off *in up to the end of one frame. PARSE_BAD for a type that is
 * not among `types`, or a payload that is too long.
 */
MUST_USE enum parse wire_next(struct wire *w, struct slice *in,
			      const char *types, struct wire_frame *ret,
			      struct err *err);

/* Adds a frame, or as many as a long payload of data needs. */
void wire_add(struct str *to, enum wire_type type, struct slice payload);

/* Adds the options, the recipients and the beginning of a message. */
void wire_add_request(struct str *to, const struct subm_request *r);

/* A request that is put together from frames. Begin with all zero. */
struct wire_request {
	struct subm_request request;
	struct subm_list rcpts;
	struct subm_wish next;	  /* of the recipient that comes */
	struct subm_wish *wishes; /* of the first of them */
	size_t cap_wishes;
	size_t size; /* bytes of all texts */
	size_t max;  /* so many may come; 0: WIRE_REQUEST_MAX */
};

/* Frees the lists; all is zero then. */
void wire_request_done(struct wire_request *r);

/* Bytes of all options and recipients of one message. */
enum { WIRE_REQUEST_MAX = 16 * 1024 * 1024 };

/* The most that a message with so many recipients can need; 0: any number. */
size_t wire_request_max(uint64_t n_rcpts);

/*
 * Takes an option or a recipient, copied into a. Returns 0; -1, err saying
 * why, for one that is not known, badly made or too much.
 */
MUST_USE int wire_take(struct wire_request *r, const struct wire_frame *frame,
		       struct arena *a, struct err *err);

/* Adds the answer to one message. */
void wire_add_answer(struct str *to, int code, struct slice text);

/*
 * Takes an answer apart: EX_OK and the id, or a code and the reason. -1 if it
 * is none.
 */
MUST_USE int wire_read_answer(const struct wire_frame *frame, int *ret_code,
			      struct slice *ret_text);

#endif
