internal import Accounting
internal import AccountingPostgres
internal import Engine
internal import EngineProviders
internal import Foundation
internal import Transport

extension Configuration {
    /// Reads, merges and checks all settings.
    ///
    /// - Parameters:
    ///   - file: a YAML file; nil: defaults, environment and flags only.
    ///   - flags: values of the command line by path, such as `server.port`.
    /// - Throws: ``ConfigurationError`` for the first setting that is unknown or breaks its rule.
    static func load(
        file: String?, flags: [String: String] = [:], environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) -> Configuration {
        let tree = try SettingsTree(
            yaml: file.map { path throws(ConfigurationError) in try read(path) } ?? nil, flags: flags, environment: environment)
        return try Configuration(tree: tree)
    }

    private static func read(_ path: String) throws(ConfigurationError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ConfigurationError(setting: "file", origin: path, rule: "cannot be read")
        }
        guard data.count <= SettingsTree.fileBytesMax, let text = String(data: data, encoding: .utf8) else {
            throw ConfigurationError(setting: "file", origin: path, rule: "must be UTF-8 text of at most 1 MiB")
        }
        return text
    }

    init(tree: SettingsTree) throws(ConfigurationError) {
        try tree.refuseUnknownSections(known: [
            "server", "stores", "auth", "models", "prices", "budgets", "policies", "tools", "sandbox", "transport", "accounting",
            "audit", "approvals", "telemetry", "log",
        ])
        server = try Server(tree.section("server"))
        stores = try Stores(tree.section("stores"))
        transport = try Transport(tree.section("transport"))
        if transport.cluster, stores.redis.isEmpty {
            throw ConfigurationError(
                setting: "transport.cluster", origin: nil, rule: "needs stores.redis, where the servers find each other")
        }
        if !transport.cluster, server.tls?.peerRoots.isEmpty == false {
            notices.append("server.tls.peer_roots has no effect without transport.cluster: no requests are sent on to other servers")
        }
        accounting = try Accounting(tree.section("accounting"), stores: stores)
        for section in try tree.list("models") { models.append(try Model(section)) }
        for (index, model) in models.enumerated() where models[..<index].contains(where: { $0.id == model.id }) {
            throw ConfigurationError(setting: "models[\(index)].id", origin: nil, rule: "\(model.id) is listed twice")
        }
        try checkFallbacks()
        notices += models.enumerated().compactMap { $1.meteringNotice(at: $0) }
        for section in try tree.list("budgets") { budgets.append(try BudgetSetting(section)) }
        let prices = try tree.section("prices")
        priceFile = try prices.string("file", default: "")
        try prices.refuseUnknownKeys()
        tools = try Tools(tree.section("tools"))
        let audit = try tree.section("audit")
        self.audit.checkpoints = try audit.string("checkpoints", default: "")
        self.audit.readsWithoutLog = try audit.flag("reads_without_log", default: false)
        try audit.refuseUnknownKeys()
        policies = try Policies(tree.section("policies"))
        approvals = try Approvals(tree.section("approvals"))
        telemetry = try Telemetry(tree.section("telemetry"))
        let log = try tree.section("log")
        logLevel = try log.choice("level", default: logLevel)
        try log.refuseUnknownKeys()
        if !policies.directory.isEmpty, tools.file.isEmpty {
            notices.append("policies.directory has no effect without tools.file: there are no calls to decide about")
        }
        sandbox = try Sandbox(tree.section("sandbox"))
        tokens = try Tokens(auth: tree.section("auth"))
    }

    /// A fallback is another model of the list; whether its price is known is asked when it is called.
    private func checkFallbacks() throws(ConfigurationError) {
        for (index, model) in models.enumerated() {
            for (position, name) in model.retry.fallbacks.enumerated() {
                let isKnown = models.contains { $0.id == name } && name != model.id
                guard isKnown, !model.retry.fallbacks[..<position].contains(name) else {
                    throw ConfigurationError(
                        setting: "models[\(index)].fallback", origin: nil, rule: "\(name) must be another model of the list, once")
                }
            }
        }
    }
}

extension Configuration.Server {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        host = try section.string("host", default: host)
        port = try section.integer("port", default: port, in: 0...65_535)
        for origin in try section.strings("origins") {
            guard origin.text == "*" || origin.text.hasPrefix("http://") || origin.text.hasPrefix("https://"), !origin.text.hasSuffix("/")
            else {
                throw origin.failure("must be origins such as https://app.example.com, without a slash at the end, or *")
            }
            origins.append(origin.text)
        }
        grace = try section.duration("grace", default: grace, in: .seconds(0) ... .seconds(3_600))
        drain = try section.duration("drain", default: drain, in: .seconds(0) ... .seconds(3_600))
        drainRate = try section.integer("drain_rate", default: drainRate, in: 1...1_000_000)
        onDisconnect = try section.choice("on_disconnect", default: onDisconnect)
        disconnectGrace = try section.duration("disconnect_grace", default: disconnectGrace, in: .seconds(0) ... .seconds(3_600))
        webClient = try section.string("web_client", default: webClient)
        tls = try Configuration.TLS(section.subsection("tls"))
        if let value = try section.value("advertise"), !value.text.isEmpty {
            // Whether TLS is spoken there is told by `tls`.
            guard PeerAddress(value.text)?.isSecure == false else { throw value.failure("must be host:port, such as 10.0.0.7:8000") }
            advertise = value.text
        }
        for proxy in try section.strings("trusted_proxies") {
            do { _ = try AddressBlock(proxy.text) } catch { throw proxy.failure(error.reason) }
            trustedProxies.append(proxy.text)
        }
        try section.refuseUnknownKeys()
    }
}

extension Configuration.TLS {
    /// Nil where neither is given.
    init?(_ section: SettingsSection) throws(ConfigurationError) {
        certificate = try section.string("certificate", default: "")
        key = try section.string("key", default: "")
        peerRoots = try section.string("peer_roots", default: "")
        try section.refuseUnknownKeys()
        if certificate.isEmpty, key.isEmpty, peerRoots.isEmpty { return nil }
        for (name, value) in [("certificate", certificate), ("key", key)] where value.isEmpty {
            throw ConfigurationError(
                setting: "\(section.path).\(name)", origin: nil, rule: "is needed: a certificate and its key go together")
        }
    }
}

extension Configuration.Stores {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        data = try section.string("data", default: data)
        redis = try section.string("redis", default: redis)
        if let value = try section.value("postgres"), !value.text.isEmpty {
            // The value is not repeated: it may hold a password.
            guard (try? PostgresURL(parsing: value.text)) != nil else {
                throw value.failure("must be a Postgres address such as postgresql://user:password@127.0.0.1:5432/kdcube")
            }
            postgres = value.text
        }
        try section.refuseUnknownKeys()
    }
}

extension Configuration.Model {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        guard let id = try section.value("id"), !id.text.isEmpty, id.text.utf8.count <= 128 else {
            throw ConfigurationError(setting: "\(section.path).id", origin: nil, rule: "is needed, 1 to 128 bytes")
        }
        guard !id.text.hasPrefix(ToolName.mark) else {
            throw id.failure("must not begin with \(ToolName.mark), which marks tools in budgets and in the ledger")
        }
        guard try section.value("provider") != nil else {
            throw ConfigurationError(setting: "\(section.path).provider", origin: nil, rule: "is needed: scripted, openai or anthropic")
        }
        self.init(id: id.text, provider: try section.choice("provider", default: .scripted))
        baseURL = try section.string("base_url", default: "")
        apiKey = try section.string("api_key", default: "")
        upstreamModel = try section.string("upstream_model", default: "")
        try readMetering(section)
        try readAttempts(section)
        let bounds = Duration.milliseconds(1) ... .seconds(3_600)
        connectTimeout = try section.duration("connect_timeout", default: connectTimeout, in: bounds)
        firstByteTimeout = try section.duration("first_byte_timeout", default: firstByteTimeout, in: bounds)
        idleTimeout = try section.duration("idle_timeout", default: idleTimeout, in: bounds)
        callTimeout = try section.duration("call_timeout", default: callTimeout, in: bounds)
        if provider == .anthropic, baseURL.isEmpty { baseURL = AnthropicProvider.baseURL }
        if provider != .scripted, !baseURL.hasPrefix("http://"), !baseURL.hasPrefix("https://") {
            throw ConfigurationError(
                setting: "\(section.path).base_url", origin: nil,
                rule: "is needed for an \(provider.rawValue) model: http(s)://host[:port]/v1")
        }
        try section.refuseUnknownKeys()
    }

    private mutating func readMetering(_ section: SettingsSection) throws(ConfigurationError) {
        if try section.value("metering") != nil { meteringMode = try section.choice("metering", default: .stream) }
        if try section.value("reasoning") != nil { reasoning = try section.choice("reasoning", default: .none) }
        if try section.value("output_limit") != nil { outputLimit = try section.choice("output_limit", default: .maxTokens) }
        if try section.value("on_disconnect") != nil { onDisconnect = try section.choice("on_disconnect", default: .drain) }
        billsAfterCancel = try section.flag("bills_after_cancel", default: billsAfterCancel)
        upstreamStreams = try section.flag("upstream_stream", default: upstreamStreams)
        promptOverhead = try section.integer("prompt_overhead", default: promptOverhead, in: 0...1_000_000)
        maxOutputTokens = try section.integer("max_output_tokens", default: maxOutputTokens, in: 0...10_000_000)
    }

    private mutating func readAttempts(_ section: SettingsSection) throws(ConfigurationError) {
        retry.retries = try section.integer("retries", default: retry.retries, in: 0...(EngineLimits.attemptsMax - 1))
        retry.fallbacks = try section.strings("fallback").map(\.text)
        retry.retryAfterMax = try section.duration("retry_after_max", default: retry.retryAfterMax, in: .seconds(0) ... .seconds(120))
        guard 1 + retry.retries + retry.fallbacks.count <= EngineLimits.attemptsMax else {
            throw ConfigurationError(
                setting: "\(section.path).fallback", origin: nil,
                rule: "and retries make more than \(EngineLimits.attemptsMax) attempts of one run")
        }
    }
}

extension Configuration.BudgetSetting {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        func needed(_ key: String) throws(ConfigurationError) -> String {
            guard let value = try section.value(key) else {
                throw ConfigurationError(setting: "\(section.path).\(key)", origin: nil, rule: "is needed")
            }
            return value.text
        }
        self.init(
            scope: try needed("scope"), model: try section.string("model", default: ""), tool: try section.string("tool", default: ""),
            unit: try needed("unit"), window: try needed("window"), zone: try section.string("zone", default: ""),
            limit: try needed("limit"),
            setting: section.path)
        try section.refuseUnknownKeys()
    }
}

extension Configuration.Accounting {
    init(_ section: SettingsSection, stores: Configuration.Stores) throws(ConfigurationError) {
        for (name, value) in try section.entries("slots") {
            guard let org = try? OrgID(name) else { throw value.failure("\(name) cannot be an organisation's name") }
            guard let count = Int(value.text), (1...AccountingLimits.slots).contains(count) else {
                throw value.failure("must be a whole number from 1 to \(AccountingLimits.slots)")
            }
            guard !stores.redis.isEmpty || count == 1 else {
                throw value.failure("needs stores.redis: embedded counters have one set for all")
            }
            slots[org] = count
        }
        slice = try section.duration("slice", default: slice, in: .seconds(1) ... .seconds(AccountingLimits.sliceSecondsMax))
        guard slice.components.attoseconds == 0 else {
            throw ConfigurationError(setting: "accounting.slice", origin: nil, rule: "must be whole seconds")
        }
        try section.refuseUnknownKeys()
    }
}

extension Configuration.Transport {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        pingInterval = try section.duration("ping_interval", default: pingInterval, in: .milliseconds(100) ... .seconds(600))
        pingTimeout = try section.duration("ping_timeout", default: pingTimeout, in: .milliseconds(100) ... .seconds(600))
        maxMessage = try section.bytes("max_message", default: maxMessage, in: 1_024...(64 << 20))
        queue = try section.bytes("queue", default: queue, in: (64 << 10)...(256 << 20))
        httpCompression = try section.flag("http_compression", default: httpCompression)
        allowEIO3 = try section.flag("allow_eio3", default: allowEIO3)
        deflate = try section.flag("deflate", default: deflate)
        cluster = try section.flag("cluster", default: cluster)
        clusterKey = try section.string("cluster_key", default: clusterKey)
        clusterPythonChannel = try section.string("cluster_python_channel", default: clusterPythonChannel)
        clusterStreamEvents = try section.integer("cluster_stream_events", default: clusterStreamEvents, in: 100...10_000_000)
        guard !clusterKey.isEmpty, clusterKey.utf8.count <= 128, clusterPythonChannel.utf8.count <= 128 else {
            throw ConfigurationError(
                setting: "\(section.path).cluster_key", origin: nil,
                rule: "and cluster_python_channel have at most 128 bytes, the key one at least")
        }
        let recovery = try section.duration("recovery", default: .zero, in: .zero ... .seconds(3_600))
        // Each socket is told where it is in every half of this.
        guard recovery == .zero || recovery >= .seconds(1) else {
            throw ConfigurationError(setting: "transport.recovery", origin: nil, rule: "must be 0s, which turns it off, or from 1s to 1h")
        }
        self.recovery = recovery == .zero ? nil : recovery
        let lifetime = try section.duration("connection_lifetime", default: .zero, in: .zero ... .seconds(30 * 86_400))
        guard lifetime == .zero || lifetime >= .seconds(1) else {
            throw ConfigurationError(
                setting: "transport.connection_lifetime", origin: nil, rule: "must be 0s, which turns it off, or from 1s to 720h")
        }
        connectionLifetime = lifetime == .zero ? nil : lifetime
        rateLimits = try Configuration.RateLimits(section.subsection("rate_limits"))
        try section.refuseUnknownKeys()
    }
}
