import Glibc
import Testing

@testable import SupervisorAdapters

@Suite("Children")
struct ChildProcessTests {
    /// Runs a program to its end; what it wrote and its status.
    private func run(_ arguments: [String], environment: [(String, String)] = []) async throws -> (String, Int32) {
        let (child, pipes) = try await ChildProcess.start(arguments: arguments, environment: environment)
        close(pipes.input)
        let text = await read(pipes.output)
        close(pipes.error)
        return (text, await child.status())
    }

    /// To its end, on a thread of its own.
    private func read(_ descriptor: Int32) async -> String {
        let once = Once<[UInt8]>()
        _ = DetachedThread.run {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while case let count = Glibc.read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
            Glibc.close(descriptor)
            once.resume(bytes)
        }
        return String(decoding: await once.value(), as: UTF8.self)
    }

    @Test("a child has three descriptors, whatever its parent has open")
    func descriptors() async throws {
        // Without close-on-exec, as a library may leave one.
        let kept = try #require(open("/dev/null", O_RDONLY) as Int32?)
        defer { close(kept) }
        let high = dup2(kept, 200)
        defer { close(high) }
        let (text, status) = try await run(["/bin/sh", "-c", "for f in /proc/$$/fd/*; do [ -e $f ] && echo ${f##*/}; done; true"])
        #expect(text == "0\n1\n2\n")
        #expect(status == 0)
    }

    @Test("a child has the listed environment and no other")
    func environment() async throws {
        let (text, _) = try await run(["/usr/bin/env"], environment: [("A", "1 2"), ("B", "")])
        #expect(text == "A=1 2\nB=\n")
        let (none, _) = try await run(["env"])
        #expect(none.isEmpty)
    }

    @Test("a program that is not there is told by its error")
    func missing() async {
        for name in ["/nonexistent/program", "no-such-program", ""] {
            await #expect(throws: ChildProcess.SpawnError(errno: ENOENT)) {
                try await ChildProcess.start(arguments: [name], environment: [])
            }
        }
        await #expect(throws: ChildProcess.SpawnError(errno: EACCES)) {
            try await ChildProcess.start(arguments: ["/etc/passwd"], environment: [])
        }
    }

    @Test("what a child leaves behind ends with it")
    func stragglers() async throws {
        // The straggler holds standard output: reading to its end waits for it.
        let (text, status) = try await run(["/bin/sh", "-c", "sleep 1000 & echo left; exit 3"])
        #expect(text == "left\n")
        #expect(status >> 8 == 3)
    }

    @Test("a signal reaches the whole group, and none is sent once it is gone")
    func signals() async throws {
        let (child, pipes) = try await ChildProcess.start(arguments: ["/bin/sh", "-c", "sleep 1000; true"], environment: [])
        child.signal(SIGTERM)
        #expect(await child.status() & 0x7F == SIGTERM)
        child.signal(SIGKILL)
        for end in [pipes.input, pipes.output, pipes.error] { close(end) }
    }

    @Test("signals that the parent ignores have their meaning in the child")
    func ignored() async throws {
        // As SwiftNIO does.
        _ = signal(SIGPIPE, SIG_IGN)
        let (text, _) = try await run(["/usr/bin/sed", "-n", "s/^SigIgn:\t//p", "/proc/self/status"])
        let mask = try #require(UInt64(text.prefix { $0 != "\n" }, radix: 16))
        #expect(mask >> UInt64(SIGPIPE - 1) & 1 == 0)
    }
}
