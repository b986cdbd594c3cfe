public import JSON
public import Supervisor
internal import Synchronization

/// Built-in tools for demos and tests: they move no money and send no mail, and the same calls give the same answers.
///
/// Each project has tables of its own, in memory, in a short `Mutex`.
public final class DemoTools: ToolAdapter {
    private struct Tenant: Hashable {
        let org: OrgID
        let project: String
    }

    /// The names under which a catalog has them.
    public static let names: Set<String> = ["payments.refund", "mail.draft", "mail.send", "crm.lookup", "records.read"]

    private let tables = Mutex<[Tenant: DemoTables]>([:])

    public init() {}

    /// - Throws: ``ToolFailure``, always without effect.
    public func call(_ call: AdmittedCall) async throws(ToolFailure) -> JSONValue {
        guard case .builtin(let name) = call.definition.adapter, Self.names.contains(name) else {
            throw ToolFailure(code: "internal", message: "this is no demo tool", hadNoEffect: true)
        }
        return try self.call(name, call.arguments, org: call.caller.org, project: call.caller.project, idempotencyKey: call.idempotencyKey)
    }

    func call(
        _ name: String, _ arguments: JSONObject, org: OrgID, project: String, idempotencyKey: String? = nil
    ) throws(ToolFailure) -> JSONValue {
        let tenant = Tenant(org: org, project: project)
        return try tables.withLock { tables throws(ToolFailure) in
            guard tables[tenant] != nil || tables.count < AdapterLimits.demoTenantsMax else {
                throw ToolFailure(code: "demo_full", message: "too many projects use the demo tools", hadNoEffect: true)
            }
            return try tables[tenant, default: DemoTables()].call(name, arguments, idempotencyKey: idempotencyKey)
        }
    }
}
