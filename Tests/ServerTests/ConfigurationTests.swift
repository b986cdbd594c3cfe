import Engine
import Executor
import JSON
import Testing

@testable import kdcube

@Suite("Configuration: flags over environment over YAML over defaults")
struct ConfigurationTests {
    private func load(_ yaml: String? = nil, flags: [String: String] = [:], environment: [String: String] = [:]) throws -> Configuration {
        try Configuration(tree: SettingsTree(yaml: yaml, flags: flags, environment: environment))
    }

    @Test("defaults are those of the contract")
    func defaults() throws {
        let configuration = try load()
        #expect(configuration.server.host == "127.0.0.1" && configuration.server.port == 8000)
        #expect(configuration.stores.data == "./data" && configuration.stores.redis.isEmpty)
        #expect(configuration.transport.pingInterval == .seconds(25) && configuration.transport.pingTimeout == .seconds(20))
        #expect(configuration.transport.maxMessage == 1_000_000 && configuration.transport.queue == 1 << 20)
    }

    @Test("each source wins over the next")
    func precedence() throws {
        let yaml = "server: { port: 1 }"
        #expect(try load(yaml).server.port == 1)
        #expect(try load(yaml, environment: ["KDCUBE_SERVER_PORT": "2"]).server.port == 2)
        #expect(try load(yaml, flags: ["server.port": "3"], environment: ["KDCUBE_SERVER_PORT": "2"]).server.port == 3)
    }

    @Test("the whole sample of the contract is understood")
    func sample() throws {
        let configuration = try load(
            """
            server:   { host: 127.0.0.1, port: 8000, origins: [], tls: { certificate: "", key: "" } }
            stores:   { data: ./data, redis: "", postgres: "" }
            auth:     { jwt: { jwks: "", issuer: "", audience: "" } }
            models:
              - { id: demo, provider: scripted }
              - { id: gpt-5-mini, provider: openai, base_url: "https://example.com/v1", api_key: "${OPENAI_API_KEY}", upstream_model: "", metering: stream }
            prices:   { file: prices.json }
            budgets:  [ { scope: "org:demo", unit: usd, window: day, limit: "1.00" } ]
            policies: { directory: policies, mode: enforce }
            tools:    { file: does-not-exist.yaml }
            sandbox:  { minimum: full, python: /usr/bin/python3, warm: 2, memory: 256MiB, wall: 30s, processes: 64 }
            transport: { http_compression: true, ping_interval: 25s, ping_timeout: 20s, max_message: 1MB, queue: 1MiB, allow_eio3: false, deflate: false, recovery: 2m }
            """, environment: ["OPENAI_API_KEY": "sk-x"])
        #expect(configuration.models.map(\.id) == ["demo", "gpt-5-mini"])
        #expect(configuration.models[1].apiKey == "sk-x")
        #expect(configuration.budgets.first?.limit == "1.00")
        #expect(configuration.tools.file == "does-not-exist.yaml")
        #expect(configuration.sandbox.executor.limits.memory == 256 << 20 && configuration.sandbox.executor.minimum == .full)
        #expect(configuration.transport.recovery == .seconds(120))
        #expect(!configuration.transport.allowEIO3)
        #expect(try load("transport: { allow_eio3: true }").transport.allowEIO3)
        #expect(configuration.notices.count == 1)
        #expect(configuration.notices.contains { $0.hasPrefix("models[1].metering: gpt-5-mini is metered by reservation") })
    }

    @Test(
        "what is wrong is named with setting, origin and rule",
        arguments: [
            ("serv: {}", "serv", "line 1"), ("server: { prot: 1 }", "server.prot", "line 1"),
            ("server:\n  port: 70000", "server.port", "line 2"),
            ("server: { origins: [example.com] }", "server.origins", "line 1"),
            ("transport: { ping_interval: 25 }", "transport.ping_interval", "line 1"),
            ("transport: { deflate: 6 }", "transport.deflate", "line 1"),
            ("transport: { recovery: true }", "transport.recovery", "line 1"),
            ("transport: { recovery: 2h }", "transport.recovery", "line 1"),
            ("transport: { recovery: 500ms }", "transport.recovery", nil),
            ("transport: { allow_eio3: 3 }", "transport.allow_eio3", "line 1"),
            ("transport: { http_compression: 6 }", "transport.http_compression", "line 1"),
            ("stores: { postgres: x }", "stores.postgres", "line 1"),
            ("audit: { checkpoint: x }", "audit.checkpoint", "line 1"),
            ("tools: { on_deny: ask }", "tools.on_deny", "line 1"), ("sandbox: { minimum: half }", "sandbox.minimum", "line 1"),
            ("sandbox: { python: python3 }", "sandbox.python", "line 1"), ("sandbox: { memory: 1MiB }", "sandbox.memory", "line 1"),
            ("sandbox: { warm: 9, most: 8 }", "sandbox.warm", nil), ("sandbox: { on_kill: ask }", "sandbox.on_kill", "line 1"),
            ("models: [ { id: a } ]", "models[0].provider", nil), ("models: [ { provider: scripted } ]", "models[0].id", nil),
            ("models: [ { id: a, provider: mystery } ]", "models[0].provider", "line 1"),
            ("models: [ { id: a, provider: scripted }, { id: a, provider: scripted } ]", "models[1].id", nil),
            ("models: [ { id: a, provider: openai } ]", "models[0].base_url", nil),
            ("models: [ { id: a, provider: openai, base_url: \"${NOT_SET}\" } ]", "models[0].base_url", "line 1"),
            ("models: [ { id: a, provider: scripted, metering: hold } ]", "models[0].metering", "line 1"),
            ("models: [ { id: a, provider: scripted, retries: 8 } ]", "models[0].retries", "line 1"),
            (
                "models: [ { id: a, provider: scripted, retries: 7, fallback: b }, { id: b, provider: scripted } ]", "models[0].fallback",
                nil
            ),
            ("models: [ { id: a, provider: scripted, fallback: b } ]", "models[0].fallback", nil),
            ("models: [ { id: a, provider: scripted, fallback: a } ]", "models[0].fallback", nil),
            ("models: [ { id: a, provider: scripted, on_disconnect: wait } ]", "models[0].on_disconnect", "line 1"),
            ("server: { disconnect_grace: 2h }", "server.disconnect_grace", "line 1"),
            ("budgets: [ { scope: \"org:a\" } ]", "budgets[0].unit", nil), ("- 1", "file", "line 1"), ("a: [", "file", nil),
        ] as [(String, String, String?)])
    func refusals(yaml: String, setting: String, origin: String?) {
        let error = #expect(throws: ConfigurationError.self) { try load(yaml) }
        #expect(error?.setting == setting)
        #expect(error?.origin == origin)
    }

    @Test("a Postgres address is taken, and its passwords are masked wherever they stand")
    func postgres() throws {
        let yaml = "stores: { redis: 'redis://:pw1@r/0', postgres: 'postgresql://kd:p%40w2@h:5433,i/db?sslpassword=pw3&connect_timeout=3' }"
        let configuration = try load(yaml)
        #expect(configuration.stores.postgres.hasSuffix("connect_timeout=3"))
        let shown = configuration.masked.jsonText
        #expect(shown.contains("postgresql://kd:***@h:5433,i/db?sslpassword=***&connect_timeout=3"))
        for secret in ["pw1", "p%40w2", "pw3"] { #expect(!shown.contains(secret)) }
        let error = #expect(throws: ConfigurationError.self) { try load(flags: ["stores.postgres": "host=h password=secret"]) }
        #expect(error?.setting == "stores.postgres" && error?.description.contains("secret") == false)
    }

    @Test("Postgres without Redis is refused: servers with counters of their own would each spend a shared budget (complaint 29)")
    func postgresNeedsRedis() throws {
        let alone = try load(flags: ["stores.postgres": "postgres:///db"])
        #expect(throws: CommandFailure.self) { try alone.stores.checkServable() }
        try load(flags: ["stores.postgres": "postgres:///db", "stores.redis": "redis://h"]).stores.checkServable()
        try load().stores.checkServable()
    }

    @Test("a cluster of Socket.IO servers is on the Redis of the counters") func cluster() throws {
        let error = #expect(throws: ConfigurationError.self) { try load("transport: { cluster: true }") }
        #expect(error?.setting == "transport.cluster")
        #expect(try !load("stores: { redis: redis://h }").transport.cluster)
        let yaml =
            "stores: { redis: redis://h }\ntransport: { cluster: true, cluster_key: chat, cluster_stream_events: 500, cluster_python_channel: '' }"
        let transport = try load(yaml).transport
        #expect(
            transport.cluster && transport.clusterKey == "chat" && transport.clusterStreamEvents == 500
                && transport.clusterPythonChannel.isEmpty)
        #expect(throws: ConfigurationError.self) { try load("transport: { cluster_key: '' }") }
        #expect(try load("server: { advertise: '10.0.0.7:8000' }").server.peerAddress(port: 1).map { "\($0)" } == "10.0.0.7:8000")
        #expect(try load("server: { host: 127.0.0.1 }").server.peerAddress(port: 8_001).map { "\($0)" } == "127.0.0.1:8001")
        for text in ["somewhere", "http://10.0.0.7:8000", "https://10.0.0.7:8000"] {
            #expect(throws: ConfigurationError.self) { try load("server: { advertise: '\(text)' }") }
        }
    }

    @Test("a certificate and its key go together") func certificate() throws {
        #expect(try load().server.tls == nil)
        #expect(try load("server: { tls: { certificate: '', key: '' } }").server.tls == nil)
        let both = try load("server: { tls: { certificate: a.pem, key: b.pem } }").server
        #expect(both.tls == Configuration.TLS(certificate: "a.pem", key: "b.pem") && both.scheme == "https")
        #expect(both.peerAddress(port: 8_001).map { "\($0)" } == "https://127.0.0.1:8001")
        let named = try load("server: { advertise: 'n1.example:80', tls: { certificate: a.pem, key: b.pem, peer_roots: c.pem } }")
        #expect(named.server.peerAddress(port: 8_001).map { "\($0)" } == "https://n1.example:80")
        #expect(named.masked.jsonText.contains(#""peer_roots":"c.pem""#) && named.notices.contains { $0.contains("peer_roots") })
        for (name, missing) in [("certificate", "key"), ("key", "certificate"), ("peer_roots", "certificate")] {
            #expect {
                try load("server: { tls: { \(name): a.pem } }")
            } throws: { ($0 as? ConfigurationError)?.setting == "server.tls.\(missing)" }
        }
    }

    @Test("a protection that this version lacks is refused when it is asked for (complaint 29: off in silence)")
    func missingProtections() {
        // A directory that somebody named and that is not there would be policies that nobody misses.
        #expect(throws: ConfigurationError.self) { try load("policies: { directory: does-not-exist }") }
        #expect(throws: ConfigurationError.self) { try load("policies: { mode: shadow, candidate: / }") }
        #expect(throws: ConfigurationError.self) { try load("approvals: { webhook: 'http://127.0.0.1:1/', webhook_secret: short }") }
        #expect(throws: ConfigurationError.self) { try load("server: { tls: { certificate: a.pem } }") }
        #expect(throws: ConfigurationError.self) { try load("auth: { jwt: { issuer: 'https://id.example.com' } }") }
        #expect(throws: ConfigurationError.self) { try load("auth: { jwt: { secret: short } }") }
    }

    @Test(
        "the mode of a model: what was chosen, unless its name or its traits say that deltas do not track its bill",
        arguments: [
            ("", MeteringMode.stream, []), (", metering: reserve", .reserve, []), (", upstream_model: gpt-4o", .stream, []),
            (", upstream_model: gpt-5.1-mini", .reserve, [ReserveReason.hiddenReasoning]),
            (", upstream_model: openai/o3-mini, metering: stream", .reserve, [.hiddenReasoning]),
            (", upstream_model: o3-mini, reasoning: none", .stream, []), (", upstream_model: o3x", .stream, []),
            (", upstream_model: gpt-50", .stream, []), (", reasoning: hidden", .reserve, [.hiddenReasoning]),
            (", bills_after_cancel: true", .reserve, [.billsAfterCancel]), (", upstream_stream: false", .reserve, [.notStreamed]),
        ] as [(String, MeteringMode, [ReserveReason])])
    func metering(setting: String, mode: MeteringMode, reasons: [ReserveReason]) throws {
        let yaml = "models: [ { id: m, provider: openai, base_url: \"http://h/v1\"\(setting) } ]"
        let configuration = try load(yaml)
        let call = ModelRequest(model: "m", messages: [])
        #expect(configuration.models[0].metering.decide(for: call) == MeteringDecision(mode: mode, reasons: reasons))
        #expect(configuration.notices.isEmpty == !(setting.contains("metering: stream") && !reasons.isEmpty))
        #expect(configuration.masked.jsonText.contains("\"metering\":\"\(mode.rawValue)\""))
    }

    @Test("attempts: retries, one fallback or several, and how long an upstream may ask us to wait")
    func attempts() throws {
        let configuration = try load(
            """
            models:
              - { id: a, provider: scripted, retries: 2, fallback: [b, c], retry_after_max: 3s, on_disconnect: stop }
              - { id: b, provider: scripted, fallback: c }
              - { id: c, provider: scripted }
            """)
        #expect(configuration.models[0].retry.retries == 2 && configuration.models[0].retry.fallbacks == ["b", "c"])
        #expect(configuration.models[0].retry.retryAfterMax == .seconds(3))
        #expect(configuration.models[1].retry.fallbacks == ["c"] && configuration.models[2].retry == RetryPolicy())
        let rules = DisconnectRules(configuration)
        #expect(rules.policy(for: "a", asked: nil) == .stop(grace: .seconds(30)) && rules.policy(for: "a", asked: .drain) == .drain)
        #expect(rules.policy(for: "b", asked: nil) == .drain && rules.policy(for: "b", asked: .stop) == .stop(grace: .seconds(30)))
    }

    @Test("lists come from the environment separated by commas")
    func lists() throws {
        let configuration = try load(environment: ["KDCUBE_SERVER_ORIGINS": "https://a.example, https://b.example"])
        #expect(configuration.server.origins == ["https://a.example", "https://b.example"])
    }

    @Test("what is printed can be read back, and says the same, but for secrets") func readBack() throws {
        let yaml = """
            server: { port: 1, origins: ["https://a.example"], grace: 1s, drain: 2s, drain_rate: 3, on_disconnect: stop, disconnect_grace: 4s,
                      web_client: w, advertise: "a:1", trusted_proxies: [10.0.0.0/8], tls: { certificate: c, key: k, peer_roots: r } }
            stores: { data: d, redis: "redis://h:1", postgres: "postgresql://h/d" }
            auth: { jwt: { jwks: j, issuer: i, audience: a, refresh_grace: 5s } }
            models:
              - { id: demo, provider: scripted, on_disconnect: drain }
              - { id: up, provider: openai, base_url: "https://h/v1", upstream_model: m, connect_timeout: 1s, first_byte_timeout: 2s,
                  idle_timeout: 3s, call_timeout: 4s, metering: reserve, reasoning: hidden, bills_after_cancel: true, upstream_stream: false,
                  max_output_tokens: 9, output_limit: max_tokens, prompt_overhead: 8, retries: 2, fallback: [demo], retry_after_max: 7s }
            prices: { file: p.json }
            budgets: [ { scope: "org:demo", tool: pay, unit: calls, window: day, limit: "6", zone: Europe/Berlin } ]
            accounting: { slots: { acme: 4 }, slice: 3s }
            tools: { file: t.yaml, on_deny: stop_turn, publish: all, variables: [A] }
            policies: { publish: off, mode: shadow }
            approvals: { webhook: "https://h/x" }
            telemetry: { otlp: "http://h:1", sample: 0.5, queue: 99, service: s }
            log: { level: debug }
            audit: { checkpoints: c, reads_without_log: true }
            sandbox: { minimum: basic, python: /p, bubblewrap: /b, warm: 1, most: 3, memory: 64MiB, wall: 5s, processes: 7, directory: /d, on_kill: end_run }
            transport: { ping_interval: 1s, ping_timeout: 2s, max_message: 2048, queue: 64KiB, http_compression: false, deflate: true,
                         allow_eio3: true, cluster: true, cluster_key: k, cluster_stream_events: 200, cluster_python_channel: c, recovery: 1m,
                         connection_lifetime: 1h, rate_limits: { events: 9, on_exceeded: disconnect, exempt_loopback: false } }
            """
        let secret = ["KDCUBE_APPROVALS_WEBHOOK_SECRET": "sixteen bytes or more"]
        let configuration = try load(yaml, environment: secret)
        let printed = (configuration.masked.objectValue?.members ?? []).map { "\($0.key): \($0.value.jsonText)\n" }.joined()
        var again = try load(printed, environment: secret)
        #expect(again.masked == configuration.masked)
        // Of a model the mode that is in force is printed, whoever chose it.
        (again.models, again.notices) = (configuration.models, configuration.notices)
        #expect(again == configuration)
        #expect(!printed.contains("sixteen bytes"))
    }
}
