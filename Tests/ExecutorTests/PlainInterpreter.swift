import Foundation
import Glibc
import JSON

@testable import Executor

/// The real interpreter with the real bootstrap, as a plain child without any sandbox, and a channel machine at its other end.
enum PlainInterpreter {
    static let program = "/usr/bin/python3"
    static let isThere = access(program, X_OK) == 0

    struct Outcome: Sendable {
        /// As a shell has it: 128 and the signal when there was one.
        var status: Int32 = -1
        var stdout = ""
        var stderr = ""
        var actions: [ChannelAction] = []

        var value: JSONValue? {
            for case .result(let value) in actions { return value }
            return nil
        }
    }

    struct Failure: Error { let what: String }

    typealias Serve = @Sendable (_ machine: inout ChannelMachine, _ call: SandboxCall) -> [ChannelAction]

    /// What follows from an `emit` frame; as code can say something through it while its calls are held back.
    typealias Watch = @Sendable (_ machine: inout ChannelMachine, _ stream: String) -> [ChannelAction]

    /// Answers with the arguments.
    static let echo: Serve = { machine, call in machine.answer(call.id, .value(.object(call.arguments))) }

    /// Runs `code` to its end on a thread of its own.
    static func run(
        _ code: String, inputs: JSONObject = JSONObject(), tools: [String] = [], serve: @escaping Serve = echo,
        emitted: @escaping Watch = { _, _ in [] }
    ) async throws -> Outcome {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        var session = Session(serve: serve, emitted: emitted)
                        return try session.run(code, inputs, tools)
                    })
            }
        }
    }

    private static let bootstrap = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Sandbox/Executor/Python/bootstrap.py").path

    private struct Session {
        let serve: Serve
        let emitted: Watch
        var outcome = Outcome()
        var machine = ChannelMachine()
        var output: [Int32: [UInt8]] = [:]
        var pair: [Int32] = [-1, -1]
        var out: [Int32] = [-1, -1]
        var err: [Int32] = [-1, -1]

        init(serve: @escaping Serve, emitted: @escaping Watch) {
            self.serve = serve
            self.emitted = emitted
        }

        mutating func run(_ code: String, _ inputs: JSONObject, _ tools: [String]) throws -> Outcome {
            // Sockets for the output too: they are born close-on-exec, so that no child of another test keeps an end.
            for ends in [\Self.pair, \.out, \.err] as [WritableKeyPath<Self, [Int32]>] {
                guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &self[keyPath: ends]) == 0 else {
                    throw Failure(what: "descriptors")
                }
            }
            let pid = try spawn(channel: pair[1], stdout: out[1], stderr: err[1])
            for descriptor in [pair[1], out[1], err[1]] { close(descriptor) }
            defer { for descriptor in [pair[0], out[0], err[0]] { close(descriptor) } }
            var open = [pair[0], out[0], err[0]]
            let deadline = ContinuousClock.now + .seconds(40)
            while !open.isEmpty {
                var polled = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                _ = poll(&polled, nfds_t(polled.count), 1_000)
                if ContinuousClock.now > deadline { kill(pid, SIGKILL) }
                for entry in polled where entry.revents != 0 {
                    let bytes = take(entry.fd)
                    if bytes.isEmpty {
                        open.removeAll { $0 == entry.fd }
                    } else if entry.fd == pair[0] {
                        act(machine.receive(bytes), channel: pair[0], pid: pid, code, inputs, tools)
                    } else {
                        output[entry.fd, default: []] += bytes
                    }
                }
            }
            machine.closed()
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            outcome.status = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
            outcome.stdout = String(decoding: output[out[0]] ?? [], as: UTF8.self)
            outcome.stderr = String(decoding: output[err[0]] ?? [], as: UTF8.self)
            return outcome
        }

        private func take(_ descriptor: Int32) -> [UInt8] {
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(descriptor, &buffer, buffer.count)
            return count > 0 ? Array(buffer.prefix(count)) : []
        }

        private mutating func act(
            _ actions: [ChannelAction], channel: Int32, pid: pid_t, _ code: String, _ inputs: JSONObject, _ tools: [String]
        ) {
            for action in actions {
                outcome.actions.append(action)
                switch action {
                case .ready: act(machine.run(code: code, inputs: inputs, tools: tools), channel: channel, pid: pid, code, inputs, tools)
                case .call(let call): act(serve(&machine, call), channel: channel, pid: pid, code, inputs, tools)
                case .send(let bytes): send(bytes, to: channel)
                case .kill: kill(pid, SIGKILL)
                case .emit(let stream, _): act(emitted(&machine, stream), channel: channel, pid: pid, code, inputs, tools)
                case .refused, .result, .log: break
                }
            }
        }

        private func send(_ bytes: [UInt8], to channel: Int32) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.send(channel, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        private func spawn(channel: Int32, stdout: Int32, stderr: Int32) throws -> pid_t {
            var files = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&files)
            defer { posix_spawn_file_actions_destroy(&files) }
            posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&files, stdout, 1)
            posix_spawn_file_actions_adddup2(&files, stderr, 2)
            posix_spawn_file_actions_adddup2(&files, channel, 3)
            let words = [PlainInterpreter.program, "-I", "-S", "-E", "-B", "-X", "utf8", PlainInterpreter.bootstrap]
            var arguments = words.map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            var environment: [UnsafeMutablePointer<CChar>?] = [nil]
            var pid: pid_t = 0
            let error = posix_spawn(&pid, PlainInterpreter.program, &files, nil, &arguments, &environment)
            guard error == 0 else { throw Failure(what: "posix_spawn \(error)") }
            return pid
        }
    }
}
