// sandbox-init RULE PATH ... -- PROGRAM ARGUMENT ...
//
// The first program inside a sandbox: takes rights away from itself with Landlock and becomes the interpreter. It can do no
// more than the code that comes after it; where a step fails it leaves with a code of its own, and no code is run.
//
// Rules: x read and execute, r read, w all of reading and writing, d a device, t a terminal. Whatever no rule names is
// refused: other files, TCP, abstract sockets and signals to the outside, as far as the kernel knows them.
// Without bubblewrap there are two more: c the folder to be in, f the descriptor of a seccomp filter, which comes last.

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Launch/LandlockLayer.swift knows these.
enum {
    EXIT_USAGE = 90,
    EXIT_VERSION,
    EXIT_RULESET,
    EXIT_PATH,
    EXIT_RULE,
    EXIT_RESTRICT,
    EXIT_INEFFECTIVE,
    EXIT_EXEC,
    EXIT_FOLDER,
    EXIT_FILTER,
};

// Of the kernel's include/uapi/linux/landlock.h, whose installed copy may be older than the running kernel.
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    MAKE_SYM = 1 << 12,
    REFER = 1 << 13,
    TRUNCATE = 1 << 14,
    IOCTL_DEV = 1 << 15,
    FIRST_VERSION = (1 << 13) - 1,
    ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,
    BIND_TCP = 1 << 0,
    CONNECT_TCP = 1 << 1,
    ABSTRACT_SOCKETS = 1 << 0,
    SIGNALS = 1 << 1,
    ASK_VERSION = 1,
    BENEATH_PATH = 1,
    // Version 1 refuses every move from one folder to another, also within /w.
    OLDEST = 2,
    // 0 to 3 are the interpreter's.
    FIRST_CLOSED = 4,
};

struct ruleset {
    uint64_t files;
    uint64_t network;  // from version 4
    uint64_t scopes;   // from version 6
};

struct beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static _Noreturn void leave(int code, const char *what) {
    dprintf(STDERR_FILENO, "sandbox-init: %s: %s\n", what, strerror(errno));
    exit(code);
}

// What this kernel can refuse; all of it is.
static struct ruleset refusals(long version, size_t *size) {
    struct ruleset rules = {.files = FIRST_VERSION | REFER};
    if (version >= 3) {
        rules.files |= TRUNCATE;
    }
    if (version >= 5) {
        rules.files |= IOCTL_DEV;
    }
    if (version >= 4) {
        rules.network = BIND_TCP | CONNECT_TCP;
    }
    if (version >= 6) {
        rules.scopes = ABSTRACT_SOCKETS | SIGNALS;
    }
    *size = version >= 6 ? sizeof rules : version >= 4 ? offsetof(struct ruleset, scopes) : offsetof(struct ruleset, network);
    return rules;
}

static uint64_t rights(const char *rule) {
    if (strlen(rule) != 1) {
        return 0;
    }
    switch (rule[0]) {
        case 'x': return EXECUTE | READ_FILE | READ_DIR;
        case 'r': return READ_FILE | READ_DIR;
        // No right to make devices, pipes and sockets, nor to execute what was written.
        case 'w':
            return READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER;
        case 'd': return READ_FILE | WRITE_FILE | TRUNCATE;
        case 't': return READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE | IOCTL_DEV;
        default: return 0;
    }
}

static void allow(int ruleset, uint64_t handled, const char *rule, const char *path) {
    uint64_t allowed = rights(rule) & handled;
    if (!allowed) {
        errno = EINVAL;
        leave(EXIT_USAGE, rule);
    }
    int descriptor = open(path, O_PATH | O_CLOEXEC);
    struct stat facts;
    if (descriptor < 0 || fstat(descriptor, &facts) < 0) {
        leave(EXIT_PATH, path);
    }
    if (!S_ISDIR(facts.st_mode)) {
        allowed &= ON_FILES;
    }
    struct beneath beneath = {.allowed = allowed, .parent = descriptor};
    if (syscall(SYS_landlock_add_rule, ruleset, BENEATH_PATH, &beneath, 0) < 0) {
        leave(EXIT_RULE, path);
    }
    close(descriptor);
}

static void load_filter(struct sock_fprog *filter, const char *number) {
    static struct sock_filter words[BPF_MAXINSNS];
    ssize_t count = read(atoi(number), words, sizeof words);
    if (count <= 0 || (size_t)count % sizeof *words != 0) {
        errno = count < 0 ? errno : EINVAL;
        leave(EXIT_FILTER, "the filter cannot be read");
    }
    *filter = (struct sock_fprog){.len = (unsigned short)((size_t)count / sizeof *words), .filter = words};
}

static void set_filter(struct sock_fprog *filter) {
    if (syscall(SYS_close_range, FIRST_CLOSED, ~0U, 0) < 0) {
        leave(EXIT_FILTER, "close_range");
    }
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter) < 0) {
        leave(EXIT_FILTER, "seccomp");
    }
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 || errno != EPERM) {
        errno = descriptor >= 0 ? 0 : errno;
        leave(EXIT_INEFFECTIVE, "a socket can still be made");
    }
}

// Returns the arguments after the rules.
static char **restrict_self(char **argument, struct sock_fprog *filter) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
    if (version < OLDEST) {
        errno = version < 0 ? errno : EOPNOTSUPP;
        leave(EXIT_VERSION, "landlock");
    }
    size_t size = 0;
    struct ruleset refused = refusals(version, &size);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &refused, size, 0);
    if (ruleset < 0) {
        leave(EXIT_RULESET, "landlock_create_ruleset");
    }
    while (*argument && strcmp(*argument, "--") != 0) {
        if (!argument[1]) {
            errno = EINVAL;
            leave(EXIT_USAGE, *argument);
        }
        if (strcmp(argument[0], "c") == 0) {
            if (chdir(argument[1]) < 0) {
                leave(EXIT_FOLDER, argument[1]);
            }
        } else if (strcmp(argument[0], "f") == 0) {
            load_filter(filter, argument[1]);
        } else {
            allow(ruleset, refused.files, argument[0], argument[1]);
        }
        argument += 2;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) {
        leave(EXIT_RESTRICT, "landlock_restrict_self");
    }
    close(ruleset);
    return argument;
}

int main(int count, char **arguments) {
    if (count < 4) {
        errno = EINVAL;
        leave(EXIT_USAGE, "arguments");
    }
    struct sock_fprog filter = {0};
    char **argument = restrict_self(arguments + 1, &filter);
    if (!argument[0] || !argument[1]) {
        errno = EINVAL;
        leave(EXIT_USAGE, "no program");
    }
    // The kernel's word is not taken for it: the root, which no rule names, must be closed now.
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 || errno != EACCES) {
        errno = root >= 0 ? 0 : errno;
        leave(EXIT_INEFFECTIVE, "the root is still open");
    }
    if (filter.len > 0) {
        set_filter(&filter);
    }
    extern char **environ;
    execve(argument[1], argument + 1, environ);
    leave(EXIT_EXEC, argument[1]);
}
