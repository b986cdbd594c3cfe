extension CedarType {
    /// The least type that holds the values of both, by the strict rules; nil if there is none.
    ///
    /// Booleans join to `Bool`; sets and records join part by part; everything else must be the same.
    public func joined(with other: CedarType) -> CedarType? {
        switch (self, other) {
        case (.set(let left), .set(let right)):
            return left.joined(with: right).map(CedarType.set)
        case (.record(let left), .record(let right)):
            return left.joined(with: right).map(CedarType.record)
        default:
            if self == other { return self }
            return isBoolean && other.isBoolean ? .bool : nil
        }
    }

    /// Whether every value of this type is one of `other` by the strict rules.
    public func isSubtype(of other: CedarType) -> Bool { joined(with: other) == other }
}

extension RecordType {
    /// The least record type that holds both: same keys, same required flags, joined types.
    public func joined(with other: RecordType) -> RecordType? {
        guard attributes.count == other.attributes.count else { return nil }
        var joined: [ExactString: Attribute] = [:]
        joined.reserveCapacity(attributes.count)
        for (name, left) in attributes {
            guard let right = other.attributes[name], left.isRequired == right.isRequired,
                let type = left.type.joined(with: right.type)
            else { return nil }
            joined[name] = Attribute(type: type, isRequired: left.isRequired)
        }
        return RecordType(attributes: joined)
    }
}
