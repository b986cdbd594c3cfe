internal import JSON

/// Reads arguments from left to right. A value of one call.
struct ArgumentReader {
    private let arguments: [JSONValue]
    private var index = 0

    init(_ arguments: [JSONValue]) {
        self.arguments = arguments
    }

    /// The next argument. Nothing is what an optional one may be.
    ///
    /// - Throws: ``JSONCodingError`` whose path begins with the argument's number, from 0.
    mutating func next<Value: Decodable>(_ type: Value.Type) throws(JSONCodingError) -> Value {
        defer { index += 1 }
        if index < arguments.count {
            do throws(JSONCodingError) {
                return try arguments[index].decoded(as: type)
            } catch {
                throw error.within(String(index))
            }
        }
        if let optional = type as? any OptionalArgument.Type, let nothing = optional.nothing as? Value { return nothing }
        throw JSONCodingError(path: "/\(index)", rule: .present)
    }
}

/// What may be missing.
private protocol OptionalArgument {
    static var nothing: Self { get }
}

extension Optional: OptionalArgument {
    static var nothing: Wrapped? { nil }
}

extension Event {
    /// The arguments as they came, as the event's types.
    func read(_ arguments: [JSONValue]) throws(EventFault) -> (repeat each Argument) {
        var reader = ArgumentReader(arguments)
        do {
            return (repeat try reader.next((each Argument).self))
        } catch {
            throw .undecodable(error)
        }
    }

    /// The arguments as they leave. One that is nil is null, as ECMAScript writes what is undefined in an array.
    func written(_ arguments: repeat each Argument) throws(JSONCodingError) -> [JSONValue] {
        var written: [JSONValue] = []
        for argument in repeat each arguments {
            do throws(JSONCodingError) {
                written.append(try JSONValue(encoding: argument))
            } catch {
                throw error.within(String(written.count))
            }
        }
        return written
    }
}
