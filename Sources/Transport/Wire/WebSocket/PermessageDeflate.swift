/// What a server will agree to of permessage-deflate (RFC 7692 §7.1).
public struct DeflatePolicy: Sendable, Hashable {
    /// Whether a message may be compressed with what earlier ones taught. Each direction that may costs a connection the memory of a
    /// window for its whole life: 256 KiB to compress, 32 KiB to expand. Without it one codec serves a whole event loop.
    public var serverTakesContextOver: Bool
    public var clientTakesContextOver: Bool
    /// The largest window that the server compresses with, as a power of two; from 9, because zlib has no raw window of 8.
    public let serverWindowBits: Int
    /// Bytes of payload below which a message leaves as it is: there the header of a block outweighs what is gained.
    public let threshold: Int

    /// - Parameters:
    ///   - serverWindowBits: from 9 to 15; what lies outside is taken as the nearest of them.
    ///   - threshold: bytes, from 0.
    public init(
        serverTakesContextOver: Bool = false, clientTakesContextOver: Bool = false, serverWindowBits: Int = 15, threshold: Int = 1_024
    ) {
        self.serverTakesContextOver = serverTakesContextOver
        self.clientTakesContextOver = clientTakesContextOver
        self.serverWindowBits = min(max(serverWindowBits, 9), 15)
        self.threshold = max(threshold, 0)
    }
}

/// What both sides have agreed on.
public struct DeflateAgreement: Sendable, Hashable {
    public let serverTakesContextOver: Bool
    public let clientTakesContextOver: Bool
    /// From 9 to 15.
    public let serverWindowBits: Int
    /// Set when the answer has to name the window, because the client did.
    let namesServerWindow: Bool

    /// The value of the answer's `Sec-WebSocket-Extensions`.
    ///
    /// `client_max_window_bits` is never in it: a window of 32 KiB expands whatever a client's smaller one has compressed.
    public var fieldValue: String {
        var text = "permessage-deflate"
        if !serverTakesContextOver { text += "; server_no_context_takeover" }
        if !clientTakesContextOver { text += "; client_no_context_takeover" }
        if namesServerWindow { text += "; server_max_window_bits=\(serverWindowBits)" }
        return text
    }

    /// The first offer that can be kept; nil when none can, and the connection then has no compression (§5.1).
    static func choose(among offers: [ExtensionOffer], under policy: DeflatePolicy) -> DeflateAgreement? {
        for offer in offers where offer.name == "permessage-deflate" {
            if let agreement = DeflateAgreement(offer, policy) { return agreement }
        }
        return nil
    }

    /// Nil for an offer with a parameter that is unknown, twice there or out of range (§7.1), and for a window of 8, which zlib lacks.
    private init?(_ offer: ExtensionOffer, _ policy: DeflatePolicy) {
        var names: Set<String> = []
        var (serverTakesOver, clientTakesOver) = (policy.serverTakesContextOver, policy.clientTakesContextOver)
        var window: Int?
        for (name, value) in offer.parameters {
            guard names.insert(name).inserted else { return nil }
            switch (name, value) {
            case ("server_no_context_takeover", nil): serverTakesOver = false
            case ("client_no_context_takeover", nil): clientTakesOver = false
            case ("server_max_window_bits", let value?):
                guard let bits = Self.windowBits(value), bits >= 9 else { return nil }
                window = min(bits, policy.serverWindowBits)
            case ("client_max_window_bits", nil): break
            case ("client_max_window_bits", let value?): guard Self.windowBits(value) != nil else { return nil }
            default: return nil
            }
        }
        serverTakesContextOver = serverTakesOver
        clientTakesContextOver = clientTakesOver
        serverWindowBits = window ?? policy.serverWindowBits
        namesServerWindow = window != nil
    }

    /// 8 to 15, without a leading zero (§7.1.2.1).
    private static func windowBits(_ text: String) -> Int? {
        guard let bits = Int(text), (8...15).contains(bits), String(bits) == text else { return nil }
        return bits
    }
}
