internal import RedisClient
internal import Transport

/// An entry of the stream, as Redis gives it. Its fields are hostile until decoded.
struct StreamEntry: Sendable, Hashable {
    let id: RecoveryOffset
    let fields: [String: String]

    init(id: RecoveryOffset, fields: [String: String]) {
        self.id = id
        self.fields = fields
    }

    /// `[id, [name, value, …]]`. A field that stands there twice counts once.
    init?(_ value: RedisValue) {
        guard let parts = value.elements, parts.count == 2, let id = parts[0].string.flatMap({ RecoveryOffset($0, .entry) }) else {
            return nil
        }
        // An entry that was deleted while it was read has none.
        let words = parts[1].elements ?? []
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) {
            guard let name = words[index].string, let text = words[index + 1].string else { continue }
            fields[name] = text
        }
        self.init(id: id, fields: fields)
    }

    /// The answer to XRANGE.
    static func list(_ value: RedisValue) -> [StreamEntry] { (value.elements ?? []).compactMap { StreamEntry($0) } }

    /// The answer to an XREAD of one stream: null when there was nothing.
    static func read(_ value: RedisValue) -> [StreamEntry] {
        guard let stream = value.elements?.first?.elements, stream.count == 2 else { return [] }
        return list(stream[1])
    }
}
