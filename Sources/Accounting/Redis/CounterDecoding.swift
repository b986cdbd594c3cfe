internal import Accounting
internal import RedisClient

/// What a function answered.
enum CounterAnswer {
    case reply(CounterReply)
    /// The lease has another path than the keys that were declared: call again with these.
    case otherPath([WindowKey])
    /// The lease counts in windows beside its path: call again with their keys, too.
    case lateWindows([WindowKey])
    /// Ids of leases that may be reaped.
    case due([String])
}

/// Reads the reply `{word, now, …}` of a function that was called with the windows of `path` as its keys.
struct CounterDecoder {
    let path: [WindowKey]

    /// - Throws: `.failed` for what is no answer of `Functions/functions.lua`.
    func decode(_ value: RedisValue) throws(CounterStoreError) -> (answer: CounterAnswer, now: Milliseconds) {
        guard let parts = value.elements, parts.count >= 2, let word = parts[0].string, let milliseconds = parts[1].number else {
            throw .failed("a counter function answered something else")
        }
        let now = Milliseconds(milliseconds)
        if let reply = Self.plain(word, now: now) { return (.reply(reply), now) }
        guard parts.count >= 3 else { throw .failed("a counter function answered too little") }
        switch word {
        case "path": return (.otherPath(try Self.path(parts[2])), now)
        case "late": return (.lateWindows(try Self.path(parts[2])), now)
        case "announced":
            guard let mark = parts[2].number ?? parts[2].string.flatMap({ Int64($0) }) else {
                throw .failed("an announcement without its mark")
            }
            return (.reply(.announced(mark: mark, now: now)), now)
        case "due": return (.due(parts[2].elements?.compactMap(\.string) ?? []), now)
        case "refused":
            guard let refusal = parts[2].string.flatMap(CounterRefusal.init(rawValue:)) else { throw .failed("an unknown refusal") }
            return (.reply(.refused(refusal)), now)
        case "reaped": return (.reply(.reaped(leases: Int(parts[2].number ?? 0), now: now)), now)
        case "missing":
            let missing = try (parts[2].elements ?? []).map { value throws(CounterStoreError) in try key(value) }
            return (.reply(.missing(missing, now: now)), now)
        default: return (.reply(try decided(word, parts, now: now)), now)
        }
    }

    private static func plain(_ word: String, now: Milliseconds) -> CounterReply? {
        switch word {
        case "rolled": .wrongSpan(now: now)
        case "fence": .staleFence
        case "sequence": .staleSequence
        case "suspended": .suspended
        case "unknown": .unknownLease
        case "done": .done(now: now)
        case "lost": .lost(now: now)
        default: nil
        }
    }

    /// The answers that carry the windows: `{word, now, detail, windows}`.
    private func decided(_ word: String, _ parts: [RedisValue], now: Milliseconds) throws(CounterStoreError) -> CounterReply {
        guard parts.count == 4, let list = parts[3].elements, list.count == path.count else {
            throw .failed("windows are missing in an answer")
        }
        var windows: [WindowSnapshot] = []
        for (key, value) in zip(path, list) {
            if let window = try Self.snapshot(key, value) { windows.append(window) }
        }
        switch word {
        case "granted":
            guard let offer = parts[2].number else { throw .failed("a grant without its offer") }
            return .granted(offer: Int(offer), windows: windows, now: now)
        case "denied":
            let shut = try key(parts[2])
            guard let window = windows.first(where: { $0.key == shut }) else { return .missing([shut], now: now) }
            return .denied(by: window, windows: windows, now: now)
        case "committed": return .committed(windows: windows, now: now)
        case "settled":
            guard let overrun = parts[2].string.flatMap({ Amounts($0) }) else { throw .failed("a settlement without its overrun") }
            return .settled(overrun: overrun, windows: windows, now: now)
        case "windows": return .windows(windows, now: now)
        default: throw .failed("an unknown answer")
        }
    }

    private func key(_ value: RedisValue) throws(CounterStoreError) -> WindowKey {
        guard let index = value.number, path.indices.contains(Int(index)) else { throw .failed("an answer names no window of the path") }
        return path[Int(index)]
    }

    private static func path(_ value: RedisValue) throws(CounterStoreError) -> [WindowKey] {
        var path: [WindowKey] = []
        for name in (value.string ?? "").split(separator: " ") {
            guard let key = WindowKey(String(name)) else { throw .failed("a lease names no window") }
            path.append(key)
        }
        return path
    }

    private static func snapshot(_ key: WindowKey, _ value: RedisValue) throws(CounterStoreError) -> WindowSnapshot? {
        guard let fields = value.elements else { return nil }
        let numbers = fields.compactMap(\.number)
        guard fields.count == 10, numbers.count == 10 else { throw .failed("a window has no numbers") }
        return WindowSnapshot(
            key: key, cap: numbers[0], used: numbers[1], held: numbers[2], suspense: numbers[3], end: Milliseconds(numbers[4]),
            released: numbers[5], unaccounted: numbers[6], turn: numbers[7], dryUntil: Milliseconds(numbers[8]),
            shutUntil: Milliseconds(numbers[9]))
    }
}

extension RedisFault {
    /// For the room that asks: was it not there, too busy, or wrong?
    var counterError: CounterStoreError {
        switch self {
        case .unreachable(let reason), .lost(let reason): .unreachable(reason)
        case .timeout: .unreachable("no reply in time")
        case .closed: .unreachable("the connection was closed")
        case .notCluster(let address): .unreachable("\(address) is no node of a cluster")
        case .overloaded: .overloaded
        case .commandTooLarge: .failed("a command is too large")
        case .malformed(let reason): .failed(reason)
        case .server(let error):
            switch error.code {
            // Not now: it loads its data, has lost its primary, or is held up.
            case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "READONLY", "NOREPLICAS", "BUSY", "TRYAGAIN", "ASK", "MOVED":
                .unreachable(error.code)
            default: .failed("\(error.code) \(error.message)")
            }
        }
    }
}
