internal import Accounting
internal import JSON

/// What happened in each of the last sixty minutes, for each organisation. A value.
///
/// Bounded: of ``LiveLimits/orgs`` organisations; what others did is counted under ``rest``, so that sums over all are right.
struct MinuteBook: Sendable, Hashable {
    struct Minute: Sendable, Hashable {
        /// The most that ran at once.
        var runs: Int64 = 0
        /// Output tokens.
        var tokens: Int64 = 0
        /// nano-USD.
        var cost: Int64 = 0
        var cuts: Int64 = 0
        var allowed: Int64 = 0
        var denied: Int64 = 0

        static func + (left: Minute, right: Minute) -> Minute {
            Minute(
                runs: left.runs + right.runs, tokens: left.tokens + right.tokens, cost: left.cost + right.cost,
                cuts: left.cuts + right.cuts, allowed: left.allowed + right.allowed, denied: left.denied + right.denied)
        }
    }

    /// Organisations without a place of their own. No organisation has this name.
    static let rest = ""

    /// By organisation and by the number of the minute since 1970.
    private(set) var orgs: [String: [Int64: Minute]] = [:]

    static func minute(_ now: Int64) -> Int64 { now / 60_000 }

    mutating func change(_ org: String, now: Int64, _ body: (inout Minute) -> Void) {
        let org = place(of: org)
        let minute = Self.minute(now)
        body(&orgs[org, default: [:]][minute, default: Minute()])
        // One more than is shown: the minutes of two servers do not begin at the same moment.
        if let minutes = orgs[org], minutes.count > LiveLimits.minutes + 1 {
            orgs[org] = minutes.filter { $0.key > minute - LiveLimits.minutes64 }
        }
    }

    /// Forgets what is older than an hour.
    mutating func prune(now: Int64) {
        let oldest = Self.minute(now) - LiveLimits.minutes64
        orgs = orgs.mapValues { $0.filter { $0.key > oldest } }.filter { !$0.value.isEmpty }
    }

    private mutating func place(of org: String) -> String {
        guard orgs[org] == nil, orgs.count >= LiveLimits.orgs else { return org }
        // Whoever has been quiet for the longest time gives way.
        let quiet = orgs.filter { $0.key != Self.rest }.min { ($0.value.keys.max() ?? 0, $0.key) < ($1.value.keys.max() ?? 0, $1.key) }
        if let quiet { fold(quiet.key) }
        return org
    }

    private mutating func fold(_ org: String) {
        guard let minutes = orgs.removeValue(forKey: org) else { return }
        orgs[Self.rest, default: [:]].merge(minutes) { $0 + $1 }
    }

    /// Adds what another server has counted.
    mutating func merge(_ other: MinuteBook) {
        for (org, minutes) in other.orgs { orgs[org, default: [:]].merge(minutes) { $0 + $1 } }
    }

    /// The last sixty minutes, oldest first, the running one last.
    ///
    /// - Parameter org: nil for all together.
    func line(_ org: String?, now: Int64) -> [Minute] {
        let books = org.map { orgs[$0].map { [$0] } ?? [] } ?? Array(orgs.values)
        let last = Self.minute(now)
        return (last - LiveLimits.minutes64 + 1...last).map { minute in
            books.reduce(Minute()) { sum, book in book[minute].map { sum + $0 } ?? sum }
        }
    }

    /// `{org: [[minute, runs, tokens, nano-USD, cuts, allowed, denied], …]}`.
    var json: JSONValue {
        .object(
            JSONObject(
                orgs.sorted { $0.key < $1.key }.map { org, minutes in
                    (
                        org,
                        .array(
                            minutes.sorted { $0.key < $1.key }.map { minute, one in
                                .array([minute, one.runs, one.tokens, one.cost, one.cuts, one.allowed, one.denied].map { .integer($0) })
                            })
                    )
                }))
    }

    init() {}

    /// What is not as we write it is left out.
    init(_ json: JSONValue?) {
        for member in (json?.objectValue?.members ?? []).prefix(LiveLimits.orgs + 1) {
            for row in (member.value.arrayValue ?? []).prefix(LiveLimits.minutes + 2) {
                let numbers = (row.arrayValue ?? []).compactMap(\.integerValue)
                guard numbers.count >= 7 else { continue }
                orgs[member.key, default: [:]][numbers[0]] = Minute(
                    runs: numbers[1], tokens: numbers[2], cost: numbers[3], cuts: numbers[4], allowed: numbers[5], denied: numbers[6])
            }
        }
    }
}

extension LiveLimits {
    static var minutes64: Int64 { Int64(minutes) }
}
