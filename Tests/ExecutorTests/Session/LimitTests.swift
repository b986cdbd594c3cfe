import Glibc
import JSON
import Synchronization
import Testing

@testable import Executor

extension SandboxTests {
    /// Real sandboxes against real limits. The numbers are those of docs/threat-model.md.
    @Suite("Limits of a job", .serialized) struct LimitTests {
        private func problem(_ attempt: String) -> String {
            """
            import errno, os, sys
            def what():
                try:
                    \(attempt.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n        "))
                except OSError as error:
                    return errno.errorcode[error.errno]
                return "allowed"
            what()
            """
        }

        @Test("14: code runs, prints, gives a value, and leaves a file")
        func plain() async throws {
            let handler = TestHandler()
            let result = try await alone(
                "import sys\nprint('out')\nprint('err', file=sys.stderr)\nopen('/w/x', 'w').write('file')\n{'n': 1}", { _ in }, handler)
            #expect(result.exit == .ok)
            #expect(result.detail == nil)
            #expect(result.value == ["n": 1])
            #expect(result.stdout == KeptOutput(text: "out\n", bytes: 4, isTruncated: false))
            #expect(result.stderr.text == "err\n")
            #expect(handler.text(.stdout) == "out\n")
            #expect(result.artefacts.map(\.shownName) == ["x"])
            #expect(result.level == .full)
            #expect(!result.wasWarm)
            #expect(try #require(result.cpu) > .zero)
            #expect(try #require(result.memoryPeak) > 1 << 20)
        }

        @Test("15: a symbolic link leads nowhere inside and is no artefact outside")
        func link() async throws {
            let result = try await alone(problem("os.symlink('/etc/shadow', '/w/a'); open('/w/a').read()"))
            #expect(result.value == "ENOENT")
            #expect(result.artefacts == [.refused(name: "a", reason: .symbolicLink)])
        }

        @Test("16: a file of /usr gets no second name in /w")
        func hardLink() async throws {
            let result = try await alone(problem("os.link(os.__file__, '/w/os.py')"))
            #expect(["EXDEV", "EPERM", "EACCES"].contains(result.value?.stringValue))
            #expect(result.artefacts == [])
        }

        @Test("17: a FIFO is refused, a device and a socket cannot be made", .timeLimit(.minutes(1)))
        func special() async throws {
            let result = try await alone(
                """
                import os, stat
                found = []
                for make in (lambda: os.mkfifo('/w/fifo'), lambda: os.mknod('/w/dev', stat.S_IFCHR | 0o600, 0x103),
                             lambda: __import__('socket').socket(1).bind('/w/sock')):
                    try: make(); found.append('made')
                    except OSError as error: found.append('refused')
                found
                """)
            #expect(result.exit == .ok)
            #expect(result.value?.arrayValue?.dropFirst() == ["refused", "refused"])
            #expect(result.artefacts.allSatisfy { $0 == .refused(name: "fifo", reason: .notAFile) })
        }

        @Test("18: unsafe names are refused and shown safely")
        func names() async throws {
            let result = try await alone(
                """
                import os
                os.makedirs(b'/w/' + b'n' * 200)
                for name in (b'new\\nline', b'bad\\xff', b'n' * 200 + b'/' + b'm' * 99, b'..x', b'good.txt'): open(b'/w/' + name, 'w').close()
                """)
            #expect(result.exit == .ok, "\(result.stderr.text)")
            let refused = result.artefacts.filter { if case .refused(_, .unsafeName) = $0 { true } else { false } }
            #expect(refused.count == 3)
            #expect(result.artefacts.allSatisfy { $0.shownName.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
            #expect(result.artefacts.count == 5)
        }

        @Test("19: 200,000 files end at the cap of names")
        func inodes() async throws {
            let result = try await alone(problem("[open(f'/w/{i}', 'w').close() for i in range(200_000)]"))
            #expect(result.value == "ENOSPC")
            #expect(result.artefacts.count == 20 + ArtefactCollector.refusals)
        }

        @Test("20: a sparse file of 1 TB is too large, a full /w has no space")
        func space() async throws {
            let result = try await alone(
                problem("os.ftruncate(os.open('/w/big', os.O_RDWR | os.O_CREAT), 1 << 40)"))
            #expect(result.value == "EFBIG")
            let full = try await alone(
                problem(
                    "[os.write(os.open(f'/w/{i}', os.O_WRONLY | os.O_CREAT), bytes(8 << 20)) < 8 << 20 and os.write(os.open('/w/0', os.O_WRONLY | os.O_APPEND), b'x') for i in range(9)]"
                ))
            #expect(full.value == "ENOSPC")
        }

        @Test("21: a fork bomb ends at the cap of processes, and other sandboxes answer meanwhile")
        func forkBomb() async throws {
            let rig = try await SessionRig { $0.limits.wall = .seconds(4) }
            async let bomb = rig.run(
                """
                import os, time
                made = 0
                try:
                    while made < 5_000:
                        if os.fork() == 0: time.sleep(60)
                        made += 1
                except OSError as error: print(made, error.errno)
                time.sleep(60)
                """)
            let answers = try await rig.run(
                """
                import time
                from agent_tools import tools
                slow = 0
                for i in range(30):
                    start = time.monotonic(); tools.echo(i=i); slow = max(slow, time.monotonic() - start); time.sleep(0.05)
                int(slow * 1000)
                """, tools: ["echo"])
            #expect(answers.exit == .ok, "\(answers.stderr.text)")
            // The aim is 100 ms on a quiet machine.
            #expect(try #require(answers.value?.integerValue) < 3_000)
            let result = try await bomb
            #expect(result.exit == .timeout)
            let words = result.stdout.text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            #expect(words.count == 2 && words[0] <= 64 && words[1] == Int(EAGAIN), "\(result.stdout.text)")
            await rig.close()
        }

        @Test("22: so does a thread bomb")
        func threadBomb() async throws {
            let result = try await alone(
                """
                import threading, time
                made = 0
                try:
                    while made < 5_000:
                        threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); made += 1
                except RuntimeError: pass
                made
                """)
            #expect(result.exit == .ok, "\(result.stderr.text)")
            #expect(try #require(result.value?.integerValue) <= 64)
        }

        @Test("23: 10 GB of memory is oom, by the kernel's word")
        func memory() async throws {
            let result = try await alone("keep = []\nwhile len(keep) < 10_000: keep.append(bytearray(b'x' * (1 << 20)))")
            #expect(result.exit == .outOfMemory)
            #expect(result.detail == "memory")
        }

        @Test("23: status 137 alone is not")
        func notMemory() async throws {
            let result = try await alone("import os\nos._exit(137)")
            #expect(result.exit == .error)
        }

        @Test("24: an infinite loop is timeout")
        func loop() async throws {
            let start = ContinuousClock.now
            let result = try await alone("while True: pass", { $0.limits.wall = .seconds(1) })
            #expect(result.exit == .timeout)
            #expect(result.detail == "wall")
            #expect(result.wall >= .seconds(1))
            #expect(result.wall < .seconds(4))
            #expect(ContinuousClock.now - start < .seconds(10))
        }

        @Test("24: a loop of several processes ends at the limit of CPU time")
        func cpu() async throws {
            let result = try await alone("while True: pass", { $0.limits.cpu = .seconds(1) })
            #expect(result.exit == .cpuLimit)
            #expect(result.wall < .seconds(7))
        }

        @Test("25: ignoring every signal helps nothing")
        func signals() async throws {
            let result = try await alone(
                """
                import signal, time
                for number in range(1, 32):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                print('ready')
                while True: time.sleep(1)
                """, { $0.limits.wall = .seconds(1) })
            #expect(result.exit == .timeout)
            #expect(result.stdout.text == "ready\n")
            #expect(result.wall < .seconds(6))
        }

        @Test("26: a daemon is gone after its job")
        func daemon() async throws {
            let result = try await alone(
                """
                import os, time
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        for fd in range(1, 10):
                            try: os.close(fd)
                            except OSError: pass
                        time.sleep(60)
                    os._exit(0)
                os.wait()
                'done'
                """)
            #expect(result.exit == .ok)
            #expect(result.value == "done")
        }

        @Test("27: 1 GB of output is cut, the job is killed, and the supervisor hardly grows")
        func flood() async throws {
            let rig = try await SessionRig()
            _ = try await rig.run("print('warm')")
            var growths: [Int64] = []
            // Other suites of this process may allocate meanwhile; the job itself never does.
            for _ in 0..<3 {
                Machine.forgetPeak()
                let before = Machine.residentPeak
                let result = try await rig.run("import sys\nfor i in range(1024): sys.stdout.write('0123456789abcdef' * (1 << 16))")
                growths.append(Machine.residentPeak - before)
                #expect(result.exit == .outputLimit)
                #expect(result.detail == "output")
                #expect(result.stdout.isTruncated)
                #expect(result.stdout.bytes >= 8 << 20)
                #expect(result.stdout.bytes < 16 << 20)
                #expect(result.stdout.text.utf8.count <= (1 << 20) + 100)
                if try #require(growths.last) < 16 << 20 { break }
            }
            #expect(try #require(growths.min()) < 16 << 20, "\(growths)")
            #expect(rig.observer.counts.killed.first == .outputLimit)
            await rig.close()
        }

        @Test("28: output without newlines, with NULs, escape sequences and bytes that are no text is kept safely")
        func bytes() async throws {
            let handler = TestHandler()
            let result = try await alone(
                "import os\nos.write(1, b'a\\x00b\\x1b[31m\\xff\\xc3')\nos.write(1, b'\\xa9 no newline \\xe2\\x82')", { _ in }, handler)
            #expect(result.exit == .ok)
            let text = "a\u{FFFD}b\u{1B}[31m\u{FFFD}é no newline \u{FFFD}"
            #expect(result.stdout.text == text)
            #expect(handler.text(.stdout) == text)
        }

        @Test("29: closed streams and a closed channel harm nobody")
        func closed() async throws {
            let result = try await alone("import os, time\nfor fd in (1, 2, 3): os.close(fd)\ntime.sleep(0.3)\nopen('/w/x', 'w').close()")
            #expect(result.exit == .ok)
            #expect(result.value == nil)
            #expect(result.artefacts.map(\.shownName) == ["x"])
        }

        @Test("39: descriptors cannot be sent to the supervisor")
        func descriptors() async throws {
            let before = Machine.names(in: "/proc/self/fd").count
            let result = try await alone(
                problem("import socket, array\nsocket.socket(fileno=3).sendmsg([b'x'], [(1, 1, array.array('i', [1]))])"))
            #expect(result.value == "EPERM")
            #expect(Machine.names(in: "/proc/self/fd").count <= before + 8)
        }

        @Test("35: a call outside the filter is forbidden_syscall")
        func forbidden() async throws {
            // What the bootstrap's own status is when the kernel ends it so.
            let result = try await alone("import os, signal\nos.kill(os.getpid(), signal.SIGSYS)")
            #expect(result.exit == .forbiddenSyscall)
        }

        @Test("43: every job has a sandbox of its own, and no cgroup is left of any")
        func singleUse() async throws {
            let rig = try await SessionRig { $0.warm = 2 }
            await rig.waitForIdle(2)
            for index in 0..<6 {
                let result = try await rig.run("import os\nfound = os.listdir('/w')\nopen('/w/mark', 'w').close()\nfound")
                #expect(result.value == [], "\(index): \(result.stderr.text)")
            }
            #expect(rig.observer.counts.warm >= 1)
            await rig.close()
            #expect(rig.observer.counts.warm + rig.observer.counts.cold == 6)
        }
    }
}

extension SandboxArtefact {
    var shownName: String {
        switch self {
        case .file(let name, _, _): name
        case .refused(let name, _): name
        }
    }
}

extension SessionRig {
    /// The pool is filled in the background: up to ten seconds.
    func waitForIdle(_ count: Int) async {
        for _ in 0..<1_000 {
            if await host.idle >= count { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
