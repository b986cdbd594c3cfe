#ifndef KDCUBE_CSANDBOXFILES_H
#define KDCUBE_CSANDBOXFILES_H
#include <stdint.h>

/* No header of the system is included here: its structures would belong to this module and no longer to Glibc's. */

/* Opens a path below a directory for reading, following no link and waiting for nobody. A descriptor, or -errno. */
int csandbox_open_beneath(int directory, const char *path);

enum { CSANDBOX_READ = 1, CSANDBOX_WRITE = 2 };

/* A descriptor that is ready; `ready` of the values above (a hang-up and an error are READ). */
struct csandbox_event {
    uint64_t data;
    uint32_t ready;
};

/* An epoll descriptor, and an eventfd that does not block; negative without descriptors. */
int csandbox_epoll(void);
int csandbox_wakeup(void);
int csandbox_watch(int epoll, int descriptor, int is_new, uint32_t interest, uint64_t data);
int csandbox_unwatch(int epoll, int descriptor);
/* Waits at most so many milliseconds, -1 for ever. How many events were written, 0 when interrupted. */
int csandbox_wait(int epoll, struct csandbox_event *events, int count, int milliseconds);
#endif
