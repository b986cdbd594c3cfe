package import NIOCore

/// Base64 with the standard alphabet (RFC 4648 §4): padding is required and the unused bits of the last character
/// must be zero, so that every value has one text.
package enum Base64 {
    private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let invalid: UInt8 = 0x80

    /// Six bits by character; ``invalid`` for what is not of the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    package static func encodedLength(of count: Int) -> Int { (count + 2) / 3 * 4 }

    /// Nil unless `text` is canonical base64.
    package static func decode(_ text: ByteBuffer) -> ByteBuffer? {
        guard text.readableBytes > 0 else { return ByteBuffer() }
        guard text.readableBytes % 4 == 0 else { return nil }
        var output = ByteBufferAllocator().buffer(capacity: text.readableBytes / 4 * 3)
        let decoded = text.withUnsafeReadableBytes { source in
            values.withUnsafeBufferPointer { table -> Bool in
                var isValid = false
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: source.count / 4 * 3) { target in
                    let count = decode(source, table, into: target)
                    isValid = count != nil
                    return count ?? 0
                }
                return isValid
            }
        }
        return decoded ? output : nil
    }

    /// Bytes written, or nil. `source` is a positive multiple of four long and `target` has room for all of it.
    private static func decode(
        _ source: UnsafeRawBufferPointer, _ table: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let wholeEnd = source.count - 4
        var read = 0
        var written = 0
        // Invalid characters are gathered and looked at once: the loop has no branch but its end.
        var seen: UInt8 = 0
        while read < wholeEnd {
            let first = table[Int(source[read])]
            let second = table[Int(source[read + 1])]
            let third = table[Int(source[read + 2])]
            let fourth = table[Int(source[read + 3])]
            seen |= first | second | third | fourth
            target[written] = first << 2 | second >> 4
            target[written + 1] = second << 4 | third >> 2
            target[written + 2] = third << 6 | fourth
            read += 4
            written += 3
        }
        let padding = UInt8(ascii: "=")
        let first = table[Int(source[read])]
        let second = table[Int(source[read + 1])]
        seen |= first | second
        target[written] = first << 2 | second >> 4
        written += 1
        if source[read + 2] == padding {
            guard source[read + 3] == padding, second & 0x0F == 0 else { return nil }
        } else {
            let third = table[Int(source[read + 2])]
            seen |= third
            target[written] = second << 4 | third >> 2
            written += 1
            if source[read + 3] == padding {
                guard third & 0x03 == 0 else { return nil }
            } else {
                let fourth = table[Int(source[read + 3])]
                seen |= fourth
                target[written] = third << 6 | fourth
                written += 1
            }
        }
        return seen & invalid == 0 ? written : nil
    }

    package static func encode(_ data: ByteBuffer, into output: inout ByteBuffer) {
        let length = encodedLength(of: data.readableBytes)
        data.withUnsafeReadableBytes { source in
            alphabet.withUnsafeBufferPointer { table in
                _ = output.writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
                    encode(source, table, into: target)
                    return length
                }
            }
        }
    }

    private static func encode(
        _ source: UnsafeRawBufferPointer, _ table: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableRawBufferPointer
    ) {
        var read = 0
        var written = 0
        while read + 3 <= source.count {
            let first = source[read]
            let second = source[read + 1]
            let third = source[read + 2]
            target[written] = table[Int(first >> 2)]
            target[written + 1] = table[Int((first & 0x03) << 4 | second >> 4)]
            target[written + 2] = table[Int((second & 0x0F) << 2 | third >> 6)]
            target[written + 3] = table[Int(third & 0x3F)]
            read += 3
            written += 4
        }
        guard read < source.count else { return }
        let hasSecond = read + 1 < source.count
        let first = source[read]
        let second = hasSecond ? source[read + 1] : 0
        target[written] = table[Int(first >> 2)]
        target[written + 1] = table[Int((first & 0x03) << 4 | second >> 4)]
        target[written + 2] = hasSecond ? table[Int((second & 0x0F) << 2)] : UInt8(ascii: "=")
        target[written + 3] = UInt8(ascii: "=")
    }
}
