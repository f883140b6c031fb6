/*
 * intake.c - one message on its way into the spool, in any chunking.
 *
 * Bytes pass the head splitter and, behind the header, the line end filter if
 * the message has CR LF, and are collected until there is a chunk to write. A
 * small message is one write.
 */
#include "subm/intake.h"

#include "base/keyword.h"
#include "base/mem.h"
#include "smtp/path.h"
#include "spool/spoolid.h"
#include "subm/complete.h"
#include "subm/crlf.h"
#include "subm/head.h"
#include "subm/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

enum { CHUNK = 64 * 1024 };

struct subm_intake {
	const struct subm_site *site;
	struct create_office *group;
	struct subm_request *request;
	struct arena *a;
	struct subm_envelope envelope;
	struct subm_list rcpts; /* with those of the header */
	struct subm_head head;
	struct str fields; /* the header as it is kept */
	struct subm_crlf crlf;
	struct create file;
	uint64_t body_offset, size;
	struct str out;		/* what is to be written next */
	struct spool_room room; /* of a message without a group */
	struct str spool_id;
	bool has_envelope, has_head;
};

struct subm_intake *subm_intake_new(const struct subm_site *site,
				    struct create_office *group,
				    struct subm_request *request)
{
	struct subm_intake *i = mem_zero(1, sizeof(*i));

	request->routes = site->routes;
	request->host_name = site->host_name;
	request->mail_name = site->mail_name;
	request->now = (int64_t)time(NULL);
	*i = (struct subm_intake){
		.site = site,
		.group = group,
		.request = request,
		.a = arena_new(),
	};
	return i;
}

/* Many may wait for the disk: they keep just what is told then. */
static void forget_text(struct subm_intake *i)
{
	subm_head_done(&i->head);
	subm_list_done(&i->rcpts);
	str_done(&i->fields);
	str_done(&i->out);
	arena_free(i->a);
	i->a = NULL;
	i->request = NULL;
}

void subm_intake_free(struct subm_intake *i)
{
	if (i == NULL)
		return;
	create_end(&i->file);
	forget_text(i);
	str_done(&i->spool_id);
	free(i);
}

struct slice subm_intake_id(const struct subm_intake *i)
{
	return str_slice(&i->spool_id);
}

struct create *subm_intake_file(struct subm_intake *i)
{
	return &i->file;
}

/*
 * What the spool's trouble means to the caller: what may pass by itself is
 * temporary, what somebody must mend is not.
 */
int subm_spool_trouble(const struct err *err)
{
	static const int passing[] = { ENOSPC, EDQUOT, EIO,    EMFILE,
				       ENFILE, ENOMEM, ENOBUFS };

	for (size_t n = 0; n < COUNT(passing); n++)
		if (err->code == passing[n])
			return EX_TEMPFAIL;
	return EX_CANTCREAT;
}

static int too_large(const struct subm_intake *i, struct err *err)
{
	err_set(err, 0, "5.3.4 the message is larger than %ju bytes",
		(uintmax_t)i->site->size_max);
	return EX_DATAERR;
}

/* ---- the envelope ------------------------------------------------------- */

static int make_envelope(struct subm_intake *i, struct err *err)
{
	const struct subm_site *site = i->site;
	int code;

	if (site->rcpts_max > 0 && i->request->n_rcpts > site->rcpts_max) {
		err_set(err, 0, "%zu recipients, more than %zu",
			i->request->n_rcpts, site->rcpts_max);
		return EX_DATAERR;
	}
	code = subm_envelope_make(i->request, i->a, &i->envelope, err);
	i->has_envelope = code == EX_OK;
	return code;
}

int subm_intake_begin(struct subm_intake *i, struct err *err)
{
	if (i->site->size_max > 0 && i->request->size > i->site->size_max)
		return too_large(i, err);
	return i->request->reads_rcpts ? EX_OK : make_envelope(i, err);
}

/* The recipients of the header, behind those of the command line. */
static int read_rcpts(struct subm_intake *i, struct err *err)
{
	struct subm_request *r = i->request;

	for (size_t n = 0; n < r->n_rcpts; n++)
		subm_list_add(&i->rcpts, r->rcpts[n]);
	subm_names_of_header(&i->rcpts, subm_head_fields(&i->head), i->a);
	r->rcpts = i->rcpts.items;
	r->n_rcpts = i->rcpts.n;
	if (r->n_rcpts > 0)
		return make_envelope(i, err);
	err_set(err, 0,
		"no recipient is given, neither as a word nor in To,"
		" Cc or Bcc");
	return EX_USAGE;
}

/* ---- the message -------------------------------------------------------- */

/* Is there room for more? */
static int check_room(struct subm_intake *i, struct err *err)
{
	struct spool_room *room = i->group != NULL ? &i->group->room : &i->room;
	const int dirs[] = { i->file.queue_dir, i->file.transport_dir };

	return spool_room_check(room, &i->site->reserve, dirs,
				(int64_t)time(NULL), err) < 0
		   ? subm_spool_trouble(err)
		   : EX_OK;
}

static int flush(struct subm_intake *i, struct err *err)
{
	if (create_write(&i->file, str_slice(&i->out), err) < 0)
		return subm_spool_trouble(err);
	str_clear(&i->out);
	return EX_OK;
}

/* The header is there: opens the message file and begins its text. */
static int begin_file(struct subm_intake *i, struct err *err)
{
	const struct subm_site *site = i->site;
	struct slice fields = subm_head_fields(&i->head);
	int code = i->has_envelope ? EX_OK : read_rcpts(i, err);

	if (code != EX_OK)
		return code;
	if (subm_check_loop(fields, err) < 0)
		return EX_DATAERR;
	if (i->request->is_raw)
		str_add(&i->fields, fields);
	else
		subm_strip(&i->fields, fields);
	if ((i->group != NULL
		 ? create_begin_in(i->group, &i->file, err)
		 : create_begin(site->postoffice, site->hash_levels, &i->file,
				err)) < 0)
		return subm_spool_trouble(err);
	code = check_room(i, err);
	if (code != EX_OK)
		return code;
	subm_envelope_print(&i->out, &i->envelope);
	str_add(&i->out, str_slice(&i->fields));
	str_addc(&i->out, '\n');
	i->body_offset = i->out.len;
	return EX_OK;
}

/* A large message may be what takes the last room. */
static int write_chunk(struct subm_intake *i, struct err *err)
{
	int code = check_room(i, err);

	return code == EX_OK ? flush(i, err) : code;
}

static int add_body(struct subm_intake *i, struct slice bytes, struct err *err)
{
	if (i->head.is_crlf)
		subm_crlf_push(&i->crlf, bytes, &i->out);
	else
		str_add(&i->out, bytes);
	if (i->out.len < CHUNK)
		return EX_OK;
	return write_chunk(i, err);
}

/* Behind the header, which ended in the bytes that were fed. */
static int end_head(struct subm_intake *i, struct err *err)
{
	int code = begin_file(i, err);

	i->has_head = true;
	if (code != EX_OK)
		return code;
	return add_body(i, subm_head_rest(&i->head), err);
}

int subm_intake_feed(struct subm_intake *i, struct slice bytes, struct err *err)
{
	enum parse verdict;
	int code;

	i->size += bytes.len;
	if (i->site->size_max > 0 && i->size > i->site->size_max)
		return too_large(i, err);
	if (!i->has_head) {
		verdict = subm_head_feed(&i->head, &bytes, err);
		if (verdict == PARSE_BAD)
			return EX_DATAERR;
		if (verdict == PARSE_MORE)
			return EX_OK;
		code = end_head(i, err);
		if (code != EX_OK)
			return code;
	}
	return add_body(i, bytes, err);
}

/* ---- the end ------------------------------------------------------------ */

/* Completes the header, now that the spool id is known. */
static void complete(struct subm_intake *i)
{
	struct slice mail_name = i->site->mail_name;
	struct str date = STR_INIT, whole = STR_INIT;

	if (mail_name.len == 0)
		mail_name = i->site->host_name;
	if (!helo_name_valid(mail_name))
		mail_name = SLICE("localhost");
	subm_date_print(&date, i->request->now);
	subm_complete(&whole, str_slice(&i->fields),
		      &(struct subm_completion){
			  .sender = i->envelope.sender,
			  .full_name = i->request->full_name,
			  .mail_name = mail_name,
			  .host_name = helo_name_valid(i->site->host_name)
					   ? i->site->host_name
					   : mail_name,
			  .spool_id = str_slice(&i->spool_id),
			  .date = str_slice(&date),
			  .uid = i->request->uid,
		      });
	str_done(&i->fields);
	i->fields = whole;
	str_done(&date);
}

/* Prints the control file of the message file that has been written. */
static int print_control(struct subm_intake *i, struct str *control,
			 struct err *err)
{
	struct str identity = STR_INIT;

	subm_identity_print(&identity, str_slice(&i->fields),
			    str_slice(&i->spool_id), i->site->host_name);
	subm_control_print(control, &i->envelope,
			   &(struct subm_content){
			       .name = create_base(&i->file),
			       .body_offset = i->body_offset,
			       .identity = str_slice(&identity),
			       .fields = str_slice(&i->fields),
			   });
	str_done(&identity);
	if (control->len <= CTL_SIZE_MAX)
		return EX_OK;
	err_set(err, 0,
		"too many recipients: the control file would have %zu"
		" bytes, more than %d",
		control->len, CTL_SIZE_MAX);
	return EX_DATAERR;
}

/* All bytes are in the message file. */
static int commit(struct subm_intake *i, struct err *err)
{
	struct str control = STR_INIT;
	struct stat st;
	int code;

	if (fstat(i->file.fd, &st) < 0) {
		err_set(err, errno, "the message file: %s", strerror(errno));
		return subm_spool_trouble(err);
	}
	spoolid_print(&i->spool_id, st.st_ino, st.st_mtim.tv_sec,
		      st.st_mtim.tv_nsec);
	if (!i->request->is_raw)
		complete(i);
	code = print_control(i, &control, err);
	if (code == EX_OK &&
	    (i->group != NULL
		 ? create_stage(&i->file, str_slice(&control), err)
		 : create_commit(&i->file, str_slice(&control), err)) < 0)
		code = subm_spool_trouble(err);
	str_done(&control);
	return code;
}

int subm_intake_end(struct subm_intake *i, struct err *err)
{
	int code = EX_OK;

	if (!i->has_head) {
		if (subm_head_end(&i->head, err) == PARSE_BAD)
			return EX_DATAERR;
		code = end_head(i, err);
	}
	if (code != EX_OK)
		return code;
	subm_crlf_end(&i->crlf, &i->out);
	code = flush(i, err);
	if (code == EX_OK)
		code = commit(i, err);
	if (code == EX_OK)
		forget_text(i);
	return code;
}
