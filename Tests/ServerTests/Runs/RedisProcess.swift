import Foundation
import RedisClient

/// A real `redis-server` on a Unix socket in a folder of its own. Ends only the process that it started.
///
/// Needs the `redis-server` program (Debian package of the same name): without it the tests fail, they are not skipped.
final class RedisProcess {
    struct Missing: Error {}

    private let folder: URL
    private let process = Process()

    var url: RedisURL { RedisURL(address: .unix(path: socket)) }
    private var socket: String { folder.appendingPathComponent("s").path }

    init() async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-runs-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let candidates = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]
        guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { throw Missing() }
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        let path = socket
        let isThere = await eventually { FileManager.default.fileExists(atPath: path) }
        guard isThere else { throw Missing() }
    }

    /// Stands still: connections stay, answers do not come.
    func freeze() { Foundation.kill(process.processIdentifier, SIGSTOP) }
    func thaw() { Foundation.kill(process.processIdentifier, SIGCONT) }

    deinit {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}

/// Waits until `condition` holds; false when it does not within `limit`.
func eventually(_ limit: Duration = .seconds(30), _ condition: () async throws -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if (try? await condition()) == true { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return false
}
