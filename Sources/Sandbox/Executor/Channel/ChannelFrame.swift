internal import JSON

/// A frame from the sandbox, parsed once and completely. Nothing in it says who sends it: a field for that is unknown.
enum ChannelFrame: Sendable, Hashable {
    case hello(version: Int64)
    case call(CallFrame)
    case emit(stream: String, data: JSONValue)
    case result(JSONValue)
    case log(String)

    struct CallFrame: Sendable, Hashable {
        enum Arguments: Sendable, Hashable {
            case object(JSONObject)
            /// Not acceptable, with the reason in words.
            case refused(String)
        }

        let id: Int64
        let tool: String
        let arguments: Arguments
        let idempotencyKey: String?
    }

    /// - Throws: a violation for what is no frame of this protocol. Arguments that are not acceptable are none, unless they
    ///   nest beyond the limit.
    init(_ body: [UInt8], limits: ChannelLimits) throws(ChannelViolation) {
        let json: JSONValue
        var refusal: String?
        do throws(StrictJSONError) {
            json = try JSONValue(strictlyParsing: body, limits: limits.json)
        } catch {
            // Depth is what a parser's stack is attacked with; no honest call needs more.
            guard error.reason != .tooDeep, let envelope = ArgumentsRange.envelope(of: body),
                let rest = try? JSONValue(strictlyParsing: envelope, limits: limits.json)
            else { throw ChannelViolation(.badFrame, error.description) }
            json = rest
            refusal = "args: \(error.reason.rawValue)"
        }
        try self.init(json, refusal: refusal)
    }

    private init(_ json: JSONValue, refusal: String?) throws(ChannelViolation) {
        guard let object = json.objectValue else { throw ChannelViolation(.badFrame, "a frame is an object") }
        guard let type = object["type"]?.stringValue else { throw ChannelViolation(.badFrame, "a frame has a type") }
        guard let known = Self.fields[type] else { throw ChannelViolation(.unknownType, "no frame has this type") }
        guard object.members.allSatisfy({ $0.key == "type" || known.contains($0.key) }) else {
            throw ChannelViolation(.unknownField, "a frame \(type) has fields \(known.joined(separator: ", ")) and no other")
        }
        switch type {
        case "hello": self = .hello(version: try Self.field("v", of: object, as: \.integerValue))
        case "call": self = .call(try Self.call(object, refusal: refusal))
        case "emit":
            let stream = try Self.field("stream", of: object, as: \.stringValue)
            guard stream.isChannelName else { throw ChannelViolation(.badFrame, "the name of a stream is [a-z][a-z0-9_.]{0,63}") }
            self = .emit(stream: stream, data: try Self.field("data", of: object, as: \.self))
        case "result": self = .result(try Self.field("value", of: object, as: \.self))
        default: self = .log(try Self.field("text", of: object, as: \.stringValue))
        }
    }

    private static let fields: [String: [String]] = [
        "hello": ["v"], "call": ["id", "tool", "args", "idem"], "emit": ["stream", "data"], "result": ["value"], "log": ["text"],
    ]

    private static func field<Value>(
        _ name: String, of object: JSONObject, as path: (JSONValue) -> Value?
    ) throws(ChannelViolation) -> Value {
        guard let json = object[name], let value = path(json) else {
            throw ChannelViolation(.badFrame, "the field \(name) is missing or of another type")
        }
        return value
    }

    private static func call(_ object: JSONObject, refusal: String?) throws(ChannelViolation) -> CallFrame {
        let arguments: CallFrame.Arguments
        if let refusal {
            arguments = .refused(refusal)
        } else if let members = object["args"]?.objectValue {
            arguments = .object(members)
        } else {
            arguments = .refused("args: an object is expected")
        }
        return CallFrame(
            id: try field("id", of: object, as: \.integerValue), tool: try field("tool", of: object, as: \.stringValue),
            arguments: arguments,
            idempotencyKey: object["idem"] == nil ? nil : try field("idem", of: object, as: \.stringValue))
    }
}

extension String {
    /// `[a-z][a-z0-9_.]{0,63}` by bytes, so that no character of another alphabet passes for one of these.
    var isChannelName: Bool {
        guard let first = utf8.first, first &- UInt8(ascii: "a") < 26, utf8.count <= ChannelLimits.nameBytes else { return false }
        return utf8.allSatisfy {
            $0 &- UInt8(ascii: "a") < 26 || $0 &- UInt8(ascii: "0") < 10 || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".")
        }
    }
}
