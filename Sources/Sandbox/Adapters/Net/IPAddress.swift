internal import Glibc

/// An IPv4 or IPv6 address, and whether the public internet is behind it.
struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// Where an address leads.
    enum Reach: Sendable, Hashable {
        case global
        /// This machine, its links, private networks, and networks that a carrier or a translator hides.
        case inside
        /// No host has it: unspecified, multicast, broadcast, documentation, reserved.
        case nowhere
    }

    /// 4 or 16 bytes in network order.
    let bytes: [UInt8]

    /// Nil unless there are 4 or 16.
    init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// A dotted quad of four decimal numbers, or an IPv6 address with or without brackets. The short and octal forms of IPv4 that
    /// some resolvers take are no addresses here: they go the way of names, and what they resolve to is looked at then.
    init?(_ text: String) {
        var text = text[...]
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        if text.contains(":") {
            var address = in6_addr()
            guard String(text).withCString({ inet_pton(AF_INET6, $0, &address) }) == 1 else { return nil }
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        } else {
            var address = in_addr()
            guard String(text).withCString({ inet_pton(AF_INET, $0, &address) }) == 1 else { return nil }
            bytes = withUnsafeBytes(of: &address) { Array($0) }
        }
    }

    var isV4: Bool { bytes.count == 4 }

    /// As `inet_ntop` writes it, without brackets.
    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = bytes.withUnsafeBytes {
            inet_ntop(isV4 ? AF_INET : AF_INET6, $0.baseAddress, &text, socklen_t(text.count))
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Source: the special-purpose address registries of IANA (RFC 6890 and its updates). Of IPv6 only what is allotted for global
    /// unicast (2000::/3) is global; an address that carries an IPv4 address leads where that one leads.
    var reach: Reach { isV4 ? Self.reach(v4: bytes[...]) : reachOfV6 }

    private static func reach(v4 bytes: ArraySlice<UInt8>) -> Reach {
        let value = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        func isIn(_ network: UInt32, _ bits: Int) -> Bool { (value ^ network) >> (32 - bits) == 0 }
        // 0/8, multicast, reserved and broadcast; then the three networks of documentation and the relay of 6to4.
        if isIn(0, 8) || isIn(0xE000_0000, 4) || isIn(0xF000_0000, 4) { return .nowhere }
        if isIn(0xC000_0200, 24) || isIn(0xC633_6400, 24) || isIn(0xCB00_7100, 24) || isIn(0xC058_6300, 24) { return .nowhere }
        // 10/8, 100.64/10, 127/8, 169.254/16, 172.16/12, 192.0.0/24, 192.168/16, 198.18/15.
        let inside: [(UInt32, Int)] = [
            (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8), (0xA9FE_0000, 16), (0xAC10_0000, 12), (0xC000_0000, 24),
            (0xC0A8_0000, 16), (0xC612_0000, 15),
        ]
        return inside.contains { isIn($0, $1) } ? .inside : .global
    }

    private var reachOfV6: Reach {
        let last = bytes[12...]
        func begins(_ prefix: UInt8...) -> Bool { bytes.starts(with: prefix) }
        if bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF { return Self.reach(v4: last) }
        if bytes[..<15].allSatisfy({ $0 == 0 }) { return bytes[15] == 1 ? .inside : .nowhere }
        // 64:ff9b::/96, the well-known prefix of translators; 64:ff9b:1::/48 is for local ones.
        if begins(0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0) { return Self.reach(v4: last) }
        if begins(0, 0x64, 0xFF, 0x9B, 0, 1) { return .inside }
        if bytes[0] & 0xFE == 0xFC { return .inside }
        if bytes[0] == 0xFE, bytes[1] & 0x80 == 0x80 { return .inside }
        guard bytes[0] & 0xE0 == 0x20 else { return .nowhere }
        // 2001::/23 (Teredo, ORCHID, benchmarks), documentation, and 6to4, whose IPv4 address follows the prefix.
        if bytes[0] == 0x20, bytes[1] == 0x01, bytes[2] < 2 { return .nowhere }
        if begins(0x20, 0x01, 0x0D, 0xB8) || (begins(0x3F, 0xFF) && bytes[2] < 0x10) { return .nowhere }
        if begins(0x20, 0x02) { return Self.reach(v4: bytes[2..<6]) }
        return .global
    }
}
