import Testing

@testable import AccountingRedis
@testable import RedisClient

@Suite("RedisURL: where Redis is")
struct RedisURLTests {
    @Test("A host alone gets the usual port and database 0")
    func defaults() throws {
        let url = try RedisURL(parsing: "redis://cache.internal")
        #expect(url == RedisURL(address: .tcp(host: "cache.internal", port: 6379)))
    }

    @Test("User, password, port and database are read, and percent signs decoded")
    func full() throws {
        let url = try RedisURL(parsing: "redis://app:p%40ss%2Fw%C3%B6rd@10.0.0.7:7001/3")
        #expect(url == RedisURL(address: .tcp(host: "10.0.0.7", port: 7001), user: "app", password: "p@ss/wörd", database: 3))
    }

    @Test("A password without a user belongs to the default user")
    func passwordOnly() throws {
        let url = try RedisURL(parsing: "redis://:s3cret@h")
        #expect(url.user == nil && url.password == "s3cret")
    }

    @Test("IPv6 hosts stand in brackets")
    func ipv6() throws {
        #expect(try RedisURL(parsing: "redis://[::1]:6380/1").address == .tcp(host: "::1", port: 6380))
        #expect(try RedisURL(parsing: "redis://[::1]").address == .tcp(host: "::1", port: 6379))
    }

    @Test("Of a cluster several nodes are named, in one text and with what lets in once in front")
    func cluster() throws {
        let url = try RedisURL(parsing: "redis://app:p%2Cw@h1:7001,[::1]:7002,h3,h1:7001/0")
        let nodes: [RedisURL.Address] = [.tcp(host: "h1", port: 7_001), .tcp(host: "::1", port: 7_002), .tcp(host: "h3", port: 6_379)]
        #expect(url.addresses == nodes, "each once")
        #expect(url.user == "app" && url.password == "p,w" && url.database == 0)
        #expect(try RedisURL(parsing: "redis://h,h:6379").others.isEmpty, "one address twice is one address")
        #expect(url.addresses.map(\.description) == ["h1:7001", "[::1]:7002", "h3:6379"])
        #expect(try RedisURL(parsing: "unix:///run/a,b.sock").addresses == [.unix(path: "/run/a,b.sock")])
        let most = (1...RedisLimits.seedsMax).map { "h\($0)" }
        #expect(try RedisURL(parsing: "redis://" + most.joined(separator: ",")).addresses.count == RedisLimits.seedsMax)
        #expect(throws: RedisURL.Problem.addresses(RedisLimits.seedsMax + 1)) {
            try RedisURL(parsing: "redis://" + (most + ["more"]).joined(separator: ","))
        }
    }

    @Test("A unix socket takes its database from the query")
    func unix() throws {
        let url = try RedisURL(parsing: "unix:///run/redis/redis.sock?db=2")
        #expect(url == RedisURL(address: .unix(path: "/run/redis/redis.sock"), database: 2))
    }

    @Test(
        "What cannot be used is refused with the part that is wrong",
        arguments: [
            ("", RedisURL.Problem.scheme("")), ("cache:6379", .scheme("")), ("http://h", .scheme("http")), ("rediss://h", .noTLS),
            ("redis://", .host), ("redis://:1", .host), ("redis://[::1", .host), ("redis://[::1]x", .host), ("redis://h:0", .port("0")),
            ("redis://h:65536", .port("65536")), ("redis://h:x", .port("x")), ("redis://h/x", .database("x")),
            ("redis://h/-1", .database("-1")), ("redis://a:%zz@h", .credentials), ("redis://a:%f@h", .credentials),
            ("redis://a:%ff@h", .credentials), ("unix://relative", .host), ("redis://h1,,h3", .host), ("redis://h1,", .host),
            ("redis://,h2", .host), ("redis://h1,h2:0", .port("0")), ("redis://h1:1/2,h2:2", .database("2,h2:2")),
            ("redis://u:p@h1,u:p@h2", .credentials),
        ])
    func refused(text: String, problem: RedisURL.Problem) {
        #expect(throws: problem) { try RedisURL(parsing: text) }
    }
}
