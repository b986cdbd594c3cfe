internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Supervisor
internal import Synchronization

/// An MCP server that is a child of ours: one JSON text a line on its standard input and output.
///
/// Each stream is read by one task, which waits for the client: a child that writes faster than we read is stopped by its pipe.
///
/// Source: Model Context Protocol 2025-06-18, *Transports*, stdio.
final class StdioTransport: MCPTransport {
    private let child: ChildProcess
    private let channel: any Channel
    private let client: MCPClient
    private let unsent = Atomic(0)
    /// The closing, once it was asked for: whoever asks again waits for the same.
    private let closing = Mutex<Task<Void, Never>?>(nil)
    private let ended: Once<Bool>

    /// Starts the program and reads what it writes.
    ///
    /// - Parameter log: takes lines of its standard error, and how it ended; without secrets, bounded.
    /// - Throws: ``ToolFailure`` without effect.
    static func start(
        _ command: [String], environment: [NamedText], client: MCPClient, group: any EventLoopGroup,
        log: @escaping @Sendable (String) -> Void
    ) async throws(ToolFailure) -> StdioTransport {
        let child: ChildProcess
        let pipes: ChildProcess.Pipes
        do {
            (child, pipes) = try await ChildProcess.start(arguments: command, environment: environment.map { ($0.name, $0.value) })
        } catch {
            throw ToolFailure(
                code: "tool_unavailable", message: "the MCP server's program could not be started: \(error.message)", hadNoEffect: true)
        }
        do {
            let streams = try await NIOPipeBootstrap(group: group).takingOwnershipOfDescriptors(
                input: pipes.output, output: pipes.input, channelInitializer: asyncChannel)
            let errors: Streams
            do {
                errors = try await NIOPipeBootstrap(group: group).takingOwnershipOfDescriptor(
                    input: pipes.error, channelInitializer: asyncChannel)
            } catch {
                try? await streams.channel.close()
                throw error
            }
            let transport = StdioTransport(child: child, channel: streams.channel, client: client)
            transport.run(streams, errors, Secrets(environment: environment), log)
            return transport
        } catch {
            child.signal(SIGKILL)
            throw ToolFailure(code: "tool_unavailable", message: "the MCP server's streams could not be opened", hadNoEffect: true)
        }
    }

    private typealias Streams = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private static let asyncChannel: @Sendable (any Channel) -> EventLoopFuture<Streams> = { channel in
        channel.eventLoop.makeCompletedFuture { try Streams(wrappingChannelSynchronously: channel) }
    }

    private init(child: ChildProcess, channel: any Channel, client: MCPClient) {
        self.child = child
        self.channel = channel
        self.client = client
        ended = Once<Bool>()
    }

    // MARK: MCPTransport

    func send(_ message: [UInt8], _ purpose: MCPConnection.Purpose) -> Bool {
        guard closing.withLock({ $0 == nil }) else { return false }
        let waiting = unsent.add(message.count, ordering: .relaxed).newValue
        guard waiting <= AdapterLimits.unsentBytesMax else { return false }
        let buffer = ByteBuffer(bytes: message + [UInt8(ascii: "\n")])
        let (channel, client) = (channel, client)
        // Never from within: a write can end the channel, and that asks the client's lock.
        channel.eventLoop.execute {
            channel.writeAndFlush(buffer).whenComplete { _ in self.unsent.subtract(message.count, ordering: .relaxed) }
            if purpose == .announcement { client.announced() }
        }
        return true
    }

    func forget(id: Int64) {}
    func negotiated(version: String) {}

    /// Returns when the program has ended and what it said last is in the log.
    func close() async {
        let task = closing.withLock { closing in
            let task = closing ?? Task { await self.end() }
            closing = task
            return task
        }
        await task.value
    }

    /// Closes its input, as the protocol asks; then a moment for its own end, then SIGTERM, then SIGKILL for the group.
    private func end() async {
        channel.eventLoop.execute { [channel] in channel.close(mode: .output, promise: nil) }
        let child = child
        let steps = Task {
            try await Task.sleep(for: AdapterLimits.childGrace)
            child.signal(SIGTERM)
            try await Task.sleep(for: AdapterLimits.childGrace)
            child.signal(SIGKILL)
        }
        _ = await ended.value()
        steps.cancel()
        try? await channel.close()
    }

    // MARK: Its streams

    private func run(_ streams: Streams, _ errors: Streams, _ secrets: Secrets, _ log: @escaping @Sendable (String) -> Void) {
        // Its own tasks, because the server outlives the call that started it; each ends with the child.
        Task {
            let failure = await read(streams)
            client.closed(failure)
            await close()
        }
        let errorsEnd = Task { await Self.readErrors(errors, secrets, log) }
        Task { [child, ended] in
            let status = await child.status()
            // What it said last comes before how it ended; nobody of its group is left to say more.
            await errorsEnd.value
            log(status & 0x7F == 0 ? "ended with status \(status >> 8 & 0xFF)" : "ended by signal \(status & 0x7F)")
            ended.resume(true)
        }
    }

    private func read(_ streams: Streams) async -> ToolFailure {
        var framer = LineFramer(bytesMax: AdapterLimits.messageBytesMax)
        do {
            try await streams.executeThenClose { inbound, _ in
                for try await buffer in inbound {
                    var lines: [[UInt8]] = []
                    try framer.push(buffer.readableBytesView, into: &lines)
                    for line in lines { client.received(line) }
                }
            }
        } catch is LineFramer.TooLong {
            return ToolFailure(code: "mcp_protocol", message: "the MCP server sends a line that is too long")
        } catch {
            // The same as its end: what it was asked may have been done.
        }
        return ToolFailure(code: "upstream_broken", message: "the MCP server's program ended")
    }

    private static func readErrors(_ errors: Streams, _ secrets: Secrets, _ log: @Sendable (String) -> Void) async {
        var framer = LineFramer(bytesMax: AdapterLimits.logLineBytesMax, isStrict: false)
        var limit = LineLimit()
        try? await errors.executeThenClose { inbound, _ in
            for try await buffer in inbound {
                var lines: [[UInt8]] = []
                try framer.push(buffer.readableBytesView, into: &lines)
                for line in lines where limit.takes(at: .now) { log(shown(secrets.redacted(String(decoding: line, as: UTF8.self)))) }
            }
        }
    }
}

/// How many lines a minute go into the log.
struct LineLimit: Sendable {
    private var begin: ContinuousClock.Instant?
    private var count = 0

    mutating func takes(at now: ContinuousClock.Instant) -> Bool {
        if let begin, begin.duration(to: now) < .seconds(60) {
            count += 1
        } else {
            begin = now
            count = 1
        }
        return count <= AdapterLimits.logLinesMax
    }
}
