internal import Foundation

extension Configuration.Telemetry {
    /// Headers of a collector: a key, a tenant, and what a proxy on the way wants.
    private static let headersMax = 16

    init(_ section: SettingsSection) throws(ConfigurationError) {
        if let value = try section.value("otlp"), !value.text.isEmpty {
            guard let url = URL(string: value.text), let host = url.host(), !host.isEmpty, ["http", "https"].contains(url.scheme),
                url.query() == nil, url.user() == nil
            else { throw value.failure("must be the http or https address of a collector, such as http://127.0.0.1:4318") }
            otlp = value.text
        }
        for (name, value) in try section.entries("headers") {
            let isName = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            guard isName, value.text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), headers.count < Self.headersMax else {
                throw value.failure("must be at most \(Self.headersMax) headers of printable ASCII")
            }
            headers[name.lowercased()] = value.text
        }
        if let value = try section.value("sample") {
            guard let share = Double(value.text), (0...1).contains(share) else { throw value.failure("must be a number from 0 to 1") }
            sample = share
        }
        queue = try section.integer("queue", default: queue, in: 1...1_000_000)
        service = try section.string("service", default: service)
        guard !service.isEmpty, service.utf8.count <= 128 else {
            throw ConfigurationError(setting: "telemetry.service", origin: nil, rule: "must be 1 to 128 bytes")
        }
        try section.refuseUnknownKeys()
    }

    /// Where batches are posted: what is named may be the collector or its address for traces.
    var tracesURL: String {
        let base = otlp.hasSuffix("/") ? String(otlp.dropLast()) : otlp
        return base.hasSuffix("/v1/traces") ? base : base + "/v1/traces"
    }
}
