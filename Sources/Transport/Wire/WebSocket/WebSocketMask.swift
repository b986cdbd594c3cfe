/// The masking of RFC 6455 §5.3, eight bytes at a time.
struct WebSocketMask: Sendable, Equatable {
    /// The key's four bytes as they stand on the wire, twice, in memory order.
    private let word: UInt64

    /// - Parameter key: the four bytes in network order.
    init(key: UInt32) {
        let inMemory = UInt64(key.bigEndian)
        word = inMemory << 32 | inMemory
    }

    /// The mask as it applies from byte `offset` of the payload on.
    private func word(from offset: Int) -> UInt64 {
        let shift = UInt64(offset & 3) * 8
        #if _endian(big)
        return word << shift | word >> (64 &- shift)
        #else
        return word >> shift | word << (64 &- shift)
        #endif
    }

    /// Masks `bytes`, the first of which is byte `offset` of the payload, in place. Masking twice unmasks.
    func apply(to bytes: UnsafeMutableRawBufferPointer, offset: Int) {
        guard let base = bytes.baseAddress else { return }
        apply(from: UnsafeRawPointer(base), to: base, count: bytes.count, offset: offset)
    }

    /// Copies while masking. `source` and `target` are the same place or do not overlap.
    func apply(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int, offset: Int) {
        let mask = word(from: offset)
        var index = 0
        while index + 8 <= count {
            let masked = source.loadUnaligned(fromByteOffset: index, as: UInt64.self) ^ mask
            target.storeBytes(of: masked, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        guard index < count else { return }
        withUnsafeBytes(of: mask) { tail in
            var position = 0
            while index < count {
                let masked = source.load(fromByteOffset: index, as: UInt8.self) ^ tail[position]
                target.storeBytes(of: masked, toByteOffset: index, as: UInt8.self)
                index += 1
                position += 1
            }
        }
    }
}
