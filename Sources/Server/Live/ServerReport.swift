internal import Accounting
internal import JSON

/// What a server says of itself once a second, and what others read of it.
struct ServerReport: Sendable, Hashable {
    var node: String
    var at: Int64
    var version = ""
    var startedAt: Int64 = 0
    var address = ""
    var isDraining = false
    /// Its last word: it has ended, and only what it has counted is left of it.
    var isGone = false
    var runs: Int64 = 0
    var sockets: Int64 = 0
    var rate = StreamRate()
    /// What is not as it should be there.
    var problems: [String] = []
    /// At most ``LiveLimits/orgs`` by name, the others under ``MinuteBook/rest``.
    var totals: [OrgID?: OrgTotals] = [:]
    var streams: [StreamRow] = []
    var minutes = MinuteBook()

    init(node: String, at: Int64) {
        self.node = node
        self.at = at
    }

    var json: JSONValue {
        [
            "node": .string(node), "version": .string(version), "started_at": .integer(startedAt), "address": .string(address),
            "draining": .bool(isDraining), "gone": .bool(isGone), "runs": .integer(runs), "sockets": .integer(sockets),
            "tokens_per_second": rate.tokensPerSecond, "cost_per_minute_usd": rate.costPerMinute,
            "problems": .array(problems.map { .string($0) }),
            "orgs": .object(
                JSONObject(
                    totals.map { ($0.key?.text ?? "", $0.value) }.sorted { $0.0 < $1.0 }.map { org, total in
                        (org, .array([total.runs, total.rate.tokens, total.rate.cost].map { .integer($0) }))
                    })),
            "streams": .array(streams.map(\.json)), "minutes": minutes.json,
        ]
    }

    /// Nil for what is no report; members that are missing, as with another release, are left as they are.
    init?(_ stored: NodeReport) {
        guard let json = try? JSONValue(parsing: stored.report), json.objectValue != nil else { return nil }
        self.init(node: stored.node, at: stored.at.rawValue)
        version = json["version"]?.stringValue ?? ""
        startedAt = json["started_at"]?.integerValue ?? 0
        address = json["address"]?.stringValue ?? ""
        isDraining = json["draining"]?.boolValue ?? false
        isGone = json["gone"]?.boolValue ?? false
        runs = json["runs"]?.integerValue ?? 0
        sockets = json["sockets"]?.integerValue ?? 0
        problems = (json["problems"]?.arrayValue ?? []).compactMap(\.stringValue)
        for member in (json["orgs"]?.objectValue?.members ?? []).prefix(LiveLimits.orgs + 1) {
            let numbers = (member.value.arrayValue ?? []).compactMap(\.integerValue)
            guard numbers.count >= 3, let org = OrgID.named(member.key) else { continue }
            totals[org] = OrgTotals(runs: numbers[0], rate: StreamRate(tokens: numbers[1], cost: numbers[2]))
        }
        rate = totals.values.reduce(StreamRate()) { $0 + $1.rate }
        streams = (json["streams"]?.arrayValue ?? []).prefix(LiveLimits.rows).compactMap(StreamRow.init)
        minutes = MinuteBook(json["minutes"])
    }

    /// The organisations with the most runs keep their names.
    static func bounded(_ totals: [OrgID?: OrgTotals]) -> [OrgID?: OrgTotals] {
        guard totals.count > LiveLimits.orgs else { return totals }
        let sorted = totals.sorted { ($0.value.runs, $1.key?.text ?? "") > ($1.value.runs, $0.key?.text ?? "") }
        var bounded = Dictionary(uniqueKeysWithValues: sorted.prefix(LiveLimits.orgs).map { ($0.key, $0.value) })
        bounded[MinuteBook.rest] = sorted.dropFirst(LiveLimits.orgs).reduce(OrgTotals()) { $0 + $1.value }
        return bounded
    }

    /// The member of `nodes` in `/api/admin/health`. An administrator is told of the runs of its own organisation, and not of sockets, which
    /// are not counted by organisation.
    func json(for principal: Principal) -> JSONValue {
        let runs = principal.isOperator ? runs : Int64(streams.count { $0.org == principal.org })
        return [
            "node": .string(node), "address": .string(address), "version": .string(version), "started_at": .integer(startedAt),
            "at": .integer(at), "draining": .bool(isDraining), "runs": .integer(runs),
            "sockets": principal.isOperator ? .integer(sockets) : .null, "problems": .array(problems.map { .string($0) }),
        ]
    }
}
