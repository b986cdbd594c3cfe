internal import NIOCore

/// The keys that a node of the cluster may prove, where all nodes show one certificate: this node's own; for a while the one before it, which
/// others still show; and the one that was last seen in the file, which others show already. Pure.
///
/// Keys are public: SubjectPublicKeyInfo, compared as bytes.
struct KnownKeys {
    private var own: [UInt8]
    private var before: (key: [UInt8], until: NIODeadline)?
    private var ahead: [UInt8]?

    init(own: [UInt8]) { self.own = own }

    func contains(_ key: [UInt8], at now: NIODeadline) -> Bool {
        if key == own || key == ahead { return true }
        guard let before else { return false }
        return key == before.key && now < before.until
    }

    /// This node shows another certificate from now on.
    mutating func replace(by key: [UInt8], at now: NIODeadline) {
        ahead = nil
        guard key != own else { return }
        before = (own, now + RelayLimits.keyBefore)
        own = key
    }

    /// The file has been read again. Whoever may write it may have any key taken, with the private key's file.
    mutating func saw(_ key: [UInt8]) { ahead = key == own ? nil : key }
}
