import Testing

@testable import SupervisorAdapters

@Suite("Addresses and hosts")
struct AddressTests {
    @Test(
        "addresses inside our networks, however they are written, are told from global ones",
        arguments: [
            ("127.0.0.1", "inside"), ("10.1.2.3", "inside"), ("172.16.0.1", "inside"), ("172.31.255.255", "inside"),
            ("172.32.0.1", "global"), ("192.168.0.1", "inside"), ("169.254.169.254", "inside"), ("100.64.0.1", "inside"),
            ("100.127.255.255", "inside"), ("100.128.0.1", "global"), ("198.18.0.1", "inside"), ("192.0.0.8", "inside"),
            ("0.0.0.0", "nowhere"), ("224.0.0.1", "nowhere"), ("255.255.255.255", "nowhere"), ("240.0.0.1", "nowhere"),
            ("192.0.2.1", "nowhere"), ("8.8.8.8", "global"), ("::1", "inside"), ("::", "nowhere"), ("::ffff:127.0.0.1", "inside"),
            ("::ffff:8.8.8.8", "global"), ("::127.0.0.1", "nowhere"), ("64:ff9b::10.0.0.1", "inside"),
            ("64:ff9b::8.8.8.8", "global"), ("64:ff9b:1::1", "inside"), ("fc00::1", "inside"), ("fdff::1", "inside"),
            ("fe80::1", "inside"), ("fec0::1", "inside"), ("ff02::1", "nowhere"), ("2001:db8::1", "nowhere"), ("2001::1", "nowhere"),
            ("2002:7f00:1::1", "inside"), ("2002:808:808::1", "global"), ("100::1", "nowhere"), ("2606:4700::1111", "global"),
        ])
    func reach(text: String, expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect("\(address.reach)" == expected)
        #expect(IPAddress(address.description) == address)
    }

    @Test(
        "forms that resolvers take and people misread are no addresses",
        arguments: ["127.1", "0x7f.0.0.1", "2130706433", "1.2.3", "", "::g"])
    func notAddresses(text: String) { #expect(IPAddress(text) == nil) }

    @Test(
        "an address with a user, blanks, other schemes or a strange host is refused",
        arguments: [
            "ftp://a/", "http://u@a/", "http://a b/", "http://a\\b/", "http:///x", "http://a:0/", "http://a:70000/", "http://a:/", "//a/",
            "http://[::1/", "http://[127.0.0.1]/", "http://bücher/", "http://a%2eb/", "http://[::1]x/", "javascript:alert(1)",
        ])
    func malformed(text: String) { #expect(WebURL(text) == nil) }

    @Test("an address is taken apart and put together again")
    func parts() throws {
        let url = try #require(WebURL("HTTPS://API.Example.com/a/b?c=d#e"))
        #expect(url.description == "https://api.example.com/a/b?c=d")
        #expect(url.port == 443)
        #expect(WebURL("http://[::1]:81")?.description == "http://[::1]:81/")
        #expect(WebURL("http://a?x=1")?.description == "http://a/?x=1")
    }

    @Test(
        "a redirect's address is resolved against where it came from",
        arguments: [
            ("/x", "https://a.test:8443/x"), ("y?z", "https://a.test:8443/b/y?z"), ("?q", "https://a.test:8443/b/c?q"),
            ("//b.test/x", "https://b.test/x"), ("http://c.test", "http://c.test/"), ("#f", "https://a.test:8443/b/c?d"),
        ])
    func resolving(location: String, expected: String) throws {
        let base = try #require(WebURL("https://a.test:8443/b/c?d"))
        #expect(base.resolving(location)?.description == expected)
    }

    @Test("only exact hosts are on a list, with their port when the entry has one")
    func rules() throws {
        let rules = HostRules(allowed: ["a.test", "b.test:81", "10.0.0.1", "*.c.test"], inside: ["10.0.0.1"])
        for (url, allowed) in [
            ("http://a.test", true), ("http://a.test:99", true), ("http://x.a.test", false), ("http://a.test.", false),
            ("http://b.test", false), ("http://b.test:81", true), ("http://x.c.test", false),
        ] {
            #expect(rules.allow(try #require(WebURL(url))) == allowed, "\(url)")
        }
        #expect(rules.malformed == ["*.c.test"])
        let inner = try #require(IPAddress("10.0.0.1"))
        #expect(rules.allow(inner, for: try #require(WebURL("http://10.0.0.1"))))
        #expect(!rules.allow(inner, for: try #require(WebURL("http://a.test"))))
        let nowhere = try #require(IPAddress("0.0.0.0"))
        #expect(!rules.allow(nowhere, for: try #require(WebURL("http://10.0.0.1"))))
    }
}
