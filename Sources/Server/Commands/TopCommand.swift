internal import Accounting
internal import ArgumentParser
internal import Foundation
internal import JSON
internal import UnixSignals

/// `kdcube top`: what runs on all servers, once a second.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch what runs on all servers of the stores: who spends how fast, and what will stop it.",
        discussion: """
            It reads what servers report to their stores, and with --url asks a server instead. q ends it, k kills a run. Without a terminal \
            it prints once.
            """)

    @OptionGroup var store: StoreOptions
    @Option(help: "Ask this server, such as http://127.0.0.1:8000, and not the stores.") var url: String?
    @Option(help: "With --url, a key with the role admin; without it, the environment's KDCUBE_ADMIN_KEY.") var key: String?
    @Option(help: "One organisation.") var org: OrgID?
    @Flag(help: "Print once and end.") var once = false
    @Flag(help: "Print once as JSON and end.") var json = false

    func run() async throws {
        try await reportingFailures {
            let source = try source()
            let result: Result<Void, any Error>
            do {
                result = .success(try await watch(source))
            } catch {
                result = .failure(error)
            }
            await source.close()
            try result.get()
        }
    }

    private func source() throws -> any TopSource {
        guard let url else { return StoreTop(try store.stores(), choice: org.map { .one($0) } ?? .all) }
        guard let key = key ?? ProcessInfo.processInfo.environment["KDCUBE_ADMIN_KEY"] else {
            throw CommandFailure("name a key with the role admin: --key, or KDCUBE_ADMIN_KEY")
        }
        return HTTPTop(client: AdminClient(url: url, key: key), org: org)
    }

    private func watch(_ source: any TopSource) async throws {
        if json { return Output.line(try await source.sample().json.jsonText) }
        let first = try await source.sample()
        guard !once, let terminal = Terminal() else { return Self.print(first) }
        // Also when a signal ends it, and when a store goes away.
        defer { terminal.restore() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigterm, .sighup, .sigint) { return }
            }
            group.addTask { try await Self.draw(first, source, terminal) }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Without a terminal's width nothing is cut.
    private static func print(_ sample: TopSample) {
        let frame = TopFrame(sample: sample, foot: "", now: sample.at)
        for line in frame.lines(width: 10_000, height: sample.streams.count + 10) where !line.isEmpty { Output.line(line) }
    }

    private static func draw(_ first: TopSample, _ source: any TopSource, _ terminal: Terminal) async throws {
        var (sample, keys, next) = (first, TopKeys(), ContinuousClock.now + .seconds(1))
        while !Task.isCancelled {
            for byte in terminal.keys() {
                switch keys.take(byte, runs: sample.streams.map(\.run)) {
                case .quit: return
                case .kill(let run): do { keys.tell(try await source.kill(run)) } catch { keys.tell("\(error)") }
                case nil: break
                }
            }
            if ContinuousClock.now >= next {
                // A server that is away is told of, and asked again.
                do { sample = try await source.sample() } catch { keys.tell("\(error)") }
                next = .now + .seconds(1)
            }
            let size = Terminal.size
            let frame = TopFrame(sample: sample, foot: keys.foot, now: WallClock.now().rawValue)
            terminal.draw(frame.lines(width: size.columns, height: size.rows))
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}
