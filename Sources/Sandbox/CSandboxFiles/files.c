#include "CSandboxFiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int csandbox_open_beneath(int directory, const char *path) {
    struct open_how how = {
        .flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    long descriptor = syscall(SYS_openat2, directory, path, &how, sizeof how);
    return descriptor < 0 ? -errno : (int)descriptor;
}

int csandbox_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

int csandbox_wakeup(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int csandbox_watch(int epoll, int descriptor, int is_new, uint32_t interest, uint64_t data) {
    struct epoll_event event = {.data.u64 = data};
    if (interest & CSANDBOX_READ) event.events |= EPOLLIN;
    if (interest & CSANDBOX_WRITE) event.events |= EPOLLOUT;
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event);
}

int csandbox_unwatch(int epoll, int descriptor) { return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int csandbox_wait(int epoll, struct csandbox_event *events, int count, int milliseconds) {
    struct epoll_event ready[64];
    if (count > 64) count = 64;
    int found = epoll_wait(epoll, ready, count, milliseconds);
    for (int i = 0; i < found; i++) {
        events[i].data = ready[i].data.u64;
        events[i].ready = (ready[i].events & ~(uint32_t)EPOLLOUT ? CSANDBOX_READ : 0) | (ready[i].events & EPOLLOUT ? CSANDBOX_WRITE : 0);
    }
    return found < 0 ? 0 : found;
}
