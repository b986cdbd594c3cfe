/// What one probe found, and what it should have.
public struct ProbeResult: Sendable, Hashable {
    public let name: String
    public let passed: Bool
    public let expected: String
    public let found: String
    /// What an operator does about it; nil when the probe passed.
    public let fix: String?

    init(name: String, passed: Bool, expected: String, found: String, fix: String?) {
        self.name = name
        self.passed = passed
        self.expected = expected
        self.found = found
        self.fix = passed ? nil : fix
    }
}

/// How well this machine shuts a sandbox in, found by trying and not by versions.
public struct IsolationReport: Sendable, Hashable {
    public let level: IsolationLevel
    public let probes: [ProbeResult]
    /// The version of the kernel's Landlock; 0 is none. Whether it is used says the probe `landlock`.
    public let landlockABI: Int
    public let cgroups: CgroupKind

    public init(level: IsolationLevel, probes: [ProbeResult], landlockABI: Int, cgroups: CgroupKind) {
        self.level = level
        self.probes = probes
        self.landlockABI = landlockABI
        self.cgroups = cgroups
    }

    /// The failed probes as text for an operator, one a line; empty when all passed.
    public var complaint: String {
        probes.filter { !$0.passed }
            .map { "\($0.name): expected \($0.expected), found \($0.found)\($0.fix.map { "; fix: \($0)" } ?? "")" }.joined(separator: "\n")
    }
}
