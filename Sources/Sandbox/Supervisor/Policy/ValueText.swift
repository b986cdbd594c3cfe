internal import Cedar

extension Value {
    /// As a person reads it in an explanation: sets and records in one order, all of it bounded.
    var shown: String { SafeText.bounded(text(bytesMax: PolicyLimits.shownBytesMax), bytesMax: PolicyLimits.shownBytesMax) }

    private func text(bytesMax: Int) -> String {
        switch self {
        case .bool(let flag): flag ? "true" : "false"
        case .long(let integer): String(integer)
        case .string(let text): Self.quoted(text.string)
        case .entity(let uid): uid.description
        case .decimal(let decimal): decimal.text
        case .datetime(let moment): UTCText.text(moment.milliseconds)
        case .duration(let duration): "\(duration.milliseconds)ms"
        case .ip: "an address"
        case .set(let elements): Self.list(elements.values.map { $0.text(bytesMax: bytesMax) }.sorted(), "[", "]", bytesMax)
        case .record(let record):
            Self.list(
                record.fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.text(bytesMax: bytesMax))" }, "{", "}", bytesMax)
        }
    }

    private static func list(_ parts: [String], _ open: String, _ close: String, _ bytesMax: Int) -> String {
        var text = open
        for (number, part) in parts.enumerated() {
            guard text.utf8.count + part.utf8.count <= bytesMax else { return "\(text), … \(parts.count - number) more\(close)" }
            text += number == 0 ? part : ", \(part)"
        }
        return text + close
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: quoted += "\\u{\(String(scalar.value, radix: 16))}"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
