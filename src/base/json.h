/*
 * json.h - write JSON (RFC 8259) on one line, from bytes of any kind.
 *
 * The output is always valid UTF-8 and has no byte below 0x20, so that one
 * value is one line. Text is taken for UTF-8: what is not, byte by byte,
 * becomes U+FFFD; control characters (C0, DEL, C1), U+2028 to U+202E and U+2066
 * to U+2069, which break lines or turn the order of text, are escaped, since a
 * terminal or a reader of lines might obey them. All else stays as it is.
 *
 *	struct json j;
 *
 *	json_begin(&j, &out);
 *	json_object(&j, NULL);
 *	json_uint(&j, "port", 25);
 *	json_array(&j, "hosts");
 *	json_text(&j, NULL, host);
 *	json_close(&j);
 *	json_close(&j);		{"port":25,"hosts":["mx.example.com"]}
 *
 * In an object each value has a key, a C string; elsewhere the key is NULL.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/str.h"

enum { JSON_DEPTH_MAX = 32 }; /* objects and arrays in one another */

struct json {
	struct str *out; /* borrowed */
	unsigned depth;
	uint32_t is_object; /* a bit for each depth: object, not array */
	uint32_t has_value; /* a bit for each depth: a comma is due */
};

/* Makes j ready to add one value to *out. */
void json_begin(struct json *j, struct str *out);

/* Opens an object or an array; json_close() closes what was opened last. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j);

/* A text of any bytes. */
void json_text(struct json *j, const char *key, struct slice text);

/* The same, left out if it is empty; only in objects. */
void json_text_if(struct json *j, const char *key, struct slice text);

/* Numbers; readers are safe up to 2^53. */
void json_uint(struct json *j, const char *key, uint64_t n);
void json_int(struct json *j, const char *key, int64_t n);

/* true or false; null. */
void json_bool(struct json *j, const char *key, bool is_true);
void json_null(struct json *j, const char *key);

/* A value as it is: what another writer made, whole and valid. */
void json_raw(struct json *j, const char *key, struct slice value);

/*
 * The first bytes of text, at most max, not ending inside a UTF-8 character;
 * of what is not UTF-8 just the first max.
 */
struct slice json_cut(struct slice text, size_t max);

#endif
