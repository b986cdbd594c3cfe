extension ExtensionFunction {
    /// Calls the function or method; the receiver of a method is the first argument.
    ///
    /// - Throws: what has no value: a wrong number of arguments, one of the wrong kind, a text that is none, a result out of range.
    public func call(_ arguments: [Value]) throws(ExtensionError) -> Value {
        guard arguments.count == argumentCount else {
            let extra = isConstructor ? 0 : 1
            throw ExtensionError("`\(rawValue)` takes \(argumentCount - extra) arguments, not \(arguments.count - extra)")
        }
        if isConstructor { return try construct(arguments[0]) }
        switch owner {
        case .decimal: return try decimalMethod(arguments)
        case .ipaddr: return try addressMethod(arguments)
        case .datetime: return try datetimeMethod(arguments)
        case .duration: return try durationMethod(arguments)
        }
    }

    private func construct(_ argument: Value) throws(ExtensionError) -> Value {
        guard case .string(let text) = argument else { throw wrong(argument, "string") }
        switch owner {
        case .decimal: return .decimal(try Value.Decimal(text))
        case .ipaddr: return .ip(try Value.IPAddress(text))
        case .datetime: return .datetime(try Value.Datetime(text))
        case .duration: return .duration(try Value.Duration(text))
        }
    }

    private func wrong(_ value: Value, _ expected: String) -> ExtensionError {
        ExtensionError("`\(rawValue)` needs a \(expected), not a \(value.kindName)")
    }

    private func decimalMethod(_ arguments: [Value]) throws(ExtensionError) -> Value {
        guard case .decimal(let left) = arguments[0] else { throw wrong(arguments[0], "decimal") }
        guard case .decimal(let right) = arguments[1] else { throw wrong(arguments[1], "decimal") }
        switch self {
        case .lessThan: return .bool(left < right)
        case .lessThanOrEqual: return .bool(left <= right)
        case .greaterThan: return .bool(left > right)
        default: return .bool(left >= right)
        }
    }

    private func addressMethod(_ arguments: [Value]) throws(ExtensionError) -> Value {
        guard case .ip(let address) = arguments[0] else { throw wrong(arguments[0], "ipaddr") }
        switch self {
        case .isIpv4: return .bool(!address.isIPv6)
        case .isIpv6: return .bool(address.isIPv6)
        case .isLoopback: return .bool(address.isLoopback)
        case .isMulticast: return .bool(address.isMulticast)
        default:
            guard case .ip(let range) = arguments[1] else { throw wrong(arguments[1], "ipaddr") }
            return .bool(address.isInRange(of: range))
        }
    }

    private func datetimeMethod(_ arguments: [Value]) throws(ExtensionError) -> Value {
        guard case .datetime(let moment) = arguments[0] else { throw wrong(arguments[0], "datetime") }
        switch self {
        case .toDate: return .datetime(try moment.toDate())
        case .toTime: return .duration(moment.toTime())
        case .offset:
            guard case .duration(let duration) = arguments[1] else { throw wrong(arguments[1], "duration") }
            return .datetime(try moment.offset(by: duration))
        default:
            guard case .datetime(let other) = arguments[1] else { throw wrong(arguments[1], "datetime") }
            return .duration(try moment.durationSince(other))
        }
    }

    private func durationMethod(_ arguments: [Value]) throws(ExtensionError) -> Value {
        guard case .duration(let duration) = arguments[0] else { throw wrong(arguments[0], "duration") }
        switch self {
        case .toMilliseconds: return .long(duration.milliseconds)
        case .toSeconds: return .long(duration.whole(1_000))
        case .toMinutes: return .long(duration.whole(60_000))
        case .toHours: return .long(duration.whole(3_600_000))
        default: return .long(duration.whole(86_400_000))
        }
    }
}
