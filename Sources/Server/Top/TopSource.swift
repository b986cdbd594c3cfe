internal import Accounting
internal import AsyncHTTPClient
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Supervisor

/// Where `kdcube top` looks, and through what it kills.
protocol TopSource: Sendable {
    func sample() async throws -> TopSample
    /// - Returns: what came of it, for people.
    func kill(_ run: String) async throws -> String
    func close() async
}

/// Beside servers, in their stores.
struct StoreTop: TopSource {
    let stores: Stores
    let choice: OrgChoice
    private let fleet: Fleet
    private let approvals: ApprovalCount

    init(_ stores: Stores, choice: OrgChoice) {
        self.stores = stores
        self.choice = choice
        fleet = Fleet(stores.nodes)
        approvals = ApprovalCount(store: ApprovalBinding(rows: stores.approvals, logger: .silent), keys: stores.keys)
    }

    func sample() async throws -> TopSample {
        let view = await fleet.view(with: nil)
        guard view.isWhole else { throw CommandFailure("the stores cannot be asked what runs") }
        let at = WallClock.now().rawValue
        return TopSample(
            at: at, servers: view.reports.count, now: view.now(choice, approvals: await approvals.waiting(choice), at: at),
            streams: view.streams(choice))
    }

    func kill(_ run: String) async throws -> String {
        try await stores.revocations.add(.run(run), org: nil, author: "command line", at: WallClock.now())
        return "ordered to cut \(run)"
    }

    func close() async { await stores.close() }
}

/// Through a server.
struct HTTPTop: TopSource {
    let client: AdminClient
    /// Nil: the key's own organisation, or all for an operator's.
    let org: OrgID?

    private var query: String { org.map { "org=\(AdminClient.escaped($0.text))" } ?? "" }

    func sample() async throws -> TopSample {
        let now = try await self.now()
        var (rows, cursor): ([StreamRow], String) = ([], "")
        repeat {
            let page = try await client.get("streams?limit=500&cursor=\(AdminClient.escaped(cursor))&\(query)")
            rows += (page["data"]?.arrayValue ?? []).compactMap(StreamRow.init)
            cursor = page["cursor"]?.stringValue ?? ""
        } while !cursor.isEmpty && rows.count < LiveLimits.rows
        let health = try await client.get("health")
        return TopSample(
            at: now["at"]?.integerValue ?? WallClock.now().rawValue, servers: health["nodes"]?.arrayValue?.count ?? 0, now: now,
            streams: rows)
    }

    /// Of all organisations where the key may see them.
    private func now() async throws -> JSONValue {
        if org == nil, let all = try? await client.get("now?org=%2A") { return all }
        return try await client.get("now?\(query)")
    }

    func kill(_ run: String) async throws -> String {
        let answer = try await client.post("streams/\(AdminClient.escaped(run))/kill")
        return "\(run): \(answer["status"]?.stringValue ?? "done")"
    }

    func close() async {}
}

/// `/api/admin` of a running server, for commands.
struct AdminClient: Sendable {
    let url: String
    let key: String

    func get(_ path: String) async throws -> JSONValue { try await ask(.GET, path) }

    func post(_ path: String) async throws -> JSONValue { try await ask(.POST, path) }

    private func ask(_ method: HTTPMethod, _ path: String) async throws -> JSONValue {
        var request = HTTPClientRequest(url: url.trimmingTrailingSlash + "/api/admin/" + path)
        request.method = method
        request.headers.add(name: "authorization", value: "Bearer \(key)")
        let answer: JSONValue
        do {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
            let body = try await response.body.collect(upTo: 8 << 20)
            answer = try body.withUnsafeReadableBytes { try JSONValue(parsing: $0) }
        } catch {
            throw CommandFailure("no server answers at \(url); name it with --url")
        }
        if let message = answer["error"]?["message"]?.stringValue { throw CommandFailure(message) }
        return answer
    }

    /// For a query: all but the unreserved characters of RFC 3986.
    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { escaped, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                escaped.append(Character(UnicodeScalar(byte)))
            default: escaped += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
