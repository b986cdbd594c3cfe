internal import Accounting
internal import AccountingRedis
internal import ArgumentParser
internal import AsyncHTTPClient
internal import EngineProviders
internal import Executor
internal import Foundation
internal import JSON
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import RedisClient

/// `kdcube doctor`: whether everything that the server needs is there.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check stores, upstreams and clock. Exits 1 when something is wrong.")

    @OptionGroup var store: StoreOptions
    @Flag(help: "Print JSON.") var json = false

    struct Finding {
        let name: String
        /// What is wrong and what to do; nil when all is well.
        let problem: String?
        let detail: String
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try store.configuration()
            var findings = [Self.openFiles()]
            findings.append(await Self.durable(settings))
            if !settings.stores.redis.isEmpty { findings.append(await Self.redis(settings)) }
            for model in settings.models where model.provider != .scripted { findings.append(await Self.upstream(model)) }
            findings.append(Self.prices(settings))
            findings.append(await Self.isolation(settings))
            report(findings)
            if findings.contains(where: { $0.problem != nil }) { throw ExitCode(1) }
        }
    }

    private func report(_ findings: [Finding]) {
        if json {
            let values = findings.map { finding -> JSONValue in
                [
                    "name": .string(finding.name), "ok": .bool(finding.problem == nil),
                    "detail": .string(finding.problem ?? finding.detail),
                ]
            }
            Output.line(JSONValue.array(values).jsonText)
        } else {
            Output.table(findings.map { [$0.problem == nil ? "ok" : "FAIL", $0.name, $0.problem ?? $0.detail] })
        }
    }

    /// Runs the probes as a server does. What falls short is a problem only where a tool runs code.
    private static func isolation(_ settings: Configuration) async -> Finding {
        let executor = settings.sandbox.executor
        let report = await SandboxHost.examine(executor)
        let failed = report.probes.filter { !$0.passed }
        let detail = "\(report.level.rawValue), \(report.probes.count - failed.count) of \(report.probes.count) probes passed"
        guard report.level < executor.minimum else { return Finding(name: "isolation", problem: nil, detail: detail) }
        let why = report.complaint.split(separator: "\n").joined(separator: " | ")
        let problem = "\(report.level.rawValue), and sandbox.minimum is \(executor.minimum.rawValue): code is not run. \(why)"
        let runsCode = try? !settings.tools.file.isEmpty && ToolsFile(settings.tools.file).catalog.runsCode
        guard runsCode ?? false else {
            return Finding(name: "isolation", problem: nil, detail: problem + " (no tool of this configuration runs code)")
        }
        return Finding(name: "isolation", problem: problem, detail: detail)
    }

    private static func openFiles() -> Finding {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let enough = limit.rlim_max >= 4_096
        return Finding(
            name: "open files",
            problem: enough ? nil : "the hard limit is \(limit.rlim_max); raise it (LimitNOFILE, ulimit -Hn) to at least 4096",
            detail: "hard limit \(limit.rlim_max)")
    }

    /// Postgres when it is configured, else the data directory.
    private static func durable(_ settings: Configuration) async -> Finding {
        let usesPostgres = !settings.stores.postgres.isEmpty
        let name = usesPostgres ? "postgres" : "data directory"
        do {
            let stores = try Stores(settings.stores)
            do {
                try settings.stores.checkServable()
                try await stores.ping()
                let budgets = try await stores.budgets.list(scope: nil).count
                await stores.close()
                let place = usesPostgres ? Configuration.masked(url: settings.stores.postgres) : settings.stores.data
                return Finding(name: name, problem: nil, detail: "\(place), \(budgets) budgets")
            } catch {
                await stores.close()
                return Finding(name: name, problem: "\(error)\(usesPostgres ? "; check stores.postgres" : "")", detail: "")
            }
        } catch {
            return Finding(name: name, problem: "\(error)", detail: "")
        }
    }

    private static func redis(_ settings: Configuration) async -> Finding {
        do {
            let stores = try Stores(settings.stores)
            guard let connection = try stores.redis(logger: .silent) else {
                return Finding(name: "redis", problem: nil, detail: "not configured")
            }
            let local = WallClock.now()
            let value: String
            do {
                try await connection.startChecked()
                value = "\(try await connection.call(.init("TIME")))"
            } catch let failure as CommandFailure {
                return Finding(name: "redis", problem: "\(failure)", detail: "")
            } catch {
                await connection.close()
                return Finding(
                    name: "redis", problem: "cannot be reached: \(error); check stores.redis and that Redis is 7 or later", detail: "")
            }
            await connection.close()
            return Finding(name: "redis", problem: nil, detail: "reached; its time \(value), ours \(local.rfc3339)")
        } catch {
            return Finding(name: "redis", problem: "\(error)", detail: "")
        }
    }

    private static func upstream(_ model: Configuration.Model) async -> Finding {
        let name = "model \(model.id)"
        let isAnthropic = model.provider == .anthropic
        var request = HTTPClientRequest(
            url: isAnthropic ? AnthropicProvider.address("models", at: model.baseURL) : model.baseURL.trimmingTrailingSlash + "/models")
        if isAnthropic { request.headers.add(name: "anthropic-version", value: AnthropicProvider.version) }
        if !model.apiKey.isEmpty {
            request.headers.add(
                name: isAnthropic ? "x-api-key" : "authorization", value: isAnthropic ? model.apiKey : "Bearer \(model.apiKey)")
        }
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
            let status = response.status.code
            guard status != 401, status != 403 else {
                return Finding(name: name, problem: "the upstream refuses the api_key (\(status))", detail: "")
            }
            return Finding(name: name, problem: nil, detail: "the upstream answers (\(status))")
        } catch {
            return Finding(name: name, problem: "no answer from \(model.baseURL): \(error)", detail: "")
        }
    }

    private static func prices(_ settings: Configuration) -> Finding {
        do {
            let table = try Prices.load(settings.priceFile, models: settings.models)
            let unknown = settings.models.filter { table.pricing(for: $0.id) == nil }.map(\.id)
            guard unknown.isEmpty else {
                return Finding(
                    name: "prices",
                    problem: "no price for \(unknown.joined(separator: ", ")): refused under money budgets; add them to prices.file",
                    detail: "")
            }
            return Finding(name: "prices", problem: nil, detail: "every model has one, version \(table.version)")
        } catch {
            return Finding(name: "prices", problem: "\(error)", detail: "")
        }
    }
}

extension String {
    var trimmingTrailingSlash: String { hasSuffix("/") ? String(dropLast()) : self }
}
