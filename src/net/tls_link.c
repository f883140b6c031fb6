/*
 * tls_link.c - reading, writing and waiting through TLS.
 *
 * OpenSSL talks to a BIO of ours. What it writes is collected and goes out in
 * one send() at the end of the caller's operation, or before anything waits for
 * the peer: as many system calls as in clear text, and OpenSSL never finds the
 * socket full, so that nothing has to be written twice. What it reads comes
 * from a recv() that waits as conn.c does; with read-ahead one call takes all
 * records that are there.
 *
 * Several recv() may be needed for one record, if it comes in pieces. None of
 * them waits beyond the slice that the operation began with.
 */
#include "net/tls_internal.h"

#include "base/keyword.h"
#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECORD = 16384,		 /* the most that one record carries */
	WRITE_STEP = 4 * RECORD, /* encrypted at one go, so the most in out */
	/* More than one record, so that few calls take a long answer. */
	READ_BUFFER = 2 * RECORD,
	/*
	 * What one operation takes when its time is over. A peer may send what
	 * is for OpenSSL alone without an end, and would never let go of it.
	 */
	LATE_MAX = 2 * READ_BUFFER,
	/* With more than this to be sent nothing is read that asks for more. */
	UNSENT_MAX = 2 * WRITE_STEP
};

/* ---- below OpenSSL ------------------------------------------------------ */

void tls_link_begin(struct tls_link *l, int64_t deadline)
{
	l->deadline = deadline;
	l->slice_end = conn_now() + CONN_WAIT_SLICE;
	l->is_quiet = false;
	l->was_interrupted = false;
	l->read_errno = 0;
	l->late = 0;
}

static size_t unsent(const struct tls_link *l)
{
	return l->out.len - l->out_begin;
}

void tls_link_hold(struct tls_link *l)
{
	l->is_held = true;
}

static bool has_unsent(const struct tls_link *l)
{
	return unsent(l) > 0;
}

void tls_link_send(struct tls_link *l)
{
	l->is_held = false;
	while (has_unsent(l) && l->write_errno == 0) {
		ssize_t n = send(l->conn->fd, l->out.p + l->out_begin,
				 l->out.len - l->out_begin,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			l->conn->owes_ack = false;
			l->out_begin += (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno != EINTR) {
			l->write_errno = errno;
		}
	}
	/* All is out, or will never be. */
	str_clear(&l->out);
	l->out_begin = 0;
}

/* Waits for something to read while something is still to be sent. */
static void wait_both_ways(struct tls_link *l, int wait)
{
	struct pollfd p = { .fd = l->conn->fd, .events = POLLOUT };

	if (unsent(l) <= UNSENT_MAX)
		p.events |= POLLIN;
	if (poll(&p, 1, wait) < 0)
		l->was_interrupted = errno == EINTR;
	else if ((p.revents & POLLOUT) != 0)
		tls_link_send(l);
}

/* One recv() that takes what is there, or waits for it. */
static ssize_t receive_once(struct tls_link *l, char *to, size_t max,
			    bool may_wait)
{
	int64_t now = conn_now();
	bool is_late = now >= l->slice_end || now >= l->deadline;
	ssize_t n;

	if (unsent(l) > UNSENT_MAX || (is_late && l->late >= LATE_MAX)) {
		errno = EAGAIN;
		return -1;
	}
	n = recv(l->conn->fd, to, max, may_wait ? 0 : MSG_DONTWAIT);
	if (n > 0 && is_late)
		l->late += (size_t)n;
	return n;
}

/* The same, as long as the operation may wait. */
static ssize_t receive(struct tls_link *l, char *to, size_t max)
{
	for (;;) {
		int wait =
		    conn_now() < l->slice_end ? conn_wait_ms(l->deadline) : 0;
		bool is_busy;
		ssize_t n;

		tls_link_send(l);
		if (wait > 0)
			conn_acknowledge(l->conn);
		is_busy = has_unsent(l);
		if (wait > 0 && !is_busy &&
		    conn_set_receive_timeout(l->conn, wait) < 0)
			return -1;
		/* What came in time is read even if we are late ourselves. */
		n = receive_once(l, to, max, wait > 0 && !is_busy);
		if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK) ||
		    !is_busy || wait == 0)
			return n;
		wait_both_ways(l, wait);
		if (l->was_interrupted) {
			errno = EINTR;
			return -1;
		}
	}
}

static int bio_read(BIO *bio, char *to, int max)
{
	struct tls_link *l = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (l->is_quiet) {
		BIO_set_retry_read(bio);
		return -1;
	}
	n = receive(l, to, (size_t)max);
	if (n > 0) {
		l->conn->owes_ack = true;
	} else if (n == 0) {
		l->saw_end = true;
	} else if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) {
		l->was_interrupted |= errno == EINTR;
		BIO_set_retry_read(bio);
	} else {
		l->read_errno = errno;
	}
	return (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct tls_link *l = BIO_get_data(bio);

	if (l->out_begin >= WRITE_STEP) { /* it may never be empty */
		str_shift(&l->out, l->out_begin);
		l->out_begin = 0;
	}
	str_add(&l->out, slice_make(bytes, (size_t)len));
	return len;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_link *l = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1; /* it happens before a wait */
	case BIO_CTRL_EOF:
		return l->saw_end;
	default:
		return 0;
	}
}

BIO_METHOD *tls_link_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
				     "connection");

	if (m == NULL)
		return NULL;
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_control);
	return m;
}

/* ---- above OpenSSL ------------------------------------------------------ */

/* How much an error says: files first, then TLS, then what lies deeper. */
static int weight(unsigned long code)
{
	if (ERR_SYSTEM_ERROR(code))
		return 4;
	if ((ERR_GET_REASON(code) & ERR_RFLAG_COMMON) != 0)
		return 1; /* "system lib" and the like */
	return ERR_GET_LIB(code) == ERR_LIB_SSL ? 3 : 2;
}

bool tls_link_is_alert(int reason)
{
	return reason > SSL_AD_REASON_OFFSET &&
	       reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
}

int tls_link_error(struct str *to)
{
	unsigned long code, best = 0;
	const char *text;
	int reason = 0;

	while ((code = ERR_get_error()) != 0)
		if (best == 0 || weight(code) > weight(best))
			best = code;
	if (best == 0)
		return 0;
	if (ERR_GET_LIB(best) == ERR_LIB_SSL)
		reason = ERR_GET_REASON(best);
	text = ERR_SYSTEM_ERROR(best) ? strerror(ERR_GET_REASON(best))
				      : ERR_reason_error_string(best);
	if (tls_link_is_alert(reason)) {
		/* OpenSSL's text begins with a version, seldom the right one */
		const char *name = text != NULL ? strstr(text, "alert ") : NULL;

		str_addf(to, "alert: %s",
			 name != NULL ? name + strlen("alert ") : "unknown");
	} else if (text != NULL) {
		str_add_clean(to, slice_of(text), SIZE_MAX);
	} else {
		str_addf(to, "error %lx", best);
	}
	return reason != 0 ? reason : -1;
}

/* A read is not to be tried again: remembers why. */
static void meet_fate(struct tls_link *l, int ssl_error)
{
	tls_link_send(l); /* perhaps an alert of ours */
	if (ssl_error == SSL_ERROR_ZERO_RETURN || l->saw_end) {
		l->fate = CONN_END;
		return;
	}
	l->fate = CONN_FAILED;
	l->fate_errno = l->read_errno != 0 ? l->read_errno : EPROTO;
	if (l->read_errno == 0)
		tls_link_error(&l->trouble);
}

/* Reads once; 0 if there is nothing now, or l->fate says that it is over. */
static size_t take(struct tls_link *l, char *to, size_t max)
{
	size_t n;
	int e;

	ERR_clear_error();
	if (SSL_read_ex(l->ssl, to, max, &n) == 1)
		return n;
	e = SSL_get_error(l->ssl, 0);
	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		meet_fate(l, e);
	return 0;
}

/* Would a read find something, if only that it is over? */
static bool has_input(struct tls_link *l, bool may_receive)
{
	size_t n;
	char c;
	int e;

	if (!l->is_up || l->fate != CONN_OK || SSL_pending(l->ssl) > 0)
		return true;
	if (!may_receive && SSL_has_pending(l->ssl) == 0)
		return false;
	tls_link_begin(l, 0);
	l->is_quiet = !may_receive;
	ERR_clear_error();
	if (SSL_peek_ex(l->ssl, &c, 1, &n) == 1)
		return true;
	e = SSL_get_error(l->ssl, 0);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return false;
	meet_fate(l, e);
	return true;
}

enum conn_result tls_link_idle(const struct tls_link *l)
{
	int64_t now = conn_now();

	if (l->was_interrupted)
		return CONN_INTERRUPTED;
	if (now >= l->deadline)
		return CONN_TIMEOUT;
	return now >= l->slice_end ? CONN_INTERRUPTED : CONN_OK;
}

static enum conn_result link_read(struct conn *c, size_t max, struct str *to,
				  int64_t deadline)
{
	struct tls_link *l = c->tls;
	enum conn_result idle = CONN_OK;
	size_t n, total = 0;

	if (!l->is_up) {
		errno = EPROTO;
		return CONN_FAILED;
	}
	str_reserve(to, max);
	tls_link_begin(l, deadline);
	while (total == 0 && l->fate == CONN_OK && idle == CONN_OK) {
		total = take(l, to->p + to->len, max);
		if (total == 0 && l->fate == CONN_OK)
			idle = tls_link_idle(l);
	}
	/* What came with it, without asking the system. */
	l->is_quiet = true;
	while (total > 0 && total < max && SSL_has_pending(l->ssl) != 0 &&
	       (n = take(l, to->p + to->len + total, max - total)) > 0)
		total += n;
	tls_link_send(l);
	if (total > 0) {
		to->len += total;
		to->p[to->len] = '\0';
		return CONN_OK;
	}
	if (l->fate == CONN_OK)
		return idle;
	errno = l->fate_errno;
	return l->fate;
}

static ssize_t link_write(struct conn *c, struct slice bytes)
{
	struct tls_link *l = c->tls;
	size_t total = 0;

	if (!l->is_up) {
		errno = EPROTO;
		return -1;
	}
	if (!l->is_held)
		tls_link_send(l);
	while ((l->is_held || !has_unsent(l)) && l->write_errno == 0 &&
	       total < bytes.len) {
		size_t end = bytes.len - total > WRITE_STEP ? total + WRITE_STEP
							    : bytes.len;

		while (total < end) {
			size_t n, step = end - total;

			ERR_clear_error();
			if (SSL_write_ex(l->ssl, bytes.p + total,
					 step > RECORD ? RECORD : step,
					 &n) != 1) {
				l->write_errno = EPROTO;
				tls_link_error(&l->trouble);
				break;
			}
			total += n;
		}
		tls_link_send(l);
	}
	if (l->write_errno == 0 || total > 0)
		return (ssize_t)total;
	errno = l->write_errno;
	return -1;
}

/* One poll(); adds to *ready what of `wanted` has come. */
static enum conn_result poll_once(struct tls_link *l, unsigned wanted,
				  int other_fd, int64_t deadline,
				  unsigned *ready)
{
	struct pollfd p[2] = { { .fd = l->conn->fd },
			       { .fd = other_fd, .events = POLLIN } };
	bool is_lost;
	int n;

	if ((wanted & CONN_READABLE) != 0)
		p[0].events |= POLLIN;
	if ((wanted & CONN_WRITABLE) != 0 || has_unsent(l))
		p[0].events |= POLLOUT;
	conn_acknowledge(l->conn);
	n = poll(p, 2, *ready != 0 ? 0 : conn_wait_ms(deadline));
	if (n < 0)
		return errno == EINTR ? CONN_INTERRUPTED : CONN_FAILED;
	if (n == 0 && *ready == 0)
		return conn_now() < deadline ? CONN_INTERRUPTED : CONN_TIMEOUT;
	if ((p[0].revents & POLLOUT) != 0)
		tls_link_send(l);
	if ((wanted & CONN_WRITABLE) != 0 && (p[0].revents & POLLOUT) != 0 &&
	    !has_unsent(l))
		*ready |= CONN_WRITABLE;
	/* Not all that comes is for the caller: tickets are not. */
	is_lost = (p[0].revents & (POLLHUP | POLLERR)) != 0;
	if ((p[0].revents & POLLIN) != 0 && has_input(l, true))
		*ready |= CONN_READABLE;
	else if (is_lost)
		*ready |= CONN_READABLE;
	if (p[1].revents != 0)
		*ready |= CONN_OTHER_READABLE;
	return CONN_OK;
}

static enum conn_result link_wait(struct conn *c, unsigned wanted, int other_fd,
				  int64_t deadline, unsigned *ret_ready)
{
	struct tls_link *l = c->tls;
	int64_t slice_end = conn_now() + CONN_WAIT_SLICE;
	enum conn_result r = CONN_OK;
	unsigned ready = 0;

	tls_link_send(l);
	if ((wanted & CONN_READABLE) != 0 && has_input(l, false))
		ready |= CONN_READABLE;
	do {
		r = poll_once(l, wanted, other_fd, deadline, &ready);
		if (r == CONN_OK && ready == 0 && conn_now() >= slice_end)
			r = conn_now() < deadline ? CONN_INTERRUPTED
						  : CONN_TIMEOUT;
	} while (r == CONN_OK && ready == 0);
	if (ready != 0) {
		*ret_ready = ready;
		return CONN_OK;
	}
	return r;
}

static void link_close(struct conn *c)
{
	struct tls_link *l = c->tls;

	if (l->is_shaken && l->fate != CONN_FAILED) {
		ERR_clear_error();
		SSL_shutdown(l->ssl); /* writes close_notify, no more */
	}
	tls_link_send(l);
	SSL_SESSION_free(l->early);
	SSL_free(l->ssl);
	ERR_clear_error();
	tls_proof_done(&l->proof);
	free(l->complaints.items);
	str_done(&l->out);
	str_done(&l->trouble);
	free(l);
	c->layer = NULL;
	c->tls = NULL;
}

struct tls_link *tls_link_new(struct tls_client *client,
			      struct tls_context *context, struct conn *c)
{
	static const struct conn_layer layer = { link_read, link_write,
						 link_wait, link_close };
	struct tls_link *l = mem_zero(1, sizeof(*l));
	BIO *bio = BIO_new(client->method);

	l->conn = c;
	l->client = client;
	l->fate = CONN_OK;
	l->ssl = SSL_new(context->ctx);
	if (bio == NULL || l->ssl == NULL) {
		BIO_free(bio);
		SSL_free(l->ssl);
		free(l);
		return NULL;
	}
	BIO_set_data(bio, l);
	BIO_set_init(bio, 1);
	SSL_set_bio(l->ssl, bio, bio);
	SSL_set_app_data(l->ssl, l);
	SSL_set_read_ahead(l->ssl, 1);
	SSL_set_default_read_buffer_len(l->ssl, READ_BUFFER);
	c->tls = l;
	c->layer = &layer;
	return l;
}

/* ---- what callers may ask ----------------------------------------------- */

bool tls_is_up(const struct conn *c)
{
	return c->tls != NULL && c->tls->is_up;
}

const char *tls_trouble(const struct conn *c)
{
	if (c->tls == NULL || c->tls->trouble.len == 0)
		return NULL;
	return str_cstr(&c->tls->trouble);
}
