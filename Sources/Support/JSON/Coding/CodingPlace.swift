/// Where in a value a decoder or an encoder is. A list from the inside out: a step costs one allocation, and the whole path is
/// made only for those who ask.
indirect enum CodingPlace {
    case root
    case key(any CodingKey, in: CodingPlace)
    case index(Int, in: CodingPlace)

    var keys: [any CodingKey] {
        var keys: [any CodingKey] = []
        var place = self
        while true {
            switch place {
            case .root: return keys.reversed()
            case .key(let key, let outer):
                keys.append(key)
                place = outer
            case .index(let index, let outer):
                keys.append(PlainKey(index))
                place = outer
            }
        }
    }

    /// RFC 6901 §3.
    static func pointer(_ keys: [any CodingKey]) -> String {
        keys.map { "/" + escape($0.intValue.map(String.init) ?? $0.stringValue) }.joined()
    }

    static func escape(_ step: String) -> String {
        guard step.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return step }
        return step.reduce(into: "") { text, character in
            switch character {
            case "~": text += "~0"
            case "/": text += "~1"
            default: text.append(character)
            }
        }
    }
}

/// A key that is any text, or an index.
struct PlainKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ index: Int) {
        stringValue = String(index)
        intValue = index
    }

    init(stringValue: String) {
        self.stringValue = stringValue
        intValue = nil
    }

    init(intValue: Int) { self.init(intValue) }
}
