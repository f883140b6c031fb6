/*
 * parse.h - the three answers of an incremental parser.
 */
#ifndef BASE_PARSE_H
#define BASE_PARSE_H

enum parse {
	PARSE_DONE, /* one whole thing was read; its output is filled */
	PARSE_MORE, /* all input is used up and the thing is not whole yet */
	PARSE_BAD,  /* what was read can never become one; err says why */
};

#endif
