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

    /// Organisations without a place of their own; in text the empty name, which none has.
    static let rest: OrgID? = nil

    /// By organisation and by the number of the minute since 1970.
    private(set) var orgs: [OrgID?: [Int64: Minute]] = [:]

    static func minute(_ now: Int64) -> Int64 { now / 60_000 }

    mutating func change(_ org: OrgID, now: Int64, _ body: (inout Minute) -> Void) {
        makePlace(for: org)
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

    private mutating func makePlace(for org: OrgID) {
        guard orgs[org] == nil, orgs.count >= LiveLimits.orgs else { return }
        // Whoever has been quiet for the longest time gives way.
        let named = orgs.compactMap { org, minutes in org.map { (last: minutes.keys.max() ?? 0, org: $0) } }
        if let quiet = named.min(by: { $0 < $1 }) { fold(quiet.org) }
    }

    private mutating func fold(_ org: OrgID) {
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
    func line(_ org: OrgID?, now: Int64) -> [Minute] {
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
                orgs.map { ($0.key?.text ?? "", $0.value) }.sorted { $0.0 < $1.0 }.map { org, minutes in
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
            guard let org = OrgID.named(member.key) else { continue }
            for row in (member.value.arrayValue ?? []).prefix(LiveLimits.minutes + 2) {
                let numbers = (row.arrayValue ?? []).compactMap(\.integerValue)
                guard numbers.count >= 7 else { continue }
                orgs[org, default: [:]][numbers[0]] = Minute(
                    runs: numbers[1], tokens: numbers[2], cost: numbers[3], cuts: numbers[4], allowed: numbers[5], denied: numbers[6])
            }
        }
    }
}

extension OrgID {
    /// A member of a report: ``MinuteBook/rest`` for the empty name, nothing for what is no name.
    static func named(_ text: String) -> OrgID?? {
        if text.isEmpty { return .some(MinuteBook.rest) }
        return (try? OrgID(text)).map { .some($0) }
    }
}

extension LiveLimits {
    static var minutes64: Int64 { Int64(minutes) }
}
