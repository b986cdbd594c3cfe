import Glibc
import Testing

@testable import Executor

extension SandboxTests {
    /// What code in a sandbox asks of the kernel.
    @Suite(.serialized)
    struct KernelCalls {
        private func expectEach(
            _ result: String, of calls: [(String, [Int])], sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let rig = try ReachRig()
            let code = calls.map { name, arguments in
                "print('\(name)', attempt(lambda: call(\(arguments.map { "\($0)" }.joined(separator: ", ")))))"
            }
            let found = try await rig.run(code.joined(separator: "\n"))
            #expect(found.lines == calls.map { "\($0.0) \(result)" }, "\(found.err)", sourceLocation: sourceLocation)
            await rig.shutdown()
        }

        @Test("30. ptrace and process_vm_readv: EPERM")
        func trace() async throws {
            try await expectEach(
                "EPERM", of: [("ptrace", [Calls.ptrace, 16, 1, 0, 0]), ("process_vm_readv", [Calls.readMemory, 1, 0, 0, 0, 0, 0])])
        }

        @Test("31. mount, unshare, setns and chroot: EPERM")
        func namespaces() async throws {
            try await expectEach(
                "EPERM",
                of: [
                    ("mount", [Calls.mount, 0, 0, 0, 0, 0]), ("unshare", [Calls.unshare, 0x1000_0000]), ("setns", [Calls.setns, 0, 0]),
                    ("chroot", [Calls.chroot, 0]),
                ])
        }

        @Test("32. clone of a user namespace: EPERM; clone3: ENOSYS")
        func clone() async throws {
            try await expectEach("EPERM", of: [("clone", [Calls.clone, 0x1000_0011, 0, 0, 0, 0])])
            try await expectEach("ENOSYS", of: [("clone3", [Calls.clone3, 0, 0])])
        }

        @Test("33. keyctl and add_key: EPERM")
        func keys() async throws {
            try await expectEach("EPERM", of: [("keyctl", [Calls.keyctl, 0, -3, 1]), ("add_key", [Calls.addKey, 0, 0, 0, 0, -3])])
        }

        @Test("34. bpf, perf_event_open, io_uring, userfaultfd and memfd_create: EPERM")
        func surfaces() async throws {
            try await expectEach(
                "EPERM",
                of: [
                    ("bpf", [Calls.bpf, 0, 0, 0]), ("perf", [Calls.perf, 0, 0, -1, -1, 0]), ("io_uring_setup", [Calls.ring, 1, 0]),
                    ("io_uring_enter", [Calls.ringEnter, 3, 0, 0, 0, 0]), ("io_uring_register", [Calls.ringRegister, 3, 0, 0, 0]),
                    ("userfaultfd", [Calls.userfaultfd, 0]), ("memfd_create", [Calls.memfd, 0, 0]),
                ])
        }

        @Test("35. a call of x32 or of i386: SIGSYS, which bubblewrap reports as 159", .enabled(if: Calls.isX86, "needs x86_64"))
        func otherArchitecture() async throws {
            let rig = try ReachRig()
            let x32 = try await rig.run("print(1, flush=True)\ncall(0x40000000 + 39)\nprint(2)")
            #expect(x32.out == "1\n" && x32.remains?.status == .exited(159), "\(x32)")
            // mov eax, 20 (getpid of i386); int 0x80; ret
            let i386 = try await rig.run(
                """
                import ctypes, mmap
                page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
                page.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
                print(1, flush=True)
                ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
                print(2)
                """)
            #expect(i386.out == "1\n" && i386.remains?.status == .exited(159), "\(i386)")
            await rig.shutdown()
        }

        @Test("36. no program that gives privileges is there, and none could: no_new_privs, no capability")
        func privileges() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import ctypes, shutil, stat
                print([name for name in ("su", "sudo", "passwd", "mount", "sh") if shutil.which(name, path="/bin:/usr/bin:/sbin:/usr/sbin")])
                def is_privileged(path):
                    try:
                        return os.lstat(path).st_mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(os.lstat(path).st_mode)
                    except OSError:
                        return False
                print([name for root, _, names in os.walk("/usr") for name in names if is_privileged(os.path.join(root, name))])
                print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))
                print(attempt(lambda: os.setuid(0)), attempt(lambda: os.setgroups([0])))
                print(os.getgroups() in ([], [65534]), os.getpid() < 4)
                """)
            #expect(found.lines == ["[]", "[]", "1", "EPERM EPERM", "True True"], "\(found)")
            await rig.shutdown()
        }

        @Test("37. raise a limit: an error")
        func limits() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import resource
                for name in ("FSIZE", "NOFILE", "CPU", "NPROC", "CORE", "MEMLOCK"):
                    which = getattr(resource, "RLIMIT_" + name)
                    soft, hard = resource.getrlimit(which)
                    try:
                        resource.setrlimit(which, (hard, hard + 1))
                        print(name, "raised")
                    except (ValueError, OSError):
                        print(name, "refused")
                print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE))
                """)
            let refused = ["FSIZE", "NOFILE", "CPU", "NPROC", "CORE", "MEMLOCK"].map { "\($0) refused" }
            #expect(found.lines == refused + ["(128, 128) (\(64 << 20), \(64 << 20))"], "\(found)")
            await rig.shutdown()
        }

        @Test("38. type into a terminal (TIOCSTI): EPERM")
        func terminal() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import fcntl
                for number in (0, 1, 3):
                    print(attempt(lambda: fcntl.ioctl(number, 0x5412, b"x")))
                print(attempt(lambda: os.open("/dev/tty", os.O_RDWR)))
                """)
            #expect(found.lines == ["EPERM", "EPERM", "EPERM", "ENXIO"], "\(found)")
            await rig.shutdown()
        }

        @Test("39. pass a descriptor over the channel: EPERM")
        func passing() async throws {
            let rig = try ReachRig()
            let found = try await rig.run(
                """
                import socket
                print(attempt(lambda: call(\(Calls.sendmsg), 3, 0, 0)))
                print(attempt(lambda: socket.socket(fileno=3)))
                print(attempt(lambda: os.write(3, b"plain")))
                """)
            #expect(found.lines == ["EPERM", "EPERM", "done"], "\(found)")
            await rig.shutdown()
        }
    }
}
