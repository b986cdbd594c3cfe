/// Which master of a Redis Cluster has which of the 16,384 hash slots (Redis Cluster specification, *Keys distribution model*).
package struct RedisSlots: Sendable, Equatable {
    package static let count = 16_384

    /// Half-open, in no order.
    private var ranges: [(slots: Range<Int>, master: RedisURL.Address)] = []

    package static func == (left: RedisSlots, right: RedisSlots) -> Bool { left.ranges.elementsEqual(right.ranges, by: ==) }

    package init() {}

    /// Reads the answer to `CLUSTER SLOTS`; nil for what is none.
    ///
    /// - Parameter asked: the host that answered: a node that does not know its own address leaves it empty.
    package init?(_ value: RedisValue, asked: RedisURL.Address) {
        guard let entries = value.elements, entries.count <= Self.count else { return nil }
        for entry in entries {
            guard let parts = entry.elements, parts.count >= 3, let first = parts[0].number, let last = parts[1].number,
                let node = parts[2].elements, node.count >= 2, let port = node[1].number, (1...65_535).contains(port),
                0 <= first, first <= last, last < Self.count
            else { return nil }
            var host = node[0].string ?? ""
            if host.isEmpty || host == "?", case .tcp(let own, _) = asked { host = own }
            guard !host.isEmpty else { return nil }
            ranges.append((Int(first)..<Int(last) + 1, .tcp(host: host, port: Int(port))))
        }
    }

    package var masters: [RedisURL.Address] {
        var found: [RedisURL.Address] = []
        for range in ranges where !found.contains(range.master) { found.append(range.master) }
        return found
    }

    /// Nil while nobody has the slot.
    package func master(of slot: Int) -> RedisURL.Address? { ranges.first { $0.slots.contains(slot) }?.master }

    /// The slot of all keys that share the hash tag `{tag}`.
    package static func slot(tag: String) -> Int { Int(crc16(tag.utf8)) % count }

    /// CRC-16/XMODEM: polynomial 0x1021, start 0, not reflected.
    private static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes {
            crc ^= UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
        }
        return crc
    }
}
