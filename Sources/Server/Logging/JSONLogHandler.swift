internal import Foundation
internal import JSON
internal import Logging

/// One JSON object a line on standard error: what happened as a static message, the rest as fields.
///
/// Nothing here ever sees a prompt, a token of output, a key or an engine session id: callers log identifiers only.
/// A value type; `FileHandle` writes of a whole line are atomic enough for a pipe and a file opened for append.
struct JSONLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    private let threshold: LogThreshold
    /// Of a logger whose owner has set one.
    private var own: Logger.Level?

    init(label: String, threshold: LogThreshold = .shared) {
        self.label = label
        self.threshold = threshold
    }

    var logLevel: Logger.Level {
        get { own ?? threshold.level }
        set { own = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("time", Self.timestamp(Date()))
        writer.member("level", event.level.rawValue)
        writer.member("logger", label)
        writer.member("message", event.message.description)
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: { $0.key < $1.key }) {
            writer.member(key, value.description)
        }
        if let error = event.error { writer.member("error", "\(error)") }
        writer.endObject()
        FileHandle.standardError.write(Data(writer.bytes + [0x0A]))
    }

    static func timestamp(_ date: Date) -> String {
        date.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
    }
}
