import Testing

@testable import AccountingRedis

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
            ("redis://a:%ff@h", .credentials), ("unix://relative", .host),
        ])
    func refused(text: String, problem: RedisURL.Problem) {
        #expect(throws: problem) { try RedisURL(parsing: text) }
    }
}
