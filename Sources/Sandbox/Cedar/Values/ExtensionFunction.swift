/// The functions and methods of the extension types.
public enum ExtensionFunction: String, Hashable, Sendable, CaseIterable {
    /// The constructor of a type, and its methods.
    case decimal, lessThan, lessThanOrEqual, greaterThan, greaterThanOrEqual
    case ip, isIpv4, isIpv6, isLoopback, isMulticast, isInRange
    case datetime, offset, durationSince, toDate, toTime
    case duration, toMilliseconds, toSeconds, toMinutes, toHours, toDays

    /// The types that the language gets from extensions.
    public enum ExtensionType: String, Hashable, Sendable, CaseIterable {
        /// Named as a schema names them.
        case decimal, ipaddr, datetime, duration
    }

    /// Whether it is called as `f(x)` and makes a value from a string; the others are called as `x.f(…)`.
    public var isConstructor: Bool {
        switch self {
        case .decimal, .ip, .datetime, .duration: true
        default: false
        }
    }

    /// The type that a constructor makes, or whose method it is.
    public var owner: ExtensionType {
        switch self {
        case .decimal, .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual: .decimal
        case .ip, .isIpv4, .isIpv6, .isLoopback, .isMulticast, .isInRange: .ipaddr
        case .datetime, .offset, .durationSince, .toDate, .toTime: .datetime
        case .duration, .toMilliseconds, .toSeconds, .toMinutes, .toHours, .toDays: .duration
        }
    }

    /// The arguments it takes, the receiver of a method counted.
    public var argumentCount: Int {
        switch self {
        case .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual, .isInRange, .offset, .durationSince: 2
        default: 1
        }
    }

    /// The type of the argument of a method beyond the receiver; nil if it takes none.
    public var argumentType: ExtensionType? {
        switch self {
        case .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual: .decimal
        case .isInRange: .ipaddr
        case .offset: .duration
        case .durationSince: .datetime
        default: nil
        }
    }
}
