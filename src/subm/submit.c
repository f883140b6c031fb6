/*
 * submit.c - read a message from a descriptor and put it into the spool.
 *
 * Bytes come in chunks, pass the head splitter and, behind the header, the
 * line end filter if the message has CR LF, and are collected until there is
 * a chunk to write. A small message is one write.
 */
#include "subm/submit.h"

#include "base/fd.h"
#include "base/keyword.h"
#include "spool/create.h"
#include "spool/ctl.h"
#include "spool/spoolid.h"
#include "subm/crlf.h"
#include "subm/head.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

struct submission {
	const struct subm_job *job;
	struct subm_head head;
	struct subm_crlf crlf;
	struct create file;
	bool is_open;	     /* `file` is to be ended */
	struct str in;	     /* what was read last */
	struct slice unread; /* the part of it that was not used yet */
	struct str out;	     /* what is to be written next */
};

/* Waits until there is input. EX_OK, or an exit code and err. */
static int wait_for_input(const struct subm_job *job, struct err *err)
{
	struct pollfd fds[] = {
		{ .fd = job->in_fd, .events = POLLIN },
		{ .fd = job->stop_fd, .events = POLLIN },
	};

	while (poll(fds, COUNT(fds), -1) < 0)
		if (errno != EINTR && errno != EAGAIN) {
			err_set(err, errno, "waiting for the message: %s",
				strerror(errno));
			return EX_IOERR;
		}
	if (fds[1].revents == 0)
		return EX_OK;
	err_set(err, EINTR, "interrupted; nothing was queued");
	return EX_TEMPFAIL;
}

/* Reads the next chunk into `in`; it is empty at the end of the input. */
static int read_chunk(struct submission *s, struct err *err)
{
	ssize_t n;

	str_clear(&s->in);
	str_reserve(&s->in, CHUNK);
	do {
		int code = wait_for_input(s->job, err);

		if (code != EX_OK)
			return code;
		n = read(s->job->in_fd, s->in.p, CHUNK);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0) {
		err_set(err, errno, "reading the message: %s", strerror(errno));
		return EX_IOERR;
	}
	s->in.len = (size_t)n;
	s->unread = str_slice(&s->in);
	return EX_OK;
}

static int read_header(struct submission *s, struct err *err)
{
	enum parse verdict = PARSE_MORE;

	while (verdict == PARSE_MORE) {
		int code = read_chunk(s, err);

		if (code != EX_OK)
			return code;
		verdict = s->in.len > 0
			      ? subm_head_feed(&s->head, &s->unread, err)
			      : subm_head_end(&s->head, err);
	}
	return verdict == PARSE_DONE ? EX_OK : EX_DATAERR;
}

/*
 * What the spool's trouble means to the caller: what may pass by itself is
 * temporary, what somebody must mend is not.
 */
static int spool_trouble(const struct err *err)
{
	static const int passing[] = { ENOSPC, EDQUOT, EIO,    EMFILE,
				       ENFILE, ENOMEM, ENOBUFS };

	for (size_t i = 0; i < COUNT(passing); i++)
		if (err->code == passing[i])
			return EX_TEMPFAIL;
	return EX_CANTCREAT;
}

static int flush(struct submission *s, struct err *err)
{
	if (create_write(&s->file, str_slice(&s->out), err) < 0)
		return spool_trouble(err);
	str_clear(&s->out);
	return EX_OK;
}

static void add_body(struct submission *s, struct slice bytes)
{
	if (s->head.is_crlf)
		subm_crlf_push(&s->crlf, bytes, &s->out);
	else
		str_add(&s->out, bytes);
}

/* Writes the message file to its last byte; tells where the body begins. */
static int write_message(struct submission *s, uint64_t *ret_body_offset,
			 struct err *err)
{
	uint64_t body_offset;
	int code = EX_OK;

	subm_envelope_print(&s->out, s->job->envelope);
	str_add(&s->out, subm_head_fields(&s->head));
	str_addc(&s->out, '\n');
	body_offset = s->out.len;
	add_body(s, subm_head_rest(&s->head));
	while (code == EX_OK && s->in.len > 0) {
		add_body(s, s->unread);
		if (s->out.len >= CHUNK)
			code = flush(s, err);
		if (code == EX_OK)
			code = read_chunk(s, err);
	}
	if (code != EX_OK)
		return code;
	subm_crlf_end(&s->crlf, &s->out);
	*ret_body_offset = body_offset;
	return flush(s, err);
}

/* Prints the control file of the message file that has been written. */
static int print_control(struct submission *s, uint64_t body_offset,
			 struct slice spool_id, struct str *control,
			 struct err *err)
{
	struct slice fields = subm_head_fields(&s->head);
	struct str identity = STR_INIT;

	subm_identity_print(&identity, fields, spool_id, s->job->host_name);
	subm_control_print(control, s->job->envelope,
			   &(struct subm_content){
			       .name = create_base(&s->file),
			       .body_offset = body_offset,
			       .identity = str_slice(&identity),
			       .fields = fields,
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

/* The header is there: from the first file to the accepted message. */
static int queue(struct submission *s, struct str *ret_spool_id,
		 struct err *err)
{
	struct str control = STR_INIT, spool_id = STR_INIT;
	uint64_t body_offset = 0;
	struct stat st;
	int code;

	if (create_begin(s->job->postoffice, s->job->hash_levels, &s->file,
			 err) < 0)
		return spool_trouble(err);
	s->is_open = true;
	code = write_message(s, &body_offset, err);
	if (code != EX_OK)
		goto out;
	if (fstat(s->file.fd, &st) < 0) {
		err_set(err, errno, "the message file: %s", strerror(errno));
		code = spool_trouble(err);
		goto out;
	}
	spoolid_print(&spool_id, st.st_ino, st.st_mtim.tv_sec,
		      st.st_mtim.tv_nsec);
	code =
	    print_control(s, body_offset, str_slice(&spool_id), &control, err);
	if (code != EX_OK)
		goto out;
	if (create_commit(&s->file, str_slice(&control), err) < 0)
		code = spool_trouble(err);
	else
		str_add(ret_spool_id, str_slice(&spool_id));
out:
	str_done(&control);
	str_done(&spool_id);
	return code;
}

int subm_submit(const struct subm_job *job, struct str *ret_spool_id,
		struct err *err)
{
	struct submission s = { .job = job };
	int code = read_header(&s, err);

	if (code == EX_OK)
		code = queue(&s, ret_spool_id, err);
	if (s.is_open)
		create_end(&s.file);
	subm_head_done(&s.head);
	str_done(&s.in);
	str_done(&s.out);
	return code;
}
