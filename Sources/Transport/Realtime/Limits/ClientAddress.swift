internal import NIOCore

/// An IP address as a number: 128 bits, those of IPv4 in the form `::ffff:a.b.c.d`.
///
/// Limits count IPv6 by its /64, which is the least that one customer of a provider has: whoever has one has 2^64 addresses.
struct ClientAddress: Sendable, Hashable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    private init(v4 bits: UInt32) { self.init(high: 0, low: 0xFFFF << 32 | UInt64(bits)) }

    init?(_ address: SocketAddress?) {
        guard let address else { return nil }
        switch address {
        case .v4: self.init(v4: UInt32(bigEndian: Self.load(address, offset: 4)))
        case .v6: self.init(high: UInt64(bigEndian: Self.load(address, offset: 8)), low: UInt64(bigEndian: Self.load(address, offset: 16)))
        case .unixDomainSocket: return nil
        }
    }

    /// Of both kinds of `sockaddr` the address stands behind family and port, and of IPv6's behind the flow as well.
    private static func load<Number: BitwiseCopyable>(_ address: SocketAddress, offset: Int) -> Number {
        address.withSockAddr { pointer, _ in UnsafeRawPointer(pointer).loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    /// - Parameter text: an address, also as proxies write it: `10.0.0.1:5000`, `[::1]:5000`, `::1%eth0`.
    init?(_ text: some StringProtocol) {
        // The longest is an IPv6 address with an IPv4 one in it, in brackets, with a zone and a port.
        guard text.utf8.count <= 96 else { return nil }
        var text = Substring(text)
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            text = text[text.index(after: text.startIndex)..<end]
        } else if text.contains("."), let colon = text.lastIndex(of: ":"), text.firstIndex(of: ":") == colon {
            text = text[..<colon]
        }
        if let zone = text.firstIndex(of: "%") { text = text[..<zone] }
        guard let address = try? SocketAddress(ipAddress: String(text), port: 0) else { return nil }
        self.init(address)
    }

    var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    var isLoopback: Bool { isIPv4 ? low >> 24 & 0xFF == 127 : high == 0 && low == 1 }

    /// Who a limit counts: the address, or the /64 of IPv6.
    var counted: ClientAddress { isIPv4 || isLoopback ? self : ClientAddress(high: high, low: 0) }
}

extension ClientAddress: CustomStringConvertible {
    var description: String {
        if isIPv4 { return (0..<4).map { String(low >> (24 - 8 * $0) & 0xFF) }.joined(separator: ".") }
        var bytes = ByteBuffer()
        bytes.writeMultipleIntegers(high, low)
        return (try? SocketAddress(packedIPAddress: bytes, port: 0))?.ipAddress ?? ""
    }
}

/// Addresses with the same beginning: `10.0.0.0/8`, `fd00::/8`, or one address.
public struct AddressBlock: Sendable, Hashable {
    private let first: ClientAddress
    /// Of 128.
    private let bits: Int

    /// - Throws: ``TransportConfigurationError`` when the text is neither an address nor a block.
    public init(_ text: String) throws(TransportConfigurationError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let error = TransportConfigurationError(
            setting: "trustedProxies", reason: "must be addresses or blocks of them, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8")
        guard let address = try? SocketAddress(ipAddress: String(parts[0]), port: 0), let first = ClientAddress(address) else {
            throw error
        }
        let widest = first.isIPv4 ? 32 : 128
        var length = widest
        if parts.count == 2 {
            guard let named = Int(parts[1]), (0...widest).contains(named) else { throw error }
            length = named
        }
        self.first = first
        bits = 128 - widest + length
    }

    func contains(_ address: ClientAddress) -> Bool {
        let high = bits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(bits))
        let low = bits <= 64 ? 0 : bits == 128 ? UInt64.max : ~(UInt64.max >> UInt64(bits - 64))
        return (address.high ^ first.high) & high == 0 && (address.low ^ first.low) & low == 0
    }
}

extension [AddressBlock] {
    /// Proxies in a row before the server. More is no installation, and each is parsed.
    private static var hopsMax: Int { 16 }

    /// Who asks, when these are the proxies that may say for whom: the last address of `X-Forwarded-For` that none of them has. A
    /// client can put any addresses before its own, and none after it.
    ///
    /// - Parameters:
    ///   - peer: the other end of the connection.
    ///   - forwarded: the field's values, in order.
    func client(of peer: ClientAddress, forwarded: @autoclosure () -> [String]) -> ClientAddress {
        guard !isEmpty, contains(where: { $0.contains(peer) }) else { return peer }
        var client = peer
        var hops = 0
        for value in forwarded().reversed() {
            for entry in value.utf8.split(separator: UInt8(ascii: ",")).reversed() {
                hops += 1
                // What cannot be read was not written by a proxy: the one that passed it on is who asks.
                guard hops <= Self.hopsMax, let address = ClientAddress(Substring(ASCII.trimmed(entry))) else { return client }
                client = address
                guard contains(where: { $0.contains(address) }) else { return client }
            }
        }
        return client
    }
}
