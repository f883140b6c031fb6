/*
 * linkdelay.c - a wire with delay between two network namespaces.
 *
 * usage: linkdelay ROUND-TRIP-MS
 *
 * Makes two network namespaces, each with a tun device that has an address,
 * and carries IP packets between the two, each half of the round trip late;
 * for kernels whose queueing disciplines cannot delay. When all is up it
 * prints one line:
 *
 *	NAMESPACE ADDRESS NAMESPACE ADDRESS
 *
 * where a namespace is a path for `nsenter --net=`. It ends with its standard
 * input, and the namespaces with it and with the last process inside them.
 * Needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN) and /dev/net/tun.
 *
 * Nothing is lost: a wire that is full lets packets wait in their device.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
	MTU = 1500,	     /* RFC 894: what the devices are set up for */
	WIRE_PACKETS = 8192, /* 120 MB/s at 100 ms, in each direction */
	DEVICE_PACKETS = 10000,
	ROUND_TRIP_MAX = 60 * 1000
};

static const char *const addresses[2] = { "192.0.2.1", "192.0.2.2" };

struct packet {
	int64_t due; /* microseconds */
	size_t len;
	char bytes[MTU];
};

/* One direction: a ring of packets in the order of their coming. */
struct wire {
	int from, to;
	size_t first, count;
	struct packet *packets;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- devices ------------------------------------------------------------ */

static struct ifreq request(const char *name)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return r;
}

static int set_address(int fd, const char *name, unsigned long what,
		       const char *address)
{
	struct ifreq r = request(name);
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	return ioctl(fd, what, &r);
}

static int set_up(int fd, const char *name)
{
	struct ifreq r = request(name);

	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -1;
	r.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &r);
}

/* The devices of this namespace: lo, and one named wire with both ends. */
static int set_up_devices(int fd, const char *own, const char *other)
{
	struct ifreq r = request("wire");

	r.ifr_qlen = DEVICE_PACKETS;
	if (set_up(fd, "lo") < 0 || ioctl(fd, SIOCSIFTXQLEN, &r) < 0 ||
	    set_address(fd, "wire", SIOCSIFADDR, own) < 0 ||
	    set_address(fd, "wire", SIOCSIFDSTADDR, other) < 0)
		return -1;
	return set_up(fd, "wire");
}

/* A new tun device in this namespace; -1 with err filled. */
static int tun_open(struct err *err)
{
	struct ifreq r = request("wire");
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	r.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) == 0)
		return fd;
	err_set(err, errno, "/dev/net/tun: %s", strerror(errno));
	fd_close(fd);
	return -1;
}

/*
 * Goes into a new namespace and makes end i of the wire there. The descriptor
 * of the namespace is never closed: its path under /proc is what we print.
 */
static int end_open(int i, int *ret_ns, int *ret_tun, struct err *err)
{
	int control = -1, tun = -1, ns, r = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return FAIL_CODE(err, errno, "new network namespace: %s",
				 strerror(errno));
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (ns < 0 || control < 0) {
		r = FAIL_CODE(err, errno, "namespace: %s", strerror(errno));
		goto out;
	}
	tun = tun_open(err);
	if (tun < 0)
		goto out;
	if (set_up_devices(control, addresses[i], addresses[!i]) < 0) {
		r = FAIL_CODE(err, errno, "setting up a device: %s",
			      strerror(errno));
		goto out;
	}
	*ret_ns = ns;
	*ret_tun = tun;
	tun = -1; /* given to the caller */
	r = 0;
out:
	fd_close(control);
	fd_close(tun);
	return r;
}

/* ---- carrying ----------------------------------------------------------- */

/* Takes what lies in the device, as far as there is room. */
static int take(struct wire *w, int64_t due)
{
	while (w->count < WIRE_PACKETS) {
		struct packet *p =
		    &w->packets[(w->first + w->count) % WIRE_PACKETS];
		ssize_t n = read(w->from, p->bytes, sizeof(p->bytes));

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		p->len = (size_t)n;
		p->due = due;
		w->count++;
	}
	return 0;
}

/* Hands out what is due. */
static int deliver(struct wire *w, int64_t until)
{
	while (w->count > 0 && w->packets[w->first].due <= until) {
		struct packet *p = &w->packets[w->first];

		if (write(w->to, p->bytes, p->len) < 0)
			return -1;
		w->first = (w->first + 1) % WIRE_PACKETS;
		w->count--;
	}
	return 0;
}

/* When the next packet is due; -1 if there is none. */
static int64_t next_due(const struct wire wires[2])
{
	int64_t due = -1;

	for (int i = 0; i < 2; i++)
		if (wires[i].count > 0 &&
		    (due < 0 || wires[i].packets[wires[i].first].due < due))
			due = wires[i].packets[wires[i].first].due;
	return due;
}

/* Waits for a packet, for the next one to be due or for the end of input. */
static int wait_for_work(const struct wire wires[2], bool *ret_is_over)
{
	struct pollfd p[3] = { { .fd = wires[0].from },
			       { .fd = wires[1].from },
			       { .fd = STDIN_FILENO, .events = POLLIN } };
	int64_t due = next_due(wires), left = due - now();
	struct timespec t = { 0 };

	for (int i = 0; i < 2; i++)
		if (wires[i].count < WIRE_PACKETS)
			p[i].events = POLLIN;
	if (left > 0)
		t = (struct timespec){ .tv_sec = left / 1000000,
				       .tv_nsec = left % 1000000 * 1000 };
	if (ppoll(p, 3, due < 0 ? NULL : &t, NULL) < 0 && errno != EINTR)
		return -1;
	*ret_is_over = p[2].revents != 0;
	return 0;
}

static int carry(struct wire wires[2], int64_t delay, struct err *err)
{
	bool is_over = false;

	while (!is_over) {
		int64_t t = now();

		if (deliver(&wires[0], t) < 0 || deliver(&wires[1], t) < 0 ||
		    take(&wires[0], t + delay) < 0 ||
		    take(&wires[1], t + delay) < 0 ||
		    wait_for_work(wires, &is_over) < 0)
			return FAIL_CODE(err, errno, "wire: %s",
					 strerror(errno));
	}
	return 0;
}

static int run(int64_t round_trip_ms, struct err *err)
{
	int ns[2], tun[2];
	struct wire wires[2];

	for (int i = 0; i < 2; i++)
		if (end_open(i, &ns[i], &tun[i], err) < 0)
			return -1;
	for (int i = 0; i < 2; i++)
		wires[i] = (struct wire){
			.from = tun[i],
			.to = tun[!i],
			.packets =
			    mem_zero(WIRE_PACKETS, sizeof(struct packet)),
		};
	printf("/proc/%ld/fd/%d %s /proc/%ld/fd/%d %s\n", (long)getpid(), ns[0],
	       addresses[0], (long)getpid(), ns[1], addresses[1]);
	fflush(stdout);
	return carry(wires, round_trip_ms * 1000 / 2, err);
}

int main(int argc, char **argv)
{
	uint64_t ms;
	struct err err;

	if (argc != 2 || !slice_uint(slice_of(argv[1]), ROUND_TRIP_MAX, &ms)) {
		fprintf(stderr, "usage: linkdelay ROUND-TRIP-MS\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1UL); /* to be late by nanoseconds only */
	if (run((int64_t)ms, &err) < 0) {
		fprintf(stderr, "linkdelay: %s\n", err.text);
		return 1;
	}
	return 0;
}
