import Foundation
import Synchronization

@testable import AccountingPostgres

/// A real `postgres` on a free loopback port, with a cluster of its own in a temporary folder. Ends only the process that it started.
///
/// Needs the server programs (Debian package `postgresql`): without them the tests fail, they are not skipped. Postgres refuses to run
/// as root, so root starts it as the user `postgres`.
final class PostgresServer: Sendable {
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    let port: Int
    let directory: URL
    private let process = Mutex<Process?>(nil)
    private let databases = Mutex(0)

    /// The one that tests share which do not stop it. Ends with the test process.
    static func shared() async throws -> PostgresServer { try await Shared.start.value }

    private enum Shared {
        static let start = Task { () throws -> PostgresServer in
            let server = try await PostgresServer()
            running.withLock { $0 = server }
            atexit { PostgresServer.Shared.running.withLock { $0 }?.kill(removing: true) }
            return server
        }
        static let running = Mutex<PostgresServer?>(nil)
    }

    init() async throws {
        port = try RedisServer.freePort()
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("kdcube-pg-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        if getuid() == 0 {
            guard let user = getpwnam("postgres") else { throw Missing(description: "root needs the user postgres to start Postgres as") }
            guard chown(directory.path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
                throw Missing(description: "\(directory.path) cannot be given to the user postgres")
            }
        }
        // Without fsync: these clusters do not outlive a power cut, nor do they have to.
        let initdb = try Self.command(
            "initdb", ["-D", directory.path + "/data", "-U", "kdcube", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
        try initdb.run()
        initdb.waitUntilExit()
        guard initdb.terminationStatus == 0 else { throw Missing(description: "initdb failed with \(initdb.terminationStatus)") }
        try await launch()
    }

    func url(_ database: String) throws -> PostgresURL { try PostgresURL(parsing: "postgresql://kdcube@127.0.0.1:\(port)/\(database)") }

    /// An empty database.
    func makeDatabase() throws -> PostgresURL {
        let name = databases.withLock { number in
            number += 1
            return "test\(number)"
        }
        try command("CREATE DATABASE \(name)", in: "postgres")
        return try url(name)
    }

    /// Runs statements as somebody else than the code under test.
    func command(_ sql: String, in database: String) throws {
        var connection = PostgresConnection()
        connection.limit(milliseconds: 20_000)
        try connection.open(try url(database))
        try connection.script(Array(sql.utf8))
    }

    /// Starts the program (again), on the same cluster.
    func launch() async throws {
        let process = try Self.command(
            "postgres",
            [
                "-D", directory.path + "/data", "-p", "\(port)", "-h", "127.0.0.1", "-k", directory.path, "-F", "-c", "max_connections=200",
                "-c", "shared_buffers=32MB",
            ])
        try process.run()
        self.process.withLock { $0 = process }
        let deadline = ContinuousClock.now + .seconds(30)
        while (try? command("SELECT 1", in: "postgres")) == nil {
            guard process.isRunning else { throw Missing(description: "postgres ended at once (port \(port))") }
            guard ContinuousClock.now < deadline else { throw Missing(description: "postgres did not start within 30 s") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// SIGQUIT, Postgres' immediate shutdown: connections break, and the next start recovers as after a crash.
    func kill(removing: Bool = false) {
        process.withLock { process in
            guard let running = process, running.isRunning else { return }
            Foundation.kill(running.processIdentifier, SIGQUIT)
            running.waitUntilExit()
            process = nil
        }
        if removing { try? FileManager.default.removeItem(at: directory) }
    }

    deinit { kill(removing: true) }

    private static func command(_ name: String, _ arguments: [String]) throws -> Process {
        let process = Process()
        let program = try program(name)
        if getuid() == 0 {
            // Executes the program in its own place, so that the process id is Postgres' own.
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = ["--reuid=postgres", "--regid=postgres", "--init-groups", program] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: "/tmp")
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    /// Debian keeps the server's programs off the PATH, in a folder for each version: the newest one.
    private static func program(_ name: String) throws -> String {
        let debian = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []).compactMap { Int($0) }.sorted(by: >)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        for folder in versions.map({ "\(debian)/\($0)/bin" }) + path.split(separator: ":").map(String.init) {
            if FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") { return "\(folder)/\(name)" }
        }
        throw Missing(description: "these tests need the PostgreSQL server programs: apt-get install postgresql")
    }
}
