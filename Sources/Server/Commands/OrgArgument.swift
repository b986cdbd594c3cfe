public import Accounting
public import ArgumentParser

/// An organisation on the command line: what is no name is wrong usage.
extension OrgID: ExpressibleByArgument {
    public init?(argument: String) { try? self.init(argument) }

    public var defaultValueDescription: String { text }
}

extension Budget.Owner: ExpressibleByArgument {}
