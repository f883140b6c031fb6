/*
 * plan.h - which conversions a message gets on its way, and why, or why not.
 *
 * The plan is a value made of facts: what the header says (struct mime_label),
 * what the body is made of (struct scan), how it would look decoded (struct
 * qp_decoder), what the channel takes and the postmaster wants (struct
 * mime_channel). It changes nothing itself; convert.h carries it out. Log
 * line, record and report print it.
 *
 *	clean the header (convert_clean_header)
 *	mime_label_read()
 *	mime_plan_needs(): read the body once for the facts that are wanted
 *	mime_plan_make()
 *	convert_header(), convert_body_...()
 *
 * What is decided (RFC 2045, 2047, 1428, 6152):
 *
 *  * text/plain, or mail without MIME header, with 8-bit bytes for a 7-bit
 *    channel is made quoted-printable; so is such text with lines, NULs or
 *    CRs that the channel does not take. Mail without MIME header gets one.
 *  * text labelled 8bit that is not, for a 7-bit channel, is labelled 7bit.
 *  * quoted-printable text/plain is decoded if that is asked for, and if the
 *    result can be sent and the first Received field can tell of it.
 *  * 8-bit text in the header is made encoded-words, for every channel,
 *    since 8BITMIME does not cover headers.
 *  * mail whose signature would break (DKIM, ARC, multipart/signed, S/MIME),
 *    encrypted mail, and mail that says "Content-Conversion: prohibited" is
 *    never touched, header and body. "Content-Conversion: forced-qp" makes
 *    the channel a 7-bit one, unless it is 8-bit clean by the postmaster's
 *    word.
 *  * all else is sent as it is. Multiparts are not looked into here: what
 *    becomes of their parts mime/treeplan.h says, which begins with this plan.
 */
#ifndef MIME_PLAN_H
#define MIME_PLAN_H

#include "mime/ctype.h"
#include "mime/qp.h"
#include "mime/scan.h"

/* What becomes of the body. */
enum mime_mode {
	MIME_NONE,    /* nothing */
	MIME_QP,      /* made quoted-printable */
	MIME_8BIT,    /* quoted-printable made 8bit */
	MIME_UNKNOWN, /* made quoted-printable, and the MIME header is new */
	MIME_BASE64,  /* made base64; a tree's plan alone asks for it */
	MIME_PARTS,   /* part by part (mime/treeplan.h) */
};

/* Why. */
enum mime_reason {
	/* nothing was to be done */
	MIME_IS_7BIT,	   /* there is nothing to convert */
	MIME_CHANNEL_8BIT, /* the channel takes it as it is */
	MIME_IS_ENCODED,   /* encoded already, decoding is not wanted */
	/* something is done */
	MIME_HAS_8BIT,	    /* 8-bit, and the channel is not */
	MIME_HAS_LONG_LINE, /* a line longer than the channel takes */
	MIME_HAS_NUL,
	MIME_HAS_CR,  /* a CR that is not part of CR LF */
	MIME_DECODED, /* decoding is wanted, and possible */
	MIME_RELABEL, /* labelled 8bit, but is 7bit */
	/* something should be done, and must not */
	MIME_DKIM,	 /* DKIM-Signature */
	MIME_ARC,	 /* ARC-... */
	MIME_SIGNED,	 /* multipart/signed */
	MIME_ENCRYPTED,	 /* multipart/encrypted */
	MIME_SMIME,	 /* application/pkcs7-mime */
	MIME_PROHIBITED, /* Content-Conversion: prohibited */
	MIME_KEPT,	 /* headers: the option -H */
	/* something should be done, and cannot */
	MIME_MULTIPART,	   /* multipart/..., message/... */
	MIME_NOT_TEXT,	   /* another type than text/plain */
	MIME_BAD_TYPE,	   /* Content-Type cannot be read */
	MIME_AMBIGUOUS,	   /* several Content-Type or -Encoding fields */
	MIME_BAD_ENCODING, /* base64, binary, or no known encoding */
	MIME_NO_VERSION,   /* says it is encoded, but not that it is MIME */
	MIME_NO_TYPE,	   /* decoding needs a Content-Type */
	MIME_NO_RECEIVED,  /* and a first Received field that can tell */
	MIME_UNFIT,	   /* decoded text could not be sent */
	/* what mime/tree.h and mime/treeplan.h have to say besides */
	MIME_HAS_BINARY,     /* done: binary, and the channel is not */
	MIME_CHANNEL_BINARY, /* nothing to do: binary, and it takes that */
	MIME_BAD_HEADER,   /* a part's header cannot be read, or is too large */
	MIME_BAD_BOUNDARY, /* none, not RFC 2046's, or an outer one again */
	MIME_NO_PARTS,	   /* a multipart in which no part begins */
	MIME_TOO_DEEP,	   /* nested deeper than TREE_DEPTH_MAX */
	MIME_TOO_MANY,	   /* more than TREE_PARTS_MAX parts */
	MIME_MESSAGE,	   /* another message/... than a whole message */
	MIME_BETWEEN,	   /* 8-bit text before or behind the parts */
	MIME_PART_HEADER,  /* 8-bit text where encoded-words cannot be */
	MIME_N_REASONS
};

/* A mode's word as the syslog tag cvt= has it: NONE, QP, 8BIT, UNKNOWN, BASE64;
 * MPQP for part by part. */
const char *mime_mode_word(enum mime_mode mode);

/* A reason's code word, lower case with hyphens: "channel-8bit", "dkim". */
const char *mime_reason_word(enum mime_reason reason);

/* What the header says about the content. Borrows from the header. */
struct mime_label {
	bool has_version;  /* there is a MIME-Version field */
	bool has_type;	   /* there is a Content-Type field */
	bool is_type_read; /* and it could be read */
	struct ctype type;
	bool has_encoding;   /* there is a Content-Transfer-Encoding field */
	enum cte encoding;   /* what it says, else CTE_7BIT */
	bool is_ambiguous;   /* more than one of either */
	bool is_untouchable; /* nothing may be changed */
	enum mime_reason why_untouchable;
	bool is_forced_qp;    /* Content-Conversion: forced-qp */
	bool takes_remark;    /* first field: a Received that a remark fits */
	bool has_8bit_header; /* a field has bytes of 0x80 or above */
};

/*
 * Reads a header: fields as header_next() cuts them, cleaned, since a NUL or
 * CR could hide a name. Return-Path does not count as a first field.
 */
void mime_label_read(struct mime_label *ret, struct slice header);

/* What the channel takes, and what the postmaster wants. */
struct mime_channel {
	bool takes_8bit;      /* 8BITMIME is offered; sm: -8 or flag 8 */
	bool is_8bit_clean;   /* take it for 8-bit, come what may: smtp -8 */
	bool takes_binary;    /* BINARYMIME; for a tree's plan alone */
	bool may_decode;      /* decode quoted-printable: -8, flag 9 */
	bool is_narrow;	      /* encode blanks and TABs too: -Q */
	bool keeps_headers;   /* -H, or the header goes out as SMTPUTF8 */
	bool encodes_nul;     /* NUL in text is a reason to encode */
	bool encodes_cr;      /* so is a CR that is not part of CR LF */
	bool omits_warning;   /* no X-Warning field */
	uint64_t line_max;    /* longest line, SMTP: 998 (RFC 5322); 0: any */
	struct slice charset; /* DEFCHARSET, or empty; borrowed */
};

/* What to do. Slices are borrowed from the channel, or constant. */
struct mime_plan {
	enum mime_mode mode;
	enum mime_reason reason;
	enum mime_reason header_reason; /* MIME_HAS_8BIT: it is converted */
	unsigned unfit;			/* with MIME_UNFIT: QP_UNFIT_... */
	bool is_narrow;			/* for the encoder */
	bool sends_8bit;       /* the body that is sent has 8-bit bytes */
	bool is_unconvertible; /* ... and the channel does not take them */
	/* Edits of the header. */
	bool edits_header;     /* any of what follows, or a new label */
	bool converts_headers; /* RFC 2047 */
	bool relabels_7bit;    /* 8bit to 7bit */
	bool relabels_8bit;    /* of a multipart: anything to 8bit */
	bool labels_ascii;     /* and the charset to US-ASCII */
	bool sets_type;	       /* text/plain in `charset`; an old one goes */
	bool adds_warning;     /* X-Warning */
	struct slice charset;  /* of the body, with sets_type */
	struct slice header_charset; /* for 8-bit headers that are not UTF-8 */
};

/* Is the channel, for this message, one of 7 bits? */
bool mime_is_7bit_channel(const struct mime_label *label,
			  const struct mime_channel *channel);

/*
 * Does no Content-Type, or text/plain, or "text" alone in mail without MIME
 * header, say that the content is plain text?
 */
bool mime_label_is_plain(const struct mime_label *label);

enum mime_needs { MIME_NEEDS_SCAN = 1, MIME_NEEDS_TRIAL = 2 };

/*
 * Which facts about the body the plan depends on: MIME_NEEDS_... MIME_NEEDS_
 * SCAN: a struct scan of the body as it is. MIME_NEEDS_TRIAL: a struct
 * qp_decoder that has judged it (qp_decode_push() with out NULL). Both are
 * made in one pass. 0: the body need not be read for the plan; whoever wants
 * to know sends_8bit (BODY=8BITMIME) scans it all the same.
 */
unsigned mime_plan_needs(const struct mime_label *label,
			 const struct mime_channel *channel);

/*
 * Decides. scan and trial are whole (ended), or NULL where they are not
 * needed. Without a scan sends_8bit is false.
 */
void mime_plan_make(const struct mime_label *label,
		    const struct mime_channel *channel, const struct scan *scan,
		    const struct qp_decoder *trial, struct mime_plan *ret);

#endif
