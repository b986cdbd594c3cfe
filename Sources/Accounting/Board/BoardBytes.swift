internal import Accounting

/// Texts and numbers one after the other.
struct BoardWriter {
    private(set) var bytes: [UInt8] = []

    mutating func number(_ value: Int64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func text(_ value: String?) {
        guard let value else { return number(-1) }
        number(Int64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }
}

/// Reads what ``BoardWriter`` wrote; nil where it did not.
struct BoardReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func number() -> Int64? {
        guard rest.count >= 8 else { return nil }
        defer { rest = rest.dropFirst(8) }
        return rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int64($1) }
    }

    /// Nil for bytes that are no text, `.some(nil)` for a text that there is not.
    mutating func text() -> String?? {
        guard let count = number() else { return nil }
        guard count >= 0 else { return .some(nil) }
        guard count <= rest.count, let text = String(validating: rest.prefix(Int(count)), as: UTF8.self) else { return nil }
        rest = rest.dropFirst(Int(count))
        return text
    }

    mutating func name() -> String? { text() ?? nil }
}

extension LeaseClaim {
    /// Without what was granted, which is progress.
    var boardBytes: [UInt8] {
        var writer = BoardWriter()
        let path = attribution.path
        for text in [
            lease.org.name, lease.id, path.project, path.user, path.key, attribution.run, attribution.model, attribution.priceVersion,
        ] {
            writer.text(text)
        }
        writer.number(Int64(self.path.count))
        for window in self.path {
            writer.text(window.key.text)
            for number in [window.cap, window.version, window.generation, window.start.rawValue, window.end.rawValue] {
                writer.number(number)
            }
        }
        return writer.bytes
    }

    init?(boardBytes: ArraySlice<UInt8>, granted: Amounts) {
        var reader = BoardReader(boardBytes)
        guard let org = reader.name().flatMap({ try? CounterSlot($0) }), let id = reader.name(), let project = reader.name(),
            let user = reader.text(),
            let key = reader.text(), let run = reader.name(), let model = reader.name(), let priceVersion = reader.name(),
            let count = reader.number(), (0...Int64(AccountingLimits.windowsPerPath)).contains(count),
            let path = try? TenancyPath(org: org.org, project: project, user: user, key: key)
        else { return nil }
        var windows: [WindowRef] = []
        for _ in 0..<count {
            guard let name = reader.name(), let window = WindowKey(name), let cap = reader.number(), let version = reader.number(),
                let generation = reader.number(), let start = reader.number(), let end = reader.number()
            else { return nil }
            windows.append(
                WindowRef(
                    key: window, cap: cap, version: version, generation: generation, start: Milliseconds(start), end: Milliseconds(end)))
        }
        self.init(
            lease: LeaseKey(org: org, id: id),
            attribution: Attribution(path: path, run: run, model: model, priceVersion: priceVersion), path: windows, granted: granted)
    }
}
