#include "landlock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's interface, written out: older headers lack the later fields and rights (include/uapi/linux/landlock.h).
struct ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scopes;
};
struct __attribute__((packed)) beneath {
    uint64_t allowed;
    int32_t parent;
};
enum { VERSION = 1, PATH_BENEATH = 1 };
static const uint64_t EXECUTE = 1U << 0, WRITE = 1U << 1, READ = 1U << 2, READ_DIRECTORY = 1U << 3, TRUNCATE = 1U << 14;
// Rights over files, by the version that brought the last of them: 13 at first, then refer, truncate and ioctl.
static uint64_t rights(int version) {
    return version >= 5 ? 0xffff : version >= 3 ? 0x7fff : version == 2 ? 0x3fff : 0x1fff;
}

int claunch_landlock(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, VERSION);
    return version < 0 ? 0 : (int)version;
}

int claunch_ruleset(const struct claunch_path *paths, size_t count) {
    int version = claunch_landlock();
    if (version < 1) {
        errno = ENOSYS;
        return -1;
    }
    struct ruleset attributes = {
        .files = rights(version), .network = version >= 4 ? 3 : 0, .scopes = version >= 6 ? 3 : 0};
    size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0) {
        return -1;
    }
    for (size_t index = 0; index < count; index++) {
        struct stat facts;
        if (fstat(paths[index].descriptor, &facts) < 0) {
            close(ruleset);
            return -1;
        }
        uint64_t allowed = READ | EXECUTE | READ_DIRECTORY;
        if (paths[index].writable) {
            allowed = attributes.files & ~EXECUTE;
        }
        if (!S_ISDIR(facts.st_mode)) {
            allowed &= READ | EXECUTE | WRITE | TRUNCATE;
        }
        struct beneath rule = {.allowed = allowed & attributes.files, .parent = paths[index].descriptor};
        if (syscall(SYS_landlock_add_rule, ruleset, PATH_BENEATH, &rule, 0) < 0) {
            int code = errno;
            close(ruleset);
            errno = code;
            return -1;
        }
    }
    return ruleset;
}
