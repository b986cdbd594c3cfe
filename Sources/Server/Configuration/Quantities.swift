/// Settings with a unit: the text must carry it, so that nobody has to guess seconds or milliseconds.
extension SettingsSection {
    func string(_ key: String, default fallback: String) throws(ConfigurationError) -> String {
        try value(key)?.text ?? fallback
    }

    func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        guard let value = try value(key) else { return fallback }
        guard let number = Int(value.text), range.contains(number) else {
            throw value.failure("must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func flag(_ key: String, default fallback: Bool) throws(ConfigurationError) -> Bool {
        guard let value = try value(key) else { return fallback }
        switch value.text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: throw value.failure("must be true or false")
        }
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, default fallback: Choice) throws(ConfigurationError) -> Choice
    where Choice.RawValue == String {
        guard let value = try value(key) else { return fallback }
        guard let choice = Choice(rawValue: value.text) else {
            throw value.failure("must be one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    /// A length of time such as `500ms`, `25s`, `2m`, `1h`.
    func duration(_ key: String, default fallback: Duration, in range: ClosedRange<Duration>) throws(ConfigurationError) -> Duration {
        guard let value = try value(key) else { return fallback }
        let units: [(String, Int64)] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)]
        for (suffix, milliseconds) in units where value.text.hasSuffix(suffix) {
            guard let number = Int64(value.text.dropLast(suffix.count).trimmingSpaces), number >= 0, number <= 1_000_000_000 else {
                continue
            }
            let duration = Duration.milliseconds(number * milliseconds)
            guard range.contains(duration) else { throw value.failure("must be from \(range.lowerBound) to \(range.upperBound)") }
            return duration
        }
        throw value.failure("must be a duration such as 500ms, 25s or 2m")
    }

    /// A number of bytes such as `65536`, `1MB` (10^6) or `1MiB` (2^20).
    func bytes(_ key: String, default fallback: Int, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        guard let value = try value(key) else { return fallback }
        let units: [(String, Int)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1_000), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000),
            ("B", 1), ("", 1),
        ]
        for (suffix, factor) in units where value.text.hasSuffix(suffix) {
            guard let number = Int(value.text.dropLast(suffix.count).trimmingSpaces), number >= 0, number <= 1 << 32 else { continue }
            let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
            guard !overflow, range.contains(bytes) else {
                throw value.failure("must be from \(range.lowerBound) to \(range.upperBound) bytes")
            }
            return bytes
        }
        throw value.failure("must be a size such as 65536, 1MB or 1MiB")
    }

    /// A setting of the documented configuration that this version does not honour. Ignoring it would let an operator
    /// believe in a protection that is not there, so any value but the harmless one is refused.
    func refuseUnlessDefault(_ key: String, harmless: Set<String>, because reason: String) throws(ConfigurationError) {
        guard let value = try value(key), !harmless.contains(value.text) else { return }
        throw value.failure("is not available in this version: \(reason)")
    }
}

extension StringProtocol {
    /// Without leading and trailing blanks.
    var trimmingSpaces: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
