/// Codes and rules of decisions that policies bring about.
public enum PolicyCode {
    /// A policy had no value where its value mattered: nothing is allowed then.
    public static let error = "policy_error"
    /// No permit is satisfied.
    public static let defaultRule = "policy.default"
    /// The question itself could not be put to the policies.
    public static let questionRule = "policy.question"
    /// The policies were replaced while the call was asked about.
    public static let changedRule = "policy.changed"
    /// An argument belongs to another tenant.
    public static let tenantRule = "no-cross-tenant"
}
