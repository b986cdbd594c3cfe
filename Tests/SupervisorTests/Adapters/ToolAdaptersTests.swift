import JSON
import NIOPosix
import Supervisor
import Testing

@testable import SupervisorAdapters

@Suite("The adapters together")
struct ToolAdaptersTests {
    @Test("each definition has its adapter; built-in tools of others have none")
    func dispatch() async throws {
        try await withAdapters { adapters in
            for name in DemoTools.names { #expect(adapters.adapter(for: .builtin(name)) is DemoTools) }
            for name in ["run_code", "memory.get", "payments.refund ", "Payments.refund", ""] {
                #expect(adapters.adapter(for: .builtin(name)) == nil)
            }
            let answer = await adapters.run(try admitted(.builtin("payments.refund"), ["order_id": "A1", "amount": "20.00"]))
            #expect(answer.failure == nil)
        }
    }

    @Test("hosts that cannot be asked are told at start")
    func check() async throws {
        try await withAdapters { adapters in
            func check(_ allowed: Set<String>, inside: Set<String> = []) async throws(ToolFailure) {
                let url = try? URLTemplate("https://api.test/x/{id}")
                guard let url else { throw ToolFailure(code: "test", message: "") }
                try await adapters.check(.http(HTTPDefinition(method: .get, url: url, allowHosts: allowed, privateHosts: inside)))
            }
            try await check(["api.test"])
            try await check(["api.test:443"])
            for (allowed, inside) in [(["other.test"], []), (["api.test:444"], []), (["api.test", "*.test"], []), (["api.test"], ["a b"])] {
                let failure = await #expect(throws: ToolFailure.self) { try await check(Set(allowed), inside: Set(inside)) }
                #expect(failure?.code == "bad_definition")
            }
        }
    }

    @Test("nothing is started once all was shut down")
    func shutDown() async throws {
        let adapters = ToolAdapters(group: MultiThreadedEventLoopGroup.singleton) { _, _ in }
        await adapters.shutdown()
        let child = AdapterDefinition.mcp(MCPDefinition(server: .command(["/bin/cat"], environment: []), tool: "t"))
        #expect(await adapters.run(try admitted(child)).failure?.hadNoEffect == true)
        let url = try URLTemplate("http://127.0.0.1:1/")
        let http = AdapterDefinition.http(
            HTTPDefinition(method: .get, url: url, allowHosts: ["127.0.0.1"], privateHosts: ["127.0.0.1"]))
        #expect(await adapters.run(try admitted(http)).failure?.hadNoEffect == true)
    }

    @Test("the system's resolver finds this machine by its name, and nothing for a name that nobody can have")
    func resolver() async throws {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let resolver = SystemResolver(threads: threads)
        let found = try await resolver.addresses(of: "localhost")
        #expect(!found.isEmpty && found.allSatisfy { $0.reach == .inside })
        await #expect(throws: ResolutionError.unknownHost) { try await resolver.addresses(of: "no_such_host.invalid") }
        try await threads.shutdownGracefully()
        await #expect(throws: (any Error).self) { try await resolver.addresses(of: "localhost") }
    }

    @Test("values of headers and variables are found in texts, whole and in words; short and open ones are left alone")
    func secrets() {
        let secrets = Secrets(headers: [
            NamedText("Authorization", "Bearer abcdef-123"), NamedText("Accept", "application/json"), NamedText("X-Short", "abc"),
        ])
        #expect(secrets.redacted("Bearer abcdef-123 or abcdef-123") == "*** or ***")
        #expect(secrets.redacted("application/json abc") == "application/json abc")
        #expect(secrets.redacted(["abcdef-123": ["x abcdef-123"], "n": 1]) == ["***": ["x ***"], "n": 1])
        #expect(shown("a\nb\u{7}c", bytesMax: 4) == "a b …")
    }
}
