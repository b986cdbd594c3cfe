internal import Synchronization

/// Why something that all servers share about policies was not kept, or cannot be read.
public enum PolicyStoreError: Error, Sendable, Hashable {
    /// A field that we should have made properly; its name.
    case malformed(String)
    /// There is no room for another one.
    case full
    /// The back end did not do it, or nobody knows whether it did; the reason is one sentence for an operator. Doing it again is safe.
    case unavailable(String)
}

/// A version of the policies that served at some time.
public struct PolicyVersion: Sendable, Hashable {
    /// A digest of the files: printable ASCII, at most ``DecisionLimits/idBytes``.
    public let version: String
    /// When it first served (ms, UTC).
    public let at: Milliseconds

    public init(version: String, at: Milliseconds) {
        self.version = version
        self.at = at
    }
}

/// What a version is of. Their names tell them apart: those of a catalog begin with ``toolsPrefix``.
public enum PolicyVersionKind: Sendable, Hashable, CaseIterable {
    case policies
    /// The catalog of tools.
    case tools

    public static let toolsPrefix = "tools-"
}

/// The texts of all versions of the policies that ever served, so that a decision can be made again. One set for all orgs and servers.
public protocol PolicyVersions: Sendable {
    /// Keeps a version; one that is there stays as it is.
    ///
    /// - Parameter files: JSON, at most ``PolicyStoreLimits/versionBytes``.
    func keep(version: String, files: String, at: Milliseconds) async throws(PolicyStoreError)
    /// The newest first; at most ``PolicyStoreLimits/versionPage``.
    func versions(of kind: PolicyVersionKind, limit: Int) async throws(PolicyStoreError) -> [PolicyVersion]
    /// - Returns: nil for a version that never served.
    func files(of version: String) async throws(PolicyStoreError) -> String?
}

extension PolicyVersions {
    /// Those of the policies.
    public func versions(limit: Int) async throws(PolicyStoreError) -> [PolicyVersion] { try await versions(of: .policies, limit: limit) }
}

package enum PolicyVersionCheck {
    package static func version(_ version: String) throws(PolicyStoreError) {
        do { try DecisionText.check(version, "version") } catch { throw .malformed("version") }
    }

    package static func files(_ files: String) throws(PolicyStoreError) {
        guard files.utf8.count <= PolicyStoreLimits.versionBytes, !files.utf8.contains(0) else { throw .malformed("files") }
    }

    package static func limit(_ limit: Int) -> Int { min(max(1, limit), PolicyStoreLimits.versionPage) }
}

/// Versions in memory, for tests and trials: gone with the process. A `Mutex`; safe to use from any task.
public final class MemoryPolicyVersions: PolicyVersions {
    private let versions = Mutex<[String: (files: String, at: Milliseconds)]>([:])

    public init() {}

    public func keep(version: String, files: String, at: Milliseconds) async throws(PolicyStoreError) {
        try PolicyVersionCheck.version(version)
        try PolicyVersionCheck.files(files)
        let isKept = versions.withLock { versions -> Bool in
            if versions[version] != nil { return true }
            guard versions.count < PolicyStoreLimits.memoryRows else { return false }
            versions[version] = (files, at)
            return true
        }
        guard isKept else { throw .full }
    }

    public func versions(of kind: PolicyVersionKind, limit: Int) async throws(PolicyStoreError) -> [PolicyVersion] {
        let all = versions.withLock { versions in
            versions.filter { $0.key.hasPrefix(PolicyVersionKind.toolsPrefix) == (kind == .tools) }
                .map { PolicyVersion(version: $0.key, at: $0.value.at) }
        }
        return Array(all.sorted { ($1.at, $1.version) < ($0.at, $0.version) }.prefix(PolicyVersionCheck.limit(limit)))
    }

    public func files(of version: String) async throws(PolicyStoreError) -> String? { versions.withLock { $0[version]?.files } }
}
