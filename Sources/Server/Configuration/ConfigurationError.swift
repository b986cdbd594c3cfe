/// A setting that cannot be used: which one, where it was given, and the rule it breaks.
struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    /// The setting's path, such as `server.port` or `models[1].base_url`.
    let setting: String
    /// Where the value came from: `line 3`, `KDCUBE_SERVER_PORT`, `--port`.
    let origin: String?
    let rule: String

    var description: String {
        "configuration: \(setting)\(origin.map { " (\($0))" } ?? ""): \(rule)"
    }
}
