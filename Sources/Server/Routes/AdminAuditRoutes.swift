internal import Accounting
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore
internal import Synchronization

/// `GET /api/admin/audit`, `POST /audit/verify` and `GET /audit/export`: the chain of the decision log, of one's own organisation; an
/// operator's of any.
struct AdminAuditRoutes: Sendable {
    /// A verification reads the whole log: one at a time a server.
    final class Turn: Sendable {
        private let isTaken = Atomic<Bool>(false)

        func take() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }
        func give() { isTaken.store(false, ordering: .releasing) }
    }

    let configuration: Configuration
    let stores: Stores
    private let turn = Turn()

    init(configuration: Configuration, stores: Stores) {
        self.configuration = configuration
        self.stores = stores
    }

    func add(to group: RouterGroup<AppContext>) {
        group.get("audit", use: show)
        group.post("audit/verify", use: verify)
        group.get("audit/export", use: export)
    }

    // MARK: Where the chain stands

    @Sendable private func show(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let org = try AdminArea.org(of: request, principal)
        let store = stores.audit
        let extent = try await store.extent(of: org)
        let last = try await Self.lastCheckpoint(of: org, upTo: extent?.last ?? 0, store)
        let anchored = try await anchor(of: org)
        let keys = try await store.auditKeys().map { key -> JSONValue in
            ["id": .string(key.id), "public_key": .string(key.publicKey), "since": .integer(key.at.rawValue)]
        }
        let standing = AuditStanding(
            org: org, first: extent?.first, last: extent?.last ?? 0, signedTo: last?.seq ?? 0, anchoredTo: anchored, signedAt: last?.at)
        guard case .object(var object) = standing.json else { return .json(standing.json) }
        object["keys"] = .array(keys)
        return .json(.object(object))
    }

    /// Checkpoints are many and come in order: it is looked for from the end, in steps that grow.
    private static func lastCheckpoint(of org: OrgID, upTo end: Int64, _ store: any AuditStore) async throws -> Checkpoint? {
        var step: Int64 = 64
        var start = end
        var found: Checkpoint?
        while found == nil, start > 0 {
            start = max(0, start - step)
            step *= 8
            found = try await store.checkpoints(of: org, after: start).last
        }
        while let last = found, let more = try await store.checkpoints(of: org, after: last.seq).last { found = more }
        return found
    }

    /// The last checkpoint of the file that speaks of the record which is there; nil without a file.
    @concurrent
    private func anchor(of org: OrgID) async throws -> Int64? {
        guard let file = AuditVerification.anchors(configuration) else { return nil }
        let store = stores.audit
        var anchored: Int64 = 0
        try await CheckpointFile.forEachPage(of: file, lineBytes: ChainLimits.lineBytes, lines: ChainLimits.rows) { lines in
            let own = lines.compactMap { Checkpoint.parse(line: $0)?.checkpoint }.filter { $0.org == org }
            guard !own.isEmpty else { return }
            let hashes = try await store.hashes(of: org, own.map(\.seq))
            for checkpoint in own where hashes[checkpoint.seq] == checkpoint.hash { anchored = max(anchored, checkpoint.seq) }
        }
        return anchored
    }

    // MARK: Verify

    @Sendable private func verify(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        var org: OrgID?
        if request.headers[.contentLength].map({ $0 != "0" }) ?? false {
            org = try AdminArea.org(
                named: FieldReader(await JSONBody.read(request)).string("org", bytesMax: TenancyName.bytesMax), principal)
        }
        if !principal.isOperator { org = try org ?? AdminArea.administered(principal.org, by: principal, param: "org") }
        guard turn.take() else {
            throw HTTPFailure(
                .conflict, code: "verification_running", message: "The log is being verified already. Try again in a moment.",
                headers: [.retryAfter: "5"])
        }
        defer { turn.give() }
        let anchors = AuditVerification.anchors(configuration)
        guard let found = try await AuditVerification.run(stores.audit, org: org, anchors: anchors) else {
            throw HTTPFailure.notFound("decision of that organisation")
        }
        return .json(found.json)
    }

    // MARK: Export

    @Sendable private func export(_ request: Request, context: AppContext) async throws -> Response {
        let principal = try context.principal
        let query = request.uri.queryParameters
        let org =
            try principal.isOperator
            ? AdminArea.org(named: query["org"].map(String.init), principal) : AdminArea.org(of: request, principal)
        let (from, to): (Milliseconds?, Milliseconds?)
        do throws(LedgerSelection.Failure) {
            from = try LedgerSelection.instant(query["from"].map(String.init), "from")
            to = try LedgerSelection.instant(query["to"].map(String.init), "to")
        } catch {
            throw HTTPFailure.badRequest("\(error.description).", param: error.field)
        }
        let export = ChainExport(stores.audit, from: from, to: to)
        return Response(
            status: .ok,
            headers: [
                .contentType: "application/x-ndjson; charset=utf-8", .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"decisions.jsonl\"",
            ],
            body: ResponseBody { writer in
                // A page of the log at a time: the writer waits for the client.
                var pages = try await export.pages(org: org)
                while let lines = try await pages.next() {
                    try await writer.write(ByteBuffer(string: lines.joined(separator: "\n") + "\n"))
                }
                try await writer.finish(nil)
            })
    }
}

/// Where an organisation's chain stands: what of it is anchored outside the store, what only signed in it, and what neither. Pure.
struct AuditStanding: Sendable, Hashable {
    let org: OrgID
    /// Where the chain begins; records before it are of a release that had none.
    let first: Int64?
    let last: Int64
    let signedTo: Int64
    let anchoredTo: Int64?
    let signedAt: Milliseconds?

    /// From the beginning to the end, without gaps.
    var ranges: [(from: Int64, to: Int64, state: String)] {
        let begin = first ?? 1
        let anchored = min(last, max(anchoredTo ?? 0, begin - 1))
        let signed = min(last, max(signedTo, anchored))
        let parts = [(begin, anchored, "anchored"), (anchored + 1, signed, "signed"), (signed + 1, last, "open")]
        return parts.filter { $0.0 <= $0.1 }.map { (from: $0.0, to: $0.1, state: $0.2) }
    }

    var json: JSONValue {
        [
            "org": .string(org.text), "records": .integer(first.map { max(0, last - $0 + 1) } ?? 0), "last_seq": .integer(last),
            "signed_to": .integer(signedTo), "anchored_to": anchoredTo.map { .integer($0) } ?? .null,
            "last_checkpoint_at": signedAt.map { .integer($0.rawValue) } ?? .null,
            "ranges": .array(ranges.map { ["from": .integer($0.from), "to": .integer($0.to), "state": .string($0.state)] }),
        ]
    }
}
