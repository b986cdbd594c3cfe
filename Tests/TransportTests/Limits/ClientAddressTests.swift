import NIOCore
import Testing

@testable import Transport

@Suite("Attack 26: who a client is") struct ClientAddressTests {
    private func address(_ text: String) throws -> ClientAddress { try #require(ClientAddress(text), "\(text)") }

    @Test(
        "addresses are read in every form in which proxies write them, and written in one",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:4711", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::1", "::1"),
            ("[2001:db8::1]", "2001:db8::1"), ("[2001:db8::1]:4711", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ]
    ) func forms(_ text: String, _ written: String) throws {
        #expect("\(try address(text))" == written)
    }

    @Test(
        "what is no address is none",
        arguments: [
            "", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "999.1.1.1", "[::1", "::g", "1.2.3.4:", "localhost",
            String(repeating: "1", count: 200),
        ]
    ) func noForms(_ text: String) {
        // The port behind an IPv4 address is nobody's business.
        #expect(text == "1.2.3.4:" || ClientAddress(text) == nil)
    }

    @Test("a connection's address is the same as its text") func sockets() throws {
        for text in ["192.0.2.1", "2001:db8::1"] {
            #expect(ClientAddress(try SocketAddress(ipAddress: text, port: 1)) == (try address(text)))
        }
        #expect(ClientAddress(try SocketAddress(unixDomainSocketPath: "/x")) == nil)
        #expect(ClientAddress(nil) == nil)
    }

    @Test("attack 26: IPv6 counts by its /64, IPv4 by the address, and the machine's own are known") func counted() throws {
        #expect(try address("2001:db8:1:2:3:4:5:6").counted == address("2001:db8:1:2::").counted)
        #expect(try address("2001:db8:1:3::").counted != address("2001:db8:1:2::").counted)
        #expect(try address("192.0.2.1").counted != address("192.0.2.2").counted)
        #expect(try address("127.8.9.1").isLoopback && address("::1").counted.isLoopback && address("::ffff:127.0.0.1").isLoopback)
        #expect(try !address("128.0.0.1").isLoopback && !address("::2").isLoopback && !address("7f00::1").isLoopback)
    }

    @Test("blocks hold what begins like them") func blocks() throws {
        for (block, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"), ("192.0.2.7", "192.0.2.7", "192.0.2.6"), ("fd00::/8", "fdff::1", "fe00::1"),
            ("2001:db8::/64", "2001:db8::ffff", "2001:db8:0:1::"), ("2001:db8::/65", "2001:db8::7fff:0:0:1", "2001:db8::8000:0:0:1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"), ("::1", "::1", "::2"), ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
        ] {
            let block = try AddressBlock(block)
            let (isIn, isOut) = (block.contains(try address(inside)), !block.contains(try address(outside)))
            #expect(isIn && isOut, "\(block)")
        }
        #expect(try AddressBlock("::/0").contains(address("192.0.2.1")))
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "proxy", "/8"] {
            #expect(throws: TransportConfigurationError.self, "\(text)") { try AddressBlock(text) }
        }
    }

    @Test("attack 26: X-Forwarded-For is believed as far as trusted proxies have written it, and nobody is trusted unless named")
    func forwarded() throws {
        let proxies = [try AddressBlock("10.0.0.0/8"), try AddressBlock("::1")]
        func client(_ peer: String, _ fields: [String], _ proxies: [AddressBlock]) throws -> String {
            "\(proxies.client(of: try address(peer), forwarded: fields))"
        }
        #expect(try client("10.0.0.1", ["192.0.2.1"], []) == "10.0.0.1")
        #expect(try client("192.0.2.9", ["192.0.2.1"], proxies) == "192.0.2.9")
        #expect(try client("10.0.0.1", ["192.0.2.1"], proxies) == "192.0.2.1")
        // What stands before the client's own was written by the client.
        #expect(try client("10.0.0.1", ["198.51.100.7, 192.0.2.1"], proxies) == "192.0.2.1")
        #expect(try client("10.0.0.1", ["10.9.9.9, 192.0.2.1 ,10.0.0.2"], proxies) == "192.0.2.1")
        #expect(try client("10.0.0.1", ["198.51.100.7", "192.0.2.1, 10.0.0.2"], proxies) == "192.0.2.1")
        #expect(try client("::1", ["[2001:db8::1]:99"], proxies) == "2001:db8::1")
        // A chain of proxies alone, none at all, and rubbish: the last that is known.
        #expect(try client("10.0.0.1", ["10.0.0.3, 10.0.0.2"], proxies) == "10.0.0.3")
        #expect(try client("10.0.0.1", [], proxies) == "10.0.0.1")
        #expect(try client("10.0.0.1", ["192.0.2.1, unknown"], proxies) == "10.0.0.1")
        #expect(try client("10.0.0.1", ["192.0.2.1,"], proxies) == "192.0.2.1")
        // A header full of our own names is not followed for ever.
        #expect(try client("10.0.0.1", [Array(repeating: "10.0.0.2", count: 5_000).joined(separator: ",")], proxies) == "10.0.0.2")
    }
}
