/*
 * manager.c - tells the service manager how we are (sd_notify of systemd).
 */
#include "net/unixsock.h"
#include "sched/sched_internal.h"

void sched_tell_manager(const struct sched *s, const char *state)
{
	struct err err;

	if (unixsock_notify(s->o->manager_socket, slice_of(state), &err) < 0)
		log_line(LOG_LEVEL_WARNING, "%s", err.text);
}
