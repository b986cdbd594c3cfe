internal import Accounting
internal import Foundation
internal import JSON

/// What a verification of the decision log has found: the answer of `kdcube audit verify --json` and of `POST /api/admin/audit/verify`.
struct AuditVerification: Sendable {
    private(set) var reports: [ChainReport] = []
    let keys: [AuditKey]
    let unreadableLines: Int
    /// What is wrong with the tables themselves; nil when nothing is.
    let damage: String?

    var isGood: Bool { damage == nil && reports.allSatisfy { $0.fault == nil } }

    /// Follows the chains. Pages through everything; a file is read, so not on an event loop.
    ///
    /// - Parameters:
    ///   - org: nil for all.
    ///   - anchors: a file of checkpoints; nil for none.
    ///   - told: told of each report as it is made.
    /// - Returns: nil for an organisation that nothing speaks of.
    @concurrent
    static func run(
        _ store: any AuditStore, org: OrgID?, anchors: String?, trusted: Set<String> = [], told: @Sendable (ChainReport) -> Void = { _ in }
    ) async throws -> AuditVerification? {
        var audit = try await ChainAudit(store, trusted: trusted)
        if let anchors {
            try await CheckpointFile.forEachPage(of: anchors, lineBytes: ChainLimits.lineBytes, lines: ChainLimits.rows) { lines in
                try await audit.take(lines: lines)
            }
        }
        var reports: [ChainReport] = []
        if let org {
            guard let report = try await audit.report(on: org) else { return nil }
            told(report)
            reports.append(report)
        } else {
            try await audit.forEachReport { report in
                told(report)
                reports.append(report)
            }
        }
        return AuditVerification(
            reports: reports, keys: try await store.auditKeys(), unreadableLines: audit.unreadableLines, damage: try await store.damage())
    }

    /// The setting's file, if it is there.
    static func anchors(_ settings: Configuration) -> String? {
        let file = settings.audit.checkpoints
        return !file.isEmpty && FileManager.default.fileExists(atPath: file) ? file : nil
    }

    var json: JSONValue {
        [
            "ok": .bool(isGood), "orgs": .array(reports.map(\.json)),
            "keys": .array(keys.map { ["id": .string($0.id), "public_key": .string($0.publicKey), "since": .string($0.at.rfc3339)] }),
            "unreadable_lines": .integer(Int64(unreadableLines)), "damage": damage.map { .string($0) } ?? .null,
        ]
    }
}

extension ChainReport {
    var json: JSONValue {
        [
            "org": .string(org.text), "records": .integer(records), "unchained": .integer(unchained),
            "first": first.map { .integer($0) } ?? .null, "last": .integer(last), "signed_to": .integer(signedTo),
            "anchored_to": anchoredTo.map { .integer($0) } ?? .null, "unanchored": .integer(unanchored),
            "fault": fault.map { ["seq": .integer($0.seq), "reason": .string($0.reason.rawValue), "message": .string($0.text)] } ?? .null,
        ]
    }
}
