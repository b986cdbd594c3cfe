internal import Accounting
internal import Foundation
internal import JWT
internal import Logging
internal import NIOPosix
internal import Synchronization
internal import Telemetry

/// What the tokens of an issuer are checked with, and how it changes: the key file is read again when it was changed, so that an issuer can
/// exchange its keys while the server runs.
///
/// A file that cannot be used changes nothing: whoever writes it badly locks nobody out, and lets nobody in. The keys are in a `Mutex` held
/// for a copy; one task reloads.
final class TokenKeys: Sendable {
    /// How often the file is looked at. New keys are in force at the second look, so within two seconds in every server.
    private static let interval = Duration.seconds(1)

    private let settings: Configuration.Tokens
    private let registry: MetricRegistry
    private let logger: Logger
    private let current: Mutex<JWTVerifier>
    /// The file as it was before it was read at the start.
    private let seen: FileIdentity?

    /// Reads a file: not on an event loop.
    ///
    /// - Returns: nil where no tokens are accepted.
    /// - Throws: ``ConfigurationError`` for keys that cannot be used: a server does not start without the keys it was given.
    init?(_ settings: Configuration.Tokens, registry: MetricRegistry, logger: Logger) throws(ConfigurationError) {
        guard settings.areAccepted else { return nil }
        self.settings = settings
        self.registry = registry
        self.logger = logger
        // Before it is read: what comes later is a change.
        seen = FileIdentity(settings.jwks)
        let verifier = try Self.load(settings)
        current = Mutex(verifier)
        note(verifier.keys)
    }

    /// - Throws: ``ConfigurationError`` that holds nothing of a key.
    static func load(_ settings: Configuration.Tokens) throws(ConfigurationError) -> JWTVerifier {
        var jwks: [UInt8]?
        if !settings.jwks.isEmpty {
            guard let data = FileManager.default.contents(atPath: settings.jwks) else {
                throw ConfigurationError(setting: "auth.jwt.jwks", origin: settings.jwks, rule: "cannot be read")
            }
            jwks = [UInt8](data)
        }
        let keys: JWTKeySet
        do throws(JWTKeySetError) { keys = try JWTKeySet(jwks: jwks, secret: settings.secret.isEmpty ? nil : settings.secret) } catch {
            let isSecret = error == .badSecret
            throw ConfigurationError(
                setting: isSecret ? "auth.jwt.secret" : "auth.jwt.jwks", origin: isSecret ? nil : settings.jwks, rule: "\(error)")
        }
        return JWTVerifier(keys: keys, issuer: settings.issuer, audience: settings.audience)
    }

    /// Who a token speaks for.
    ///
    /// - Throws: ``JWTError``, also for a claim that can be no name here.
    func principal(of token: String, at now: Milliseconds) throws(JWTError) -> Principal {
        // A copy, so that nobody waits for another's arithmetic.
        let verifier = current.withLock { $0 }
        return try Principal(verifier.verify(token, now: now.rawValue / 1_000), issuer: settings.issuer)
    }

    /// Follows the file until the task is cancelled.
    func run() async {
        guard !settings.jwks.isEmpty else { return }
        var follower = FileFollower(read: seen)
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            // A file system that hangs must not hold up a thread that others need.
            let path = settings.jwks
            let now: FileIdentity?
            do { now = try await NIOThreadPool.singleton.runIfActive { FileIdentity(path) } } catch { return }
            if follower.isDue(now) { await reload() }
        }
    }

    private func reload() async {
        let settings = settings
        let result = try? await NIOThreadPool.singleton.runIfActive { () -> Result<JWTVerifier, ConfigurationError> in
            do throws(ConfigurationError) { return .success(try Self.load(settings)) } catch { return .failure(error) }
        }
        switch result {
        case nil: return
        case .failure(let error):
            count("refused")
            logger.error("the keys of tokens cannot be used; those before stay in force", metadata: ["fault": "\(error)"])
        case .success(let verifier):
            let isNew = current.withLock { current in
                defer { current = verifier }
                return current.keys != verifier.keys
            }
            count(isNew ? "changed" : "unchanged")
            guard isNew else { return }
            logger.notice("the keys of tokens changed", metadata: ["keys": "\(verifier.keys.count)"])
            note(verifier.keys)
        }
    }

    private func note(_ keys: JWTKeySet) {
        for note in keys.notes { logger.notice("a key of tokens is not used", metadata: ["note": "\(note)"]) }
    }

    private func count(_ outcome: String) {
        registry.counter("kdcube_token_key_loads_total", "Readings of a changed key file, by what came of them", [("outcome", outcome)])
            .add()
    }
}
