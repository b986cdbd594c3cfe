/// A place in a trace, as it travels between servers (W3C Trace Context, level 1: `traceparent` and `tracestate`).
public struct TraceContext: Sendable, Hashable {
    /// What of `tracestate` is carried on: as much as the recommendation asks for. A longer one is dropped as a whole.
    static let stateBytesMax = 512

    /// Where the present task's work belongs; nil where nothing is traced. Requests to others carry it on.
    @TaskLocal public static var current: TraceContext?

    /// 16 bytes in network order: the upper and the lower half.
    public let traceHigh: UInt64
    public let traceLow: UInt64
    public let spanID: UInt64
    /// Whether the caller records its part.
    public let isSampled: Bool
    /// `tracestate` as it came; empty for none.
    public let state: String

    public init(traceHigh: UInt64, traceLow: UInt64, spanID: UInt64, isSampled: Bool, state: String = "") {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// Reads the headers of a request. Whoever sends something else is not joined, and hears nothing of it.
    ///
    /// - Parameter state: all `tracestate` headers, joined with commas.
    /// - Returns: nil for what is no `traceparent`.
    public init?(traceparent: String, state: String = "") {
        let bytes = Array(traceparent.utf8)
        // `vv-` 32 digits `-` 16 digits `-ff`; a later version may have more behind a dash.
        guard bytes.count >= 55, bytes.count <= 256, bytes[2] == Hex.dash, bytes[35] == Hex.dash, bytes[52] == Hex.dash,
            let version = Hex.value(bytes[0..<2]), version != 0xFF,
            version == 0 ? bytes.count == 55 : bytes.count == 55 || bytes[55] == Hex.dash,
            let high = Hex.value(bytes[3..<19]), let low = Hex.value(bytes[19..<35]), high != 0 || low != 0,
            let span = Hex.value(bytes[36..<52]), span != 0, let flags = Hex.value(bytes[53..<55])
        else { return nil }
        let isFine = state.utf8.count <= Self.stateBytesMax && state.utf8.allSatisfy { (0x20...0x7E).contains($0) }
        self.init(traceHigh: high, traceLow: low, spanID: span, isSampled: flags & 1 == 1, state: isFine ? state : "")
    }

    /// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    public var traceparent: String { "00-\(traceID)-\(Hex.text(spanID))-\(isSampled ? "01" : "00")" }

    /// 32 digits.
    public var traceID: String { Hex.text(traceHigh) + Hex.text(traceLow) }

    /// The headers of a request that belongs here.
    public var headers: [(name: String, value: String)] {
        state.isEmpty ? [("traceparent", traceparent)] : [("traceparent", traceparent), ("tracestate", state)]
    }
}

/// Lower-case hexadecimal digits, which is all that the recommendation allows.
enum Hex {
    static let dash = UInt8(ascii: "-")

    static func text(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }

    /// Nil of anything but digits.
    static func value(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}
