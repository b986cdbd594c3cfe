internal import JSON

/// Writes batches of spans as OTLP's JSON (`ExportTraceServiceRequest`; OTLP specification, *JSON Protobuf Encoding*): ids in
/// hexadecimal, 64-bit numbers as texts, enumerations as numbers. Pure.
public struct OTLPEncoder: Sendable {
    /// `{…}` of the resource and of the scope: the same in every batch.
    private let resource: [UInt8]
    private let scope: [UInt8]

    /// - Parameters:
    ///   - attributes: of the process, such as `service.name`.
    ///   - version: of this program.
    public init(resource attributes: [SpanAttribute], version: String) {
        var writer = JSONWriter()
        writer.beginObject()
        Self.write(attributes, to: &writer)
        writer.endObject()
        resource = writer.bytes
        writer = JSONWriter()
        writer.beginObject()
        writer.member("name", "kdcube")
        writer.member("version", version)
        writer.endObject()
        scope = writer.bytes
    }

    func body(_ spans: [SpanRecord]) -> [UInt8] {
        var writer = JSONWriter(reserving: 1_024 * (spans.count + 1))
        writer.beginObject()
        writer.key("resourceSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("resource")
        writer.raw(resource)
        writer.key("scopeSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("scope")
        writer.raw(scope)
        writer.key("spans")
        writer.beginArray()
        for span in spans { Self.write(span, to: &writer) }
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    private static func write(_ span: SpanRecord, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("traceId", span.context.traceID)
        writer.member("spanId", Hex.text(span.context.spanID))
        if let parent = span.parent { writer.member("parentSpanId", Hex.text(parent)) }
        if !span.context.state.isEmpty { writer.member("traceState", span.context.state) }
        writer.member("name", span.name)
        writer.member("kind", span.kind.rawValue)
        writer.member("startTimeUnixNano", String(span.began))
        writer.member("endTimeUnixNano", String(span.ended))
        write(span.attributes, to: &writer)
        if !span.events.isEmpty {
            writer.key("events")
            writer.beginArray()
            for event in span.events {
                writer.beginObject()
                writer.member("timeUnixNano", String(event.at))
                writer.member("name", event.name)
                write(event.attributes, to: &writer)
                writer.endObject()
            }
            writer.endArray()
        }
        if let fault = span.fault {
            writer.key("status")
            writer.beginObject()
            // STATUS_CODE_ERROR
            writer.member("code", 2)
            writer.member("message", fault)
            writer.endObject()
        }
        writer.endObject()
    }

    private static func write(_ attributes: [SpanAttribute], to writer: inout JSONWriter) {
        writer.key("attributes")
        writer.beginArray()
        for (name, value) in attributes {
            writer.beginObject()
            writer.member("key", name)
            writer.key("value")
            write(value, to: &writer)
            writer.endObject()
        }
        writer.endArray()
    }

    private static func write(_ value: SpanValue, to writer: inout JSONWriter) {
        writer.beginObject()
        switch value {
        case .text(let text): writer.member("stringValue", text)
        case .integer(let integer): writer.member("intValue", String(integer))
        case .double(let double):
            writer.key("doubleValue")
            // JSON has no other numbers.
            writer.raw(double.isFinite ? "\(double)" : "0")
        case .flag(let flag):
            writer.key("boolValue")
            writer.value(flag)
        case .texts(let texts):
            writer.key("arrayValue")
            writer.beginObject()
            writer.key("values")
            writer.beginArray()
            for text in texts { write(.text(text), to: &writer) }
            writer.endArray()
            writer.endObject()
        }
        writer.endObject()
    }
}
