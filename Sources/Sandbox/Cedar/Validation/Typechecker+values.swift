/// Sets, records, patterns and the extension types.
extension Typechecker {
    mutating func checkLike(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        guard let operand = expr.children.first, expect(.string, operand, prior) else { return .failed }
        return Typed(type: .bool)
    }

    mutating func checkSet(_ expr: Expr, _ prior: Set<Capability>) -> Typed {
        let parts = expr.children
        guard !parts.isEmpty else {
            report(.emptySet, expr, "An empty set has no type; use `isEmpty()` to ask whether a set is empty.")
            return .failed
        }
        var joined: CedarType?
        var isSound = true
        for part in parts {
            guard let type = check(part, prior).type else {
                isSound = false
                continue
            }
            guard let before = joined else {
                joined = type
                continue
            }
            if let wider = before.joined(with: type) {
                joined = wider
            } else if isSound {
                report(
                    .noCommonType, part, "The elements of a set must be of one type, and `\(type.spoken)` stands beside `\(before.spoken)`."
                )
                isSound = false
            }
        }
        guard isSound, let joined else { return .failed }
        return Typed(type: .set(joined))
    }

    mutating func checkRecord(_ expr: Expr, _ keys: [ExactString], _ prior: Set<Capability>) -> Typed {
        var attributes: [ExactString: RecordType.Attribute] = [:]
        var isSound = true
        for (key, value) in zip(keys, expr.children) {
            if let type = check(value, prior).type {
                attributes[key] = RecordType.Attribute(type: type)
            } else {
                isSound = false
            }
        }
        return isSound ? Typed(type: .record(RecordType(attributes: attributes))) : .failed
    }

    mutating func checkCall(_ expr: Expr, _ function: ExtensionFunction, _ prior: Set<Capability>) -> Typed {
        let arguments = expr.children
        var isSound = true
        if arguments.count != function.argumentCount {
            let isMethod = !function.isConstructor
            let wanted = function.argumentCount - (isMethod ? 1 : 0)
            let given = arguments.count - (isMethod ? 1 : 0)
            report(
                .argumentCount, expr, "`\(function.rawValue)` takes \(wanted) argument\(wanted == 1 ? "" : "s"), and \(given) are given.")
            isSound = false
        }
        for (index, argument) in arguments.enumerated() {
            let wanted: CedarType
            switch index {
            case 0: wanted = function.isConstructor ? .string : .extension(function.owner)
            case 1 where function.argumentType != nil: wanted = function.argumentType.map { .extension($0) } ?? .string
            default:
                _ = check(argument, prior)
                continue
            }
            if !expect(wanted, argument, prior) { isSound = false }
        }
        guard isSound else { return .failed }
        if function.isConstructor, let argument = arguments.first, !checkText(argument, function) { return .failed }
        return Typed(type: function.resultType)
    }

    /// The text of a constructor must be there to be read now, and be a value.
    private mutating func checkText(_ argument: Expr, _ function: ExtensionFunction) -> Bool {
        guard case .literal(.string(let text)) = argument.kind else {
            report(
                .computedConstructor, argument,
                "`\(function.rawValue)` needs a string that is written down, so that it can be checked here.")
            return false
        }
        do {
            _ = try function.call([.string(text)])
            return true
        } catch {
            report(.badConstructorText, argument, "\(error).")
            return false
        }
    }
}

extension ExtensionFunction {
    /// What a call gives.
    var resultType: CedarType {
        switch self {
        case .decimal, .ip, .datetime, .duration: .extension(owner)
        case .lessThan, .lessThanOrEqual, .greaterThan, .greaterThanOrEqual: .bool
        case .isIpv4, .isIpv6, .isLoopback, .isMulticast, .isInRange: .bool
        case .offset, .toDate: .extension(.datetime)
        case .durationSince, .toTime: .extension(.duration)
        case .toMilliseconds, .toSeconds, .toMinutes, .toHours, .toDays: .long
        }
    }
}
