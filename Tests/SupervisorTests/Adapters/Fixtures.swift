import JSON
import NIOPosix
import Supervisor
import Synchronization

@testable import SupervisorAdapters

/// A resolver that answers from a table and counts.
final class TableResolver: NameResolver {
    private let table: [String: [String]]
    private let counted = Mutex(0)

    var lookups: Int { counted.withLock { $0 } }

    init(_ table: [String: [String]]) { self.table = table }

    func addresses(of host: String) async throws -> [IPAddress] {
        counted.withLock { $0 += 1 }
        guard let texts = table[host] else { throw ResolutionError.unknownHost }
        return texts.compactMap { IPAddress($0) }
    }
}

/// Adapters that are shut down at the end of `body`.
func withAdapters<Result>(
    _ resolver: (any NameResolver)? = nil, log: Lines = Lines(), _ body: (ToolAdapters) async throws -> Result
) async throws -> Result {
    let adapters = ToolAdapters(group: MultiThreadedEventLoopGroup.singleton, resolver: resolver) { _, line in log.add(line) }
    do {
        let result = try await body(adapters)
        await adapters.shutdown()
        return result
    } catch {
        await adapters.shutdown()
        throw error
    }
}

final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A call as the supervisor would admit it.
func admitted(
    _ adapter: AdapterDefinition, _ arguments: JSONValue = [:], key: String? = nil, outputBytes: Int = 65_536,
    deadline: Duration = .seconds(30), org: OrgID = "o", told: @escaping @Sendable (ToolNews) -> Void = { _ in }
) throws -> AdmittedCall {
    let schema = try ArgumentSchema(["type": "object", "properties": [:], "additionalProperties": false])
    let definition = ToolDefinition(name: "t", schema: schema, effect: .write, outputBytes: outputBytes, adapter: adapter)
    return AdmittedCall(
        definition: definition, arguments: arguments.objectValue ?? JSONObject(), digest: "",
        caller: CallerIdentity(org: org, project: "p", user: "u", run: "r"), callID: "c", idempotencyKey: key, deadline: deadline,
        told: told,
        nested: { _ in CallResult(outcome: .value(.null), decisionID: nil, elapsed: .zero) })
}

extension ToolAdapters {
    /// - Parameter call: built inside, so that an expectation can ask in one line; one that cannot be built is a failure `test`.
    func run(_ call: @autoclosure () throws -> AdmittedCall) async -> Result<JSONValue, ToolFailure> {
        guard let call = try? call() else { return .failure(ToolFailure(code: "test", message: "no such call")) }
        guard let adapter = adapter(for: call.definition.adapter) else { return .failure(ToolFailure(code: "none", message: "")) }
        do { return .success(try await adapter.call(call)) } catch { return .failure(error) }
    }
}

extension Result where Failure == ToolFailure {
    var failure: ToolFailure? {
        guard case .failure(let failure) = self else { return nil }
        return failure
    }
}
