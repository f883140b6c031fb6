/*
 * rfc2047_internal.h - between reading a field and writing encoded-words.
 *
 * The reader (rfc2047_field.c) takes a field apart into white space, words
 * and delimiters, and hands them over in order. The writer (rfc2047.c)
 * collects words that need it into runs, encodes each run, and folds. The
 * slices handed over must live until the writer is done.
 */
#ifndef MIME_RFC2047_INTERNAL_H
#define MIME_RFC2047_INTERNAL_H

#include "base/str.h"

/* What surrounds a word; Q may use fewer bytes the further down. */
enum words_context { WORDS_TEXT, WORDS_COMMENT, WORDS_PHRASE };

struct words {
	struct str *to;	      /* borrowed */
	struct slice charset; /* for what is not UTF-8 */
	size_t name_end;      /* column behind the field's name and colon */
	size_t column;
	struct slice space;	    /* came last, and is not written yet */
	struct slice open;	    /* nor is "(" behind it */
	struct slice lead;	    /* white space before the run */
	struct slice prefix;	    /* "(" behind that */
	struct str run;		    /* text to be encoded; empty: no run */
	size_t behind;		    /* bytes that follow the run */
	enum words_context context; /* of the run */
	bool is_after_word;	    /* an encoded-word was written last */
	bool needs_space; /* something was that must not touch a special */
	size_t n_runs;	  /* runs written */
};

/* Begins behind a name and its colon, which are written. */
void words_begin(struct words *w, struct str *to, struct slice charset,
		 size_t name_end);
void words_done(struct words *w);

/* White space, with its folding. Never twice in a row. */
void words_space(struct words *w, struct slice space);

/*
 * A word that stays as it is, encoded-words that were there included. At
 * least `behind` bytes follow it without white space.
 */
void words_plain(struct words *w, struct slice text, size_t behind);

/* A word to be encoded, without quotes and quoted pairs. */
void words_encode(struct words *w, struct slice content,
		  enum words_context context, size_t behind);

/* An opening parenthesis: what follows must stay on its line. */
void words_open(struct words *w, struct slice text);

/* Another special, a closing parenthesis, an address in its brackets. */
void words_delimiter(struct words *w, struct slice text, size_t behind);

/* Ends the field. */
void words_end(struct words *w);

#endif
