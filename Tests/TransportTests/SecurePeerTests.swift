import NIOCore
import Testing

@testable import Transport

@Suite("Which keys a node may prove, decided") struct KnownKeysTests {
    private static let keys = (old: [UInt8]("old".utf8), new: [UInt8]("new".utf8), other: [UInt8]("other".utf8))
    private let start = NIODeadline.uptimeNanoseconds(1)

    @Test("the own one, and no other") func own() {
        let known = KnownKeys(own: Self.keys.old)
        #expect(known.contains(Self.keys.old, at: start) && !known.contains(Self.keys.other, at: start) && !known.contains([], at: start))
    }

    @Test("the one before is believed for an hour, and the one before that no more") func before() {
        var known = KnownKeys(own: Self.keys.old)
        known.replace(by: Self.keys.new, at: start)
        #expect(known.contains(Self.keys.new, at: start) && known.contains(Self.keys.old, at: start + .minutes(59)))
        #expect(!known.contains(Self.keys.old, at: start + .minutes(60)))
        known.replace(by: Self.keys.other, at: start)
        #expect(known.contains(Self.keys.new, at: start) && !known.contains(Self.keys.old, at: start))
    }

    @Test("a certificate that was renewed with the same key changes nothing") func sameKey() {
        var known = KnownKeys(own: Self.keys.old)
        known.replace(by: Self.keys.new, at: start)
        known.replace(by: Self.keys.new, at: start + .minutes(1))
        #expect(known.contains(Self.keys.old, at: start + .minutes(59)) && !known.contains(Self.keys.old, at: start + .minutes(60)))
    }

    @Test("what the file holds is believed before it is shown, until it holds something else") func ahead() {
        var known = KnownKeys(own: Self.keys.old)
        known.saw(Self.keys.new)
        #expect(known.contains(Self.keys.new, at: start) && known.contains(Self.keys.old, at: start))
        known.saw(Self.keys.old)
        #expect(!known.contains(Self.keys.new, at: start))
        known.saw(Self.keys.new)
        known.replace(by: Self.keys.other, at: start)
        #expect(!known.contains(Self.keys.new, at: start))
    }
}

/// Whom a node with TLS believes to be of the cluster, with real handshakes.
@Suite("Nodes prove themselves to each other", .timeLimit(.minutes(2))) struct SecurePeerTests {
    @Test("a renewed certificate rolls over the nodes without a gap, and one that nobody was given does not") func renewal() async throws {
        let (old, new) = (try TestCertificate.first.get(), try TestCertificate.second.get())
        let file = Shared<[UInt8]>()
        file.set(old.certificate)
        let side = SecureNodes.Side(certificate: old, trust: .ownKey(renewed: { file.value }))
        try await SecureNodes.run(side, side) { nodes in
            #expect(try await SecureNodes.upgrades(nodes.first, through: nodes.second))
            file.set(new.certificate)
            try nodes.identities[0].replace(certificate: new.certificate, key: new.key)
            // One node shows the new one and knows the old one still; the other finds the new one in the file.
            #expect(try await SecureNodes.upgrades(nodes.first, through: nodes.second))
            #expect(try await SecureNodes.upgrades(nodes.second, through: nodes.first))
            try nodes.identities[1].replace(certificate: new.certificate, key: new.key)
            #expect(try await SecureNodes.upgrades(nodes.first, through: nodes.second))
            #expect(try await SecureNodes.upgrades(nodes.second, through: nodes.first))
            // The same key in another certificate.
            let signed = try TestCertificate.make("third")
            try nodes.identities[0].replace(certificate: signed.certificate, key: signed.key)
            #expect(try await !SecureNodes.upgrades(nodes.first, through: nodes.second))
            #expect(try await nodes.second.relayed("untrusted"))
        }
    }

    @Test("a file that cannot be read, or holds no certificate, makes nobody known", arguments: [nil, "", "-----BEGIN CERTIFICATE-----"])
    func badFile(_ text: String?) async throws {
        let (own, other) = (try TestCertificate.first.get(), try TestCertificate.second.get())
        let trust = PeerTrust.ownKey(renewed: { text.map { Array($0.utf8) } })
        try await SecureNodes.run(.init(certificate: other), .init(certificate: own, trust: trust)) { nodes async throws in
            #expect(try await !SecureNodes.upgrades(nodes.first, through: nodes.second))
            #expect(try await nodes.second.relayed("untrusted"))
        }
    }

    /// An authority, and whether a node with a certificate that it has signed for these names is believed at this host.
    @Test(
        "with authorities a certificate of theirs is needed, for the host that the node announces",
        arguments: [
            ("IP:127.0.0.1", "127.0.0.1", true), ("DNS:localhost", "localhost", true), ("DNS:localhost", "127.0.0.1", false),
            ("IP:127.0.0.2,DNS:node.example", "127.0.0.1", false), ("DNS:node.example", "localhost", false),
        ])
    func authorities(_ names: String, _ host: String, _ isBelieved: Bool) async throws {
        let authority = try TestCertificate.first.get()
        let trust = PeerTrust.roots(authority.certificate)
        let (one, two) = (try authority.signed(names), try authority.signed("IP:127.0.0.1"))
        try await SecureNodes.run(.init(certificate: one, host: host), .init(certificate: two, trust: trust)) { nodes async throws in
            #expect(try await SecureNodes.upgrades(nodes.first, through: nodes.second) == isBelieved)
            #expect(try await nodes.second.relayed(isBelieved ? "upgraded" : "untrusted"))
        }
    }

    @Test("another authority's certificate is not believed until that authority is taken") func otherAuthority() async throws {
        let (ours, theirs) = (try TestCertificate.first.get(), try TestCertificate.second.get())
        let (one, two) = (try theirs.signed("IP:127.0.0.1"), try ours.signed("IP:127.0.0.1"))
        let trust = PeerTrust.roots(ours.certificate)
        try await SecureNodes.run(.init(certificate: one), .init(certificate: two, trust: trust)) { nodes in
            #expect(try await !SecureNodes.upgrades(nodes.first, through: nodes.second))
            try nodes.identities[1].replace(
                certificate: two.certificate, key: two.key, roots: ours.certificate + theirs.certificate)
            #expect(try await SecureNodes.upgrades(nodes.first, through: nodes.second))
            #expect(throws: TLSIdentity.Fault.roots) {
                try nodes.identities[1].replace(certificate: two.certificate, key: two.key, roots: [])
            }
        }
    }
}
