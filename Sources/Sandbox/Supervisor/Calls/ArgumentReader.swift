internal import JSON

/// Reads a call's arguments once, strictly: what two readers could understand differently is refused. Pure.
enum ArgumentReader {
    static func read(_ arguments: CallRequest.Arguments) throws(ArgumentError) -> JSONObject {
        switch arguments {
        case .text(let bytes): return try parse(bytes)
        case .object(let object):
            var nodes = 0
            try check(.object(object), depth: 1, nodes: &nodes)
            return object
        }
    }

    private static func parse(_ bytes: [UInt8]) throws(ArgumentError) -> JSONObject {
        guard bytes.count <= SupervisorLimits.argumentBytesMax else {
            throw error("are larger than \(SupervisorLimits.argumentBytesMax) bytes")
        }
        let limits = StrictJSONLimits(depth: SupervisorLimits.argumentDepthMax, nodes: SupervisorLimits.argumentNodesMax)
        let value: JSONValue
        do { value = try JSONValue(strictlyParsing: bytes, limits: limits) } catch {
            throw Self.error("are no strict JSON: \(error.description)")
        }
        guard case .object(let object) = value else { throw error("are no JSON object") }
        return object
    }

    /// What a channel gives was parsed there; this holds whoever made the tree.
    private static func check(_ value: JSONValue, depth: Int, nodes: inout Int) throws(ArgumentError) {
        nodes += 1
        guard depth <= SupervisorLimits.argumentDepthMax else { throw error("nest too deeply") }
        guard nodes <= SupervisorLimits.argumentNodesMax else { throw error("have too many values") }
        switch value {
        case .null, .bool, .integer, .number: break
        case .string(let text):
            guard !text.utf8.contains(0) else { throw error("have a NUL in a text") }
        case .array(let elements):
            for element in elements { try check(element, depth: depth + 1, nodes: &nodes) }
        case .object(let object):
            for member in object.members { try check(member.value, depth: depth + 1, nodes: &nodes) }
        case .bytes: throw error("have binary data")
        }
    }

    private static func error(_ message: String) -> ArgumentError {
        ArgumentError(path: "", rule: "json", message: "the arguments \(message)")
    }
}
