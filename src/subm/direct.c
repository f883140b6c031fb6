/*
 * direct.c - messages into the spool, for who may write there.
 */
#include "subm/direct.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sysexits.h>

struct subm_direct {
	const struct subm_site *site;
	struct create_office office;
	bool is_group;
	struct subm_intake *now;
	struct subm_intake **ended; /* given; in order */
	size_t n, cap;
};

struct subm_direct *subm_direct_new(const struct subm_site *site, bool is_group,
				    struct err *err)
{
	struct subm_direct *d = mem_zero(1, sizeof(*d));

	d->site = site;
	d->is_group = is_group;
	d->office =
	    (struct create_office){ .queue_dir = -1, .transport_dir = -1 };
	if (is_group && create_office_open(site->postoffice, site->hash_levels,
					   &d->office, err) < 0) {
		subm_direct_free(d);
		return NULL;
	}
	return d;
}

void subm_direct_free(struct subm_direct *d)
{
	if (d == NULL)
		return;
	subm_intake_free(d->now);
	for (size_t i = 0; i < d->n; i++)
		subm_intake_free(d->ended[i]);
	create_office_close(&d->office);
	free(d->ended);
	free(d);
}

static int begin(void *context, struct subm_request *request, struct err *err)
{
	struct subm_direct *d = context;

	d->now =
	    subm_intake_new(d->site, d->is_group ? &d->office : NULL, request);
	return subm_intake_begin(d->now, err);
}

static int feed(void *context, struct slice bytes, struct err *err)
{
	struct subm_direct *d = context;

	return subm_intake_feed(d->now, bytes, err);
}

static int end(void *context, struct err *err)
{
	struct subm_direct *d = context;
	int code = subm_intake_end(d->now, err);

	if (code != EX_OK)
		return code;
	d->ended = mem_grow(d->ended, &d->cap, d->n + 1, sizeof(*d->ended));
	d->ended[d->n++] = d->now;
	d->now = NULL;
	return EX_OK;
}

static void drop(void *context)
{
	struct subm_direct *d = context;

	subm_intake_free(d->now);
	d->now = NULL;
}

/* Settles the group; those that are done are told, the others too. */
static int settle(struct subm_direct *d, struct err *err)
{
	struct create **files = mem_zero(d->n, sizeof(*files));
	int code = EX_OK;

	for (size_t i = 0; i < d->n; i++)
		files[i] = subm_intake_file(d->ended[i]);
	if (create_settle(&d->office, files, d->n, err) < 0)
		code = subm_spool_trouble(err);
	free(files);
	return code;
}

static int finish(void *context, const struct subm_ear *ear, struct err *err)
{
	struct subm_direct *d = context;
	int code = EX_OK;

	if (d->is_group && d->n > 0)
		code = settle(d, err);
	for (size_t i = 0; i < d->n; i++) {
		struct subm_intake *m = d->ended[i];

		if (code == EX_OK && subm_intake_file(m)->is_done)
			ear->tell(ear->context, EX_OK, subm_intake_id(m));
		else
			ear->tell(ear->context, subm_spool_trouble(err),
				  slice_of(err->text));
		subm_intake_free(m);
	}
	d->n = 0;
	return code;
}

struct subm_target subm_direct_target(struct subm_direct *d)
{
	return (struct subm_target){
		.context = d,
		.begin = begin,
		.feed = feed,
		.end = end,
		.drop = drop,
		.finish = finish,
	};
}
