import AccountingRedis
import Foundation
import Logging

@testable import RedisClient

/// A real `redis-server` on a free loopback port in a directory of its own. Ends only the process that it started.
///
/// Needs the `redis-server` program (Debian package of the same name): without it the tests fail, they are not skipped.
final class RedisServer {
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    let port: Int
    let directory: URL
    let options: [String]
    private var process: Process?

    init(options: [String] = []) async throws {
        self.options = options
        var port = try Self.freePort()
        // A cluster's own port is chosen already and not open yet.
        while options.contains("\(port)") { port = try Self.freePort() }
        self.port = port
        self.directory = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try await launch()
    }

    var url: RedisURL { RedisURL(address: .tcp(host: "127.0.0.1", port: port)) }
    var socketPath: String { directory.appendingPathComponent("s").path }

    /// Starts the program (again). It keeps nothing on disk, so a second start is an empty Redis.
    func launch() async throws {
        let process = Process()
        process.executableURL = try Self.program()
        process.arguments =
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socketPath, "--save", "", "--appendonly", "no", "--dir",
                directory.path, "--daemonize", "no", "--enable-debug-command", "local",
            ] + options
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        let deadline = ContinuousClock.now + .seconds(20)
        while !FileManager.default.fileExists(atPath: socketPath) {
            guard process.isRunning else { throw Missing(description: "redis-server ended at once (port \(port))") }
            guard ContinuousClock.now < deadline else { throw Missing(description: "redis-server did not start within 20 s") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// kill -9: what was in memory is gone.
    func kill() {
        guard let process, process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: socketPath)
        self.process = nil
    }

    func freeze() { signal(SIGSTOP) }
    func thaw() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        guard let process, process.isRunning else { return }
        Foundation.kill(process.processIdentifier, number)
    }

    deinit {
        if let process, process.isRunning {
            Foundation.kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: directory)
    }

    private static func program() throws -> URL {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        for directory in path.split(separator: ":") + ["/usr/bin", "/usr/local/bin"] {
            let file = "\(directory)/redis-server"
            if FileManager.default.isExecutableFile(atPath: file) { return URL(fileURLWithPath: file) }
        }
        throw Missing(description: "these tests need redis-server: apt-get install redis-server")
    }

    static func freePort() throws -> Int {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Foundation.close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                Foundation.bind(socket, pointer, length) == 0 ? getsockname(socket, pointer, &length) : -1
            }
        }
        guard result == 0 else { throw Missing(description: "no free port on loopback") }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

/// A logger that says nothing.
let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Waits until `condition` holds; false when it does not within `limit`. A throw is a "not yet".
func eventually(_ limit: Duration = .seconds(20), _ condition: () async throws -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if (try? await condition()) == true { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return false
}
