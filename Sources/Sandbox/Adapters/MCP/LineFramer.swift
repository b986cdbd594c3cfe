/// Cuts a stream of bytes into lines, without their ends. Any split of the bytes gives the same lines.
struct LineFramer: Sendable {
    struct TooLong: Error, Sendable, Hashable {}

    private let bytesMax: Int
    /// False: a line that is too long is cut, and its rest is dropped.
    private let isStrict: Bool
    private var line: [UInt8] = []

    init(bytesMax: Int, isStrict: Bool = true) {
        self.bytesMax = bytesMax
        self.isStrict = isStrict
    }

    /// Appends the lines that `bytes` completes; empty ones are left out.
    mutating func push(_ bytes: some Collection<UInt8>, into lines: inout [[UInt8]]) throws(TooLong) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            try extend(rest[..<end])
            rest = rest[rest.index(after: end)...]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if !line.isEmpty { lines.append(line) }
            line.removeAll(keepingCapacity: line.count < 64 << 10)
        }
        try extend(rest)
    }

    private mutating func extend(_ bytes: some Collection<UInt8>) throws(TooLong) {
        let room = bytesMax - line.count
        guard bytes.count > room else { return line.append(contentsOf: bytes) }
        guard !isStrict else { throw TooLong() }
        line.append(contentsOf: bytes.prefix(room))
    }
}
