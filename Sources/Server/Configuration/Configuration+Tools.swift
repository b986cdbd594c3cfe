internal import Engine
internal import Executor

extension Configuration.Tools {
    init(_ section: SettingsSection) throws(ConfigurationError) {
        file = try section.string("file", default: file)
        onDeny = try section.choice("on_deny", default: onDeny)
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
