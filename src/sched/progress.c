/*
 * progress.c - what agents say of how far a message is (smtp(8), INTERFACE):
 *
 *	"#progress" SP object
 *
 * with the members message, bytes and perhaps size. The last one of an agent
 * is kept until it is done with its line. An agent may be anybody's: what is
 * not of that form is refused.
 */
#include "sched/sched_internal.h"

#include <jansson.h>

enum { LINE_MAX_BYTES = 4096 };

bool sched_progress_take(struct sched_worker *w, struct slice text)
{
	struct sched_progress *p = &w->progress;
	json_t *object = NULL, *bytes, *size;
	const char *name;
	bool is_good = false;

	if (text.len <= LINE_MAX_BYTES)
		object = json_loadb(text.p, text.len, 0, NULL);
	name = json_string_value(json_object_get(object, "message"));
	bytes = json_object_get(object, "bytes");
	size = json_object_get(object, "size");
	if (name != NULL && json_is_integer(bytes) &&
	    json_integer_value(bytes) >= 0 &&
	    (size == NULL ||
	     (json_is_integer(size) && json_integer_value(size) >= 0))) {
		str_clear(&p->message);
		str_adds(&p->message, name);
		p->bytes = (uint64_t)json_integer_value(bytes);
		p->size = (uint64_t)json_integer_value(size);
		is_good = true;
	}
	json_decref(object);
	return is_good;
}
