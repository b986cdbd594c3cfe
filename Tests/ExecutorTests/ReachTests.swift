import CLauncher
import Glibc
import Testing

@testable import Executor

/// All tests that launch real sandboxes: one after the other, as each has the machine's limits to itself.
@Suite(.serialized, .enabled(if: ReachRig.machine, ReachRig.reason))
struct SandboxTests {}

extension SandboxTests {
    /// What code in a sandbox reaches of the host: nothing. The numbers are those of the threat model.
    @Suite(.serialized)
    struct Reach {
        /// Runs the code and expects its lines.
        private func expect(_ lines: [String], _ code: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let rig = try ReachRig()
            let found = try await rig.run(code)
            #expect(found.lines == lines, "\(found.err)", sourceLocation: sourceLocation)
            #expect(found.remains?.isUndead == false, sourceLocation: sourceLocation)
            await rig.shutdown()
        }

        @Test("1. connect to a listener of the host: EPERM, and it saw nothing")
        func listener() async throws {
            let (listener, port) = try Self.listen()
            defer { close(listener) }
            try await expect(
                ["EPERM", "EPERM"],
                """
                import socket
                print(attempt(lambda: socket.create_connection(("127.0.0.1", \(port)), 1)))
                print(attempt(lambda: call(\(Calls.connect), 3, 0, 0)))
                """)
            #expect(accept(listener, nil, nil) == -1 && errno == EAGAIN)
        }

        @Test("2. connect to the internet: EPERM")
        func internet() async throws {
            try await expect(["EPERM"], "import socket\nprint(attempt(lambda: socket.create_connection((\"1.1.1.1\", 443), 1)))")
        }

        @Test("3. look a name up: an error")
        func names() async throws {
            try await expect(
                ["refused"],
                """
                import socket
                try:
                    print(socket.getaddrinfo("example.com", 80))
                except OSError:
                    print("refused")
                """)
        }

        @Test("4. send a datagram: EPERM")
        func datagram() async throws {
            try await expect(["EPERM"], "import socket\nprint(attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))")
        }

        @Test("5, 6. sockets of vsock and netlink: EPERM", arguments: [40, 16])
        func families(_ family: Int) async throws {
            try await expect(["EPERM"], "import socket\nprint(attempt(lambda: socket.socket(\(family), socket.SOCK_RAW)))")
        }

        @Test("7, 8. an abstract socket and a socket file of the host: EPERM; a pair of sockets as well")
        func unix() async throws {
            try await expect(
                ["EPERM", "EPERM", "EPERM"],
                """
                import socket
                def reach(name):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(name)
                print(attempt(lambda: reach("\\0host")))
                print(attempt(lambda: reach("/run/host")))
                print(attempt(socket.socketpair))
                """)
        }

        @Test("9, 10. files of the host, of the server and of /proc: ENOENT")
        func files() async throws {
            let rig = try ReachRig()
            let secret = "\(rig.folder.path)/settings.yaml"
            _ = SystemFiles.create(secret, Array("secret".utf8), mode: 0o644)
            let paths = ["/etc/passwd", "/etc/shadow", secret, "/proc/1/environ", "/proc/self/environ", "/root", "/home", "/usr/bin/bwrap"]
            let found = try await rig.run("for path in \(paths): print(attempt(lambda: os.stat(path)))")
            #expect(found.lines == paths.map { _ in "ENOENT" }, "\(found.err)")
            await rig.shutdown()
        }

        @Test("11. a secret of the server's environment is not in the sandbox's")
        func environment() async throws {
            setenv("KDCUBE_TEST_SECRET", "secret", 1)
            defer { unsetenv("KDCUBE_TEST_SECRET") }
            try await expect(["['PWD']"], "print(sorted(name for name in os.environ if name != 'LC_CTYPE'))")
        }

        @Test("12. exactly the descriptors 0, 1, 2 and 3")
        func descriptors() async throws {
            // One that is open in the server and not close-on-exec.
            let leak = open("/etc/passwd", O_RDONLY)
            defer { close(leak) }
            try await expect(
                ["[0, 1, 2, 3]"],
                """
                def is_open(number):
                    try:
                        os.fstat(number)
                    except OSError:
                        return False
                    return True
                print([number for number in range(1024) if is_open(number)])
                """)
        }

        @Test("13, 14. write outside /w and /tmp: EROFS; there: done")
        func write() async throws {
            let places = ["/x", "/etc/x", "/usr/x", "/usr/lib/x", "/boot/x", "/dev/x"]
            try await expect(
                places.map { _ in "EROFS" } + ["done", "done", "done"],
                "for path in \(places + ["/w/x", "/tmp/x", "/dev/shm/x"]): print(attempt(lambda: open(path, 'w')))")
        }

        @Test("16, 19, 20. a hard link out of /w: EXDEV; more names than the cap: ENOSPC; a file beyond the cap: EFBIG")
        func caps() async throws {
            let rig = try ReachRig { $0.limits.workNames = 100 }
            let found = try await rig.run(
                """
                import signal
                print(attempt(lambda: os.link(sys.executable, "/w/link")))
                def fill():
                    for number in range(200): open(f"/w/{number}", "w").close()
                print(attempt(fill))
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                print(attempt(lambda: os.truncate("/w/0", 1 << 40)))
                """)
            #expect(found.lines == ["EXDEV", "ENOSPC", "EFBIG"], "\(found.err)")
            await rig.shutdown()
        }

        /// A listener on a free port of the loopback.
        private static func listen() throws -> (Int32, UInt16) {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            try #require(listener >= 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, size) == 0 && Glibc.listen(listener, 4) == 0 && getsockname(listener, $0, &size) == 0
                }
            }
            try #require(bound)
            _ = fcntl(listener, F_SETFL, O_NONBLOCK)
            return (listener, UInt16(bigEndian: address.sin_port))
        }
    }
}

/// Numbers of system calls that Python has no function for.
enum Calls {
    #if arch(x86_64)
    static let isX86 = true
    static let connect = 42, sendmsg = 46, ptrace = 101, readMemory = 310, mount = 165, unshare = 272, setns = 308, chroot = 161, clone = 56
    static let keyctl = 250, addKey = 248, bpf = 321, perf = 298, userfaultfd = 323, memfd = 319
    #else
    static let isX86 = false
    static let connect = 203, sendmsg = 211, ptrace = 117, readMemory = 270, mount = 40, unshare = 97, setns = 268, chroot = 51, clone = 220
    static let keyctl = 219, addKey = 217, bpf = 280, perf = 241, userfaultfd = 282, memfd = 279
    #endif
    static let clone3 = 435, ring = 425, ringEnter = 426, ringRegister = 427
}
