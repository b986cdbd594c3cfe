import Foundation
import Logging
import RedisClient

/// A real `redis-server` for one test, on a socket in a folder of its own. Needs the Debian package `redis-server`: without it the tests
/// fail, they are not skipped. Ends only the process that it started.
final class RedisProcess {
    struct Missing: Error {}

    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-cluster-\(UUID().uuidString)")
    private var process: Process?

    init() async throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try await launch()
    }

    private var socket: String { folder.appendingPathComponent("s").path }
    var url: RedisURL { RedisURL(address: .unix(path: socket)) }

    func launch() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder.path,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        guard await eventually({ FileManager.default.fileExists(atPath: self.socket) }) else { throw Missing() }
    }

    /// kill -9.
    func end() {
        guard let process, process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: socket)
        self.process = nil
    }

    deinit {
        end()
        try? FileManager.default.removeItem(at: folder)
    }
}

/// A logger that says nothing.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Waits until `condition` holds. The clock is the only thing that can make a test with a fault fail.
func eventually(_ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(20)
    while !condition() {
        guard ContinuousClock.now < deadline else { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}
