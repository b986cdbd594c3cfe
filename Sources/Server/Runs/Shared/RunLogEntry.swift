internal import Engine
internal import RedisClient

/// One entry of a shared log: an event, or a part of one.
struct RunLogEntry: Sendable, Hashable {
    /// The field's name of the last part of an event (of nearly all: its only one), and of those before it.
    static let whole = "e"
    static let part = "p"

    /// `<seq>-<part>`.
    let id: String
    let isLast: Bool
    let text: [UInt8]

    /// The event in parts of at most `bytesMax` each, that are cut between characters: Redis' replies are read as text.
    static func entries(of event: SharedEvent, bytesMax: Int = RunLogLimits.partBytes) -> [RunLogEntry] {
        let bytes = event.jsonBytes
        var entries: [RunLogEntry] = []
        var start = 0
        repeat {
            var end = min(start + bytesMax, bytes.count)
            while end < bytes.count, end > start + 1, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            entries.append(
                RunLogEntry(id: "\(event.seq)-\(entries.count)", isLast: end == bytes.count, text: Array(bytes[start..<end])))
            start = end
        } while start < bytes.count
        return entries
    }

    /// - Parameter onlyIfKept: a log that is not there any more is not begun anew.
    func command(_ key: String, onlyIfKept: Bool = false) -> RedisCommand {
        var command = onlyIfKept ? RedisCommand("XADD", key, "NOMKSTREAM", id) : RedisCommand("XADD", key, id)
        command.append(isLast ? Self.whole : Self.part)
        command.append(text)
        return command
    }

    /// What an XADD was answered: the entry stands there. It does also when it was there already, because an answer was lost.
    static func stands(_ result: Result<RedisValue, RedisFault>) -> Bool {
        switch result {
        case .success: true
        case .failure(.server(let error)): error.message.contains("equal or smaller")
        case .failure: false
        }
    }
}

extension SharedLogReader {
    /// An entry as XRANGE and XREAD answer it.
    mutating func take(_ value: RedisValue) -> SharedEvent? {
        guard let pair = value.elements, pair.count == 2, let id = pair[0].string, let fields = pair[1].elements, fields.count == 2,
            let name = fields[0].string, let text = fields[1].string
        else { return nil }
        return take(id: id, text: text.utf8, isLast: name == RunLogEntry.whole)
    }
}
