internal import Engine
internal import Executor
internal import JSON
internal import Logging

extension Configuration {
    /// Everything that is in force, in the form of the YAML file. JSON is YAML, so what is printed can be read back.
    var masked: JSONValue {
        [
            "server": [
                "host": .string(server.host), "port": .integer(Int64(server.port)), "origins": .array(server.origins.map { .string($0) }),
                "grace": .string(server.grace.settingText), "drain": .string(server.drain.settingText),
                "drain_rate": .integer(Int64(server.drainRate)), "on_disconnect": .string(server.onDisconnect.rawValue),
                "disconnect_grace": .string(server.disconnectGrace.settingText), "web_client": .string(server.webClient),
                "tls": [
                    "certificate": .string(server.tls?.certificate ?? ""), "key": .string(server.tls?.key ?? ""),
                    "peer_roots": .string(server.tls?.peerRoots ?? ""),
                ],
                "advertise": .string(server.advertise), "trusted_proxies": .array(server.trustedProxies.map { .string($0) }),
            ],
            "stores": [
                "data": .string(stores.data), "redis": .string(Self.masked(url: stores.redis)),
                "postgres": .string(Self.masked(url: stores.postgres)),
            ],
            "auth": ["jwt": tokens.masked], "models": .array(models.map(\.masked)), "prices": ["file": .string(priceFile)],
            "budgets": .array(budgets.map(\.masked)),
            "accounting": [
                "slice": .string(accounting.slice.settingText),
                "slots": .object(
                    JSONObject(accounting.slots.sorted { $0.key < $1.key }.map { ($0.key.text, .integer(Int64($0.value))) })),
            ],
            "tools": [
                "file": .string(tools.file), "on_deny": .string(tools.onDeny.rawValue), "publish": .string(tools.publish.rawValue),
                "variables": .array(tools.variables.sorted().map { .string($0) }),
            ], "sandbox": sandbox.masked,
            "policies": [
                "directory": .string(policies.directory), "mode": .string(policies.mode.rawValue),
                "candidate": .string(policies.candidate), "publish": .string(policies.publish.rawValue),
            ],
            "telemetry": [
                "otlp": .string(Self.masked(url: telemetry.otlp)), "service": .string(telemetry.service),
                "sample": .number("\(telemetry.sample)"), "queue": .integer(Int64(telemetry.queue)),
                "headers": .object(JSONObject(telemetry.headers.keys.sorted().map { ($0, .string("***")) })),
            ],
            "log": ["level": .string(logLevel.rawValue)],
            "audit": ["checkpoints": .string(audit.checkpoints), "reads_without_log": .bool(audit.readsWithoutLog)],
            "approvals": [
                "webhook": .string(Self.masked(url: approvals.webhook)), "webhook_secret": approvals.webhookSecret.isEmpty ? "" : "***",
            ],
            "transport": transport.masked,
        ]
    }

    /// A store's address with its passwords hidden: before the `@`, and in parameters (`?password=`).
    static func masked(url: String) -> String {
        guard let question = url.firstIndex(of: "?") else { return masked(authority: url) }
        let parameters = url[url.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false).map { parameter in
            let name = parameter.prefix { $0 != "=" }
            return name.lowercased().contains("password") ? "\(name)=***" : String(parameter)
        }
        return masked(authority: String(url[..<question])) + "?" + parameters.joined(separator: "&")
    }

    private static func masked(authority url: String) -> String {
        guard let at = url.lastIndex(of: "@"), let slashes = url.firstRange(of: "://"), slashes.upperBound < at else { return url }
        let user = url[slashes.upperBound..<at].prefix { $0 != ":" }
        return "\(url[..<slashes.upperBound])\(user):***\(url[at...])"
    }
}

extension Configuration.Transport {
    var masked: JSONValue {
        [
            "ping_interval": .string(pingInterval.settingText), "ping_timeout": .string(pingTimeout.settingText),
            "max_message": .integer(Int64(maxMessage)), "queue": .integer(Int64(queue)),
            "http_compression": .bool(httpCompression), "deflate": .bool(deflate), "allow_eio3": .bool(allowEIO3),
            "cluster": .bool(cluster), "cluster_key": .string(clusterKey), "cluster_stream_events": .integer(Int64(clusterStreamEvents)),
            "cluster_python_channel": .string(clusterPythonChannel), "recovery": .string((recovery ?? .zero).settingText),
            "connection_lifetime": .string((connectionLifetime ?? .zero).settingText), "rate_limits": rateLimits.masked,
        ]
    }
}

extension Configuration.Sandbox {
    var masked: JSONValue {
        [
            "minimum": .string(executor.minimum.rawValue), "python": .string(executor.python),
            "bubblewrap": .string(executor.bubblewrap), "warm": .integer(Int64(executor.warm)),
            "most": .integer(Int64(executor.most)), "memory": .integer(executor.limits.memory),
            "wall": .string(executor.limits.wall.settingText), "processes": .integer(Int64(executor.limits.processes)),
            "directory": .string(executor.directory), "on_kill": .string(onKill.rawValue),
        ]
    }
}

extension Configuration.BudgetSetting {
    var masked: JSONValue {
        var object = JSONObject([
            ("scope", .string(scope)), ("unit", .string(unit)), ("window", .string(window)), ("limit", .string(limit)),
        ])
        if !model.isEmpty { object["model"] = .string(model) }
        if !tool.isEmpty { object["tool"] = .string(tool) }
        if !zone.isEmpty { object["zone"] = .string(zone) }
        return .object(object)
    }
}

extension Configuration.Model {
    var masked: JSONValue {
        var object = JSONObject([("id", .string(id)), ("provider", .string(provider.rawValue))])
        maskMetering(into: &object)
        guard provider != .scripted else { return .object(object) }
        object["base_url"] = .string(baseURL)
        object["api_key"] = apiKey.isEmpty ? "" : "***"
        object["upstream_model"] = .string(upstreamModel)
        object["prompt_overhead"] = .integer(Int64(promptOverhead))
        object["connect_timeout"] = .string(connectTimeout.settingText)
        object["first_byte_timeout"] = .string(firstByteTimeout.settingText)
        object["idle_timeout"] = .string(idleTimeout.settingText)
        object["call_timeout"] = .string(callTimeout.settingText)
        return .object(object)
    }

    /// What is in force, with the rules applied; what says nothing is left out.
    private func maskMetering(into object: inout JSONObject) {
        let metering = metering
        object["metering"] = .string((metering.standingReasons.isEmpty ? metering.configured ?? .stream : .reserve).rawValue)
        if let reasoning = metering.reasoning { object["reasoning"] = .string(reasoning.rawValue) }
        if billsAfterCancel { object["bills_after_cancel"] = true }
        if !upstreamStreams { object["upstream_stream"] = false }
        if maxOutputTokens > 0 { object["max_output_tokens"] = .integer(Int64(maxOutputTokens)) }
        if let outputLimit { object["output_limit"] = .string(outputLimit.rawValue) }
        if let onDisconnect { object["on_disconnect"] = .string(onDisconnect.rawValue) }
        if retry.retries > 0 { object["retries"] = .integer(Int64(retry.retries)) }
        if !retry.fallbacks.isEmpty { object["fallback"] = .array(retry.fallbacks.map { .string($0) }) }
        if retry.retries > 0 || !retry.fallbacks.isEmpty { object["retry_after_max"] = .string(retry.retryAfterMax.settingText) }
    }
}

extension Duration {
    /// As a setting writes it.
    var settingText: String {
        let (seconds, attoseconds) = components
        return attoseconds == 0 ? "\(seconds)s" : "\(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)ms"
    }
}
