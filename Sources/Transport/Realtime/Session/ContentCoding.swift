internal import Deflate
package import NIOCore

/// How the body of an answer is compressed: a poll's (E24), or one of the router's (RFC 9110 §8.4.1).
///
/// A page of another origin that can make a victim's browser send text of its choosing, and that can see the length of
/// what comes back compressed, can guess what else is in it (BREACH). Here the origin policy refuses such a page, and a
/// session's answers are not provoked by a cookie alone. An application that has secrets and attacker's text in one answer,
/// and allows foreign origins, turns compression off.
package enum ContentCoding: String, Sendable, CaseIterable {
    case gzip
    case deflate

    /// The one that the client prefers; `gzip` among equals. Nil when it asks for neither (RFC 9110 §12.5.3).
    package init?(acceptEncoding values: [String]) {
        var weights: (gzip: Int?, deflate: Int?, any: Int?) = (nil, nil, nil)
        for value in values {
            for item in value.utf8.split(separator: UInt8(ascii: ",")) {
                let parts = item.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).map { Substring(ASCII.trimmed($0)) }
                let weight = Self.weight(parts.dropFirst())
                if ASCII.equal(parts[0], "gzip") || ASCII.equal(parts[0], "x-gzip") {
                    weights.gzip = weight
                } else if ASCII.equal(parts[0], "deflate") {
                    weights.deflate = weight
                } else if parts[0] == "*" {
                    weights.any = weight
                }
            }
        }
        let gzip = weights.gzip ?? weights.any ?? 0
        let deflate = weights.deflate ?? weights.any ?? 0
        guard max(gzip, deflate) > 0 else { return nil }
        self = gzip >= deflate ? .gzip : .deflate
    }

    /// The weight in thousandths; one that is not written as RFC 9110 §12.4.2 has it counts as zero.
    private static func weight(_ parameters: ArraySlice<Substring>) -> Int {
        guard let parameter = parameters.first else { return 1_000 }
        var bytes = parameter.utf8[...]
        guard parameters.count == 1, let name = bytes.popFirst(), name | 0x20 == UInt8(ascii: "q"), bytes.popFirst() == UInt8(ascii: "="),
            let whole = bytes.popFirst(), whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1")
        else { return 0 }
        var weight = whole == UInt8(ascii: "1") ? 1_000 : 0
        guard let point = bytes.popFirst() else { return weight }
        guard point == UInt8(ascii: "."), bytes.count <= 3 else { return 0 }
        var place = 100
        for digit in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return 0 }
            weight += Int(digit - UInt8(ascii: "0")) * place
            place /= 10
        }
        return weight <= 1_000 ? weight : 0
    }

    /// Nil when compressing would not make `body` shorter.
    package func compress(_ body: ByteBuffer) -> ByteBuffer? {
        var output = ByteBufferAllocator().buffer(capacity: body.readableBytes)
        let container: Deflate.Container = self == .gzip ? .gzip : .zlib
        let written = body.withUnsafeReadableBytes { source in
            var written: Int?
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count) { target in
                // As long as the body and no longer: what does not fit gains nothing.
                written = Deflate.compress(source, container, into: UnsafeMutableRawBufferPointer(rebasing: target.prefix(source.count)))
                return written ?? 0
            }
            return written
        }
        return written == nil ? nil : output
    }
}
