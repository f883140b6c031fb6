/*
 * content_fuzz.c - any header and any body, on their way to the wire.
 *
 * Input: the length of the header, a place in the body (and, above 127, that
 * it is for BDAT), what stands before it, then header and body. It is sent by
 * itself, and once more behind so much other text that the first piece of it
 * that is read ends at the chosen place. Invariants: both ways are as if it had
 * been filtered in one go; neither CR nor LF occurs but in CRLF, and no NUL;
 * but for BDAT no line is a single dot; the header has no empty line; 8-bit
 * bytes are found if there are any.
 */
#include "smtpta/content.h"

#include "base/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- the message file --------------------------------------------------- */

/* One file for all runs: CONTENT_CHUNK bytes of padding, then the body. */
static int padded_file(void)
{
	static int fd = -1;
	static char padding[CONTENT_CHUNK];

	if (fd >= 0)
		return fd;
	fd = memfd_create("message", MFD_CLOEXEC);
	memset(padding, 'x', sizeof(padding));
	FUZZ_CHECK(pwrite(fd, padding, sizeof(padding), 0) ==
		   (ssize_t)sizeof(padding));
	return fd;
}

/* The body behind `before` bytes of padding, the last of which is `last`. */
static struct message make_message(struct slice body, size_t before, char last)
{
	int fd = padded_file();

	FUZZ_CHECK(ftruncate(fd, CONTENT_CHUNK) == 0);
	FUZZ_CHECK(pwrite(fd, &last, 1, CONTENT_CHUNK - 1) == 1);
	FUZZ_CHECK(pwrite(fd, body.p, body.len, CONTENT_CHUNK) ==
		   (ssize_t)body.len);
	return (struct message){ .fd = fd,
				 .inode = 1,
				 .size = CONTENT_CHUNK + body.len,
				 .body_offset = CONTENT_CHUNK - before,
				 .position = CONTENT_CHUNK - before };
}

/* ---- what is expected --------------------------------------------------- */

static struct str filter(struct slice text, unsigned flags)
{
	struct str out = STR_INIT;
	struct wire w;

	wire_begin(&w, flags);
	wire_push(&w, text, &out);
	wire_end(&w, &out);
	return out;
}

static struct str expect(struct slice header, struct slice body, bool dots)
{
	unsigned flags = dots ? WIRE_CRLF | WIRE_DOTS : WIRE_CRLF;
	struct str out = filter(header, flags | WIRE_HEADER);
	struct str rest = filter(body, flags);

	FUZZ_CHECK(!slice_starts(str_slice(&out), SLICE("\r\n")));
	FUZZ_CHECK(slice_find_text(str_slice(&out), SLICE("\r\n\r\n")) ==
		   out.len);
	str_adds(&out, "\r\n");
	str_add(&out, str_slice(&rest));
	str_done(&rest);
	return out;
}

static void check_wire(struct slice out, bool dots)
{
	struct slice line;

	FUZZ_CHECK(!slice_has(out, '\0'));
	while (slice_cut(&out, '\n', &line) && out.p != NULL) {
		FUZZ_CHECK(slice_find(line, '\r') + 1 == line.len);
		FUZZ_CHECK(!dots || !slice_eq(line, SLICE(".\r")));
	}
	FUZZ_CHECK(line.len == 0); /* nothing stands behind the last CRLF */
}

/* ---- what comes --------------------------------------------------------- */

static void send(struct slice header, struct body *b, bool dots,
		 struct str *out)
{
	struct content c;
	struct err err;
	int r;

	content_begin(&c, header, b, dots);
	do {
		r = content_fill(&c, out, &err);
		FUZZ_CHECK(r >= 0);
	} while (r == 0);
	content_done(&c);
}

/* Sends it as it is read, and again from memory if it is small. */
static void check(struct slice header, struct message *m, struct slice body,
		  bool dots)
{
	struct str want = expect(header, body, dots), out = STR_INIT;
	const struct tree *tree;
	struct passage passage;
	struct err err;
	struct body b;

	check_wire(str_slice(&want), dots);
	body_begin(&b, m);
	send(header, &b, dots, &out);
	FUZZ_CHECK(slice_eq(str_slice(&out), str_slice(&want)));
	passage_begin(&passage, SLICE(""));
	FUZZ_CHECK(body_tree(&b, &passage, false, &tree, &err) == 0);
	FUZZ_CHECK(tree_facts(tree).has_8bit == slice_has_8bit(body));
	passage_done(&passage);
	str_clear(&out);
	send(header, &b, dots, &out);
	FUZZ_CHECK(slice_eq(str_slice(&out), str_slice(&want)));
	body_done(&b);
	str_done(&want);
	str_done(&out);
}

FUZZ(data, size)
{
	struct slice in = slice_make((const char *)data, size);
	struct slice header, body;
	struct str whole = STR_INIT;
	struct message m;
	size_t split;
	bool dots;

	if (size < 3)
		return 0;
	in = slice_from(in, 3);
	header = slice_head(in, data[0]);
	body = slice_from(in, data[0]);
	dots = data[1] < 128;
	split = body.len > 0 ? data[1] % 128 % body.len : 0;
	m = make_message(body, 0, '\n');
	check(header, &m, body, dots);
	m = make_message(body, CONTENT_CHUNK - split, (char)data[2]);
	FUZZ_CHECK(message_read(&m, SIZE_MAX, &whole, NULL) >= 0);
	check(header, &m, str_slice(&whole), dots);
	str_done(&whole);
	return 0;
}
