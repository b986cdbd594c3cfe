#include "CLauncher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int close_all(const int *descriptors, size_t count, int code) {
    for (size_t index = 0; index < count; index++) {
        if (descriptors[index] >= 0) {
            close(descriptors[index]);
        }
    }
    return code;
}

static int set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int claunch_open(struct claunch_ends *ends) {
    // channel, its inside, out, its inside, err, its inside, /dev/null
    int all[7] = {-1, -1, -1, -1, -1, -1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, all) < 0 || pipe2(all + 2, O_CLOEXEC) < 0 ||
        pipe2(all + 4, O_CLOEXEC) < 0 || (all[6] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0 || set_nonblocking(all[0]) < 0 ||
        set_nonblocking(all[2]) < 0 || set_nonblocking(all[4]) < 0) {
        return close_all(all, 7, errno);
    }
    *ends = (struct claunch_ends){all[0], all[1], all[2], all[3], all[4], all[5], all[6]};
    return 0;
}

int claunch_memory(const void *bytes, size_t count) {
    int descriptor = memfd_create("sandbox", MFD_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    for (size_t done = 0; done < count;) {
        ssize_t written = write(descriptor, (const char *)bytes + done, count - done);
        if (written < 0 && errno != EINTR) {
            int code = errno;
            close(descriptor);
            errno = code;
            return -1;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    if (lseek(descriptor, 0, SEEK_SET) < 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

int claunch_mount(const char *path, const char *options) {
    return mount("kdcube", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0 ? errno : 0;
}

int claunch_unmount(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? errno : 0; }

int claunch_poll(const int *descriptors, size_t count, unsigned char *ready, int timeout_ms) {
    struct pollfd *set = calloc(count ? count : 1, sizeof *set);
    if (!set) {
        errno = ENOMEM;
        return -1;
    }
    for (size_t index = 0; index < count; index++) {
        set[index] = (struct pollfd){.fd = descriptors[index], .events = POLLIN};
    }
    int found = poll(set, count, timeout_ms);
    int code = errno;
    for (size_t index = 0; index < count; index++) {
        ready[index] = set[index].revents != 0;
    }
    free(set);
    errno = code;
    return found;
}

int claunch_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? errno : 0; }

int claunch_landlock(void) {
    enum { VERSION = 1 };
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);
    return version < 0 ? 0 : (int)version;
}

int claunch_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB) < 0 ? errno : 0; }

int claunch_unlock(int descriptor) { return flock(descriptor, LOCK_UN) < 0 ? errno : 0; }

// Depth is bounded: a sandbox can nest directories, and each level holds a descriptor.
static int remove_below(int directory, dev_t device, int depth) {
    DIR *stream = fdopendir(directory);
    if (!stream) {
        int code = errno;
        close(directory);
        return code;
    }
    int result = 0;
    struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) {
            continue;
        }
        if (unlinkat(dirfd(stream), entry->d_name, 0) == 0) {
            continue;
        }
        int inner = depth > 0 ? openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        struct stat facts;
        if (inner >= 0 && (fstat(inner, &facts) < 0 || facts.st_dev != device)) {
            close(inner);
            result = EXDEV;
            continue;
        }
        if (inner >= 0) {
            int code = remove_below(inner, device, depth - 1);
            result = code ? code : result;
        }
        if (unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) < 0) {
            result = errno;
        }
    }
    closedir(stream);
    return result;
}

int claunch_remove_tree(const char *path) {
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    struct stat facts;
    if (fstat(directory, &facts) < 0) {
        int code = errno;
        close(directory);
        return code;
    }
    int code = remove_below(directory, facts.st_dev, 200);
    return rmdir(path) < 0 ? (code ? code : errno) : 0;
}
