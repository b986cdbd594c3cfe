internal import Engine
internal import Executor
internal import Foundation

extension Configuration.Tools {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        file = try section.string("file", default: file)
        onDeny = try section.choice("on_deny", default: onDeny)
        publish = try section.choice("publish", default: publish)
        for value in try section.strings("variables") {
            guard ToolReference.isName(value.text) else { throw value.failure("must be names of variables: letters, digits and _") }
            variables.insert(value.text)
        }
        try section.refuseUnknownKeys()
    }
}

extension Configuration.Policies {
    /// Where policies are when nothing says where.
    private static let usual = "policies"

    init(_ section: SettingsSection) throws(ConfigurationError) {
        mode = try section.choice("mode", default: mode)
        publish = try section.choice("publish", default: publish)
        directory = try Self.folder("directory", section, default: Self.usual)
        candidate = try Self.folder("candidate", section, default: "")
        guard candidate.isEmpty || mode == .enforce else {
            throw ConfigurationError(
                setting: "policies.candidate", origin: nil, rule: "is tried beside policies in force: policies.mode must be enforce")
        }
        try section.refuseUnknownKeys()
    }

    /// A folder that somebody named and that is not there would be policies that nobody misses until it is too late.
    private static func folder(
        _ key: String, _ section: SettingsSection, default fallback: String
    ) throws(ConfigurationError) -> String {
        let value = try section.value(key)
        let path = value?.text ?? fallback
        var isFolder = ObjCBool(false)
        if path.isEmpty || FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue { return path }
        guard let value, path != fallback else { return "" }
        throw value.failure("\(path) is no directory")
    }
}

extension Configuration.Approvals {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        if let value = try section.value("webhook"), !value.text.isEmpty {
            guard value.text.hasPrefix("http://") || value.text.hasPrefix("https://") else {
                throw value.failure("must be an http or https address")
            }
            webhook = value.text
        }
        webhookSecret = try section.string("webhook_secret", default: "")
        guard webhook.isEmpty || webhookSecret.utf8.count >= 16 else {
            throw ConfigurationError(
                setting: "approvals.webhook_secret", origin: nil,
                rule: "is needed with approvals.webhook, 16 bytes or more: its receiver tells by it that we have sent it")
        }
        try section.refuseUnknownKeys()
    }
}

extension Configuration.Sandbox {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        executor.minimum = try section.choice("minimum", default: executor.minimum)
        executor.python = try Self.path("python", section, default: executor.python)
        executor.bubblewrap = try Self.path("bubblewrap", section, default: executor.bubblewrap)
        executor.warm = try section.integer("warm", default: executor.warm, in: 0...64)
        executor.most = try section.integer("most", default: executor.most, in: 1...1_000)
        guard executor.warm <= executor.most else {
            throw ConfigurationError(setting: "sandbox.warm", origin: nil, rule: "must not be more than sandbox.most (\(executor.most))")
        }
        var limits = executor.limits
        // Less than the interpreter itself needs would only ever end in oom.
        limits.memory = Int64(try section.bytes("memory", default: Int(limits.memory), in: (32 << 20)...(64 << 30)))
        limits.wall = try section.duration("wall", default: limits.wall, in: .milliseconds(100) ... .seconds(3_600))
        limits.processes = try section.integer("processes", default: limits.processes, in: 1...4_096)
        executor.limits = limits
        executor.directory = try Self.path("directory", section, default: executor.directory)
        onKill = try section.choice("on_kill", default: onKill)
        try section.refuseUnknownKeys()
    }

    private static func path(
        _ key: String, _ section: SettingsSection, default fallback: String
    ) throws(ConfigurationError) -> String {
        guard let value = try section.value(key) else { return fallback }
        guard value.text.hasPrefix("/") else { throw value.failure("must be an absolute path") }
        return value.text
    }
}
