internal import JSON
internal import JWT

extension Configuration {
    /// The tokens of an issuer that are accepted beside API keys.
    struct Tokens: Sendable, Hashable {
        /// A file with the issuer's public keys (a JSON Web Key Set); empty: none.
        var jwks = ""
        /// What the issuer signs HS256 with; empty: nothing.
        var secret = ""
        /// What `iss` must be; empty: not asked.
        var issuer = ""
        /// What `aud` must be or hold; empty: not asked.
        var audience = ""

        /// How long a socket whose token has expired may stay to bring another.
        var refreshGrace = Duration.seconds(300)

        var areAccepted: Bool { !jwks.isEmpty || !secret.isEmpty }
    }
}

extension Configuration.Tokens {
    init(auth: SettingsSection) throws(ConfigurationError) {
        let section = try auth.subsection("jwt")
        jwks = try section.string("jwks", default: "")
        if let value = try section.value("secret"), !value.text.isEmpty {
            // The value is not repeated.
            guard JWTLimits.secretBytes.contains(value.text.utf8.count) else { throw value.failure("\(JWTKeySetError.badSecret)") }
            secret = value.text
        }
        for (key, path) in [("issuer", \Self.issuer), ("audience", \Self.audience)] {
            guard let value = try section.value(key), !value.text.isEmpty else { continue }
            // Who restricts tokens believes that there are some.
            guard areAccepted else { throw value.failure("has no effect without auth.jwt.jwks or auth.jwt.secret") }
            self[keyPath: path] = value.text
        }
        refreshGrace = try section.duration("refresh_grace", default: refreshGrace, in: .seconds(0) ... .seconds(86_400))
        try section.refuseUnknownKeys()
        try auth.refuseUnknownKeys()
    }

    var masked: JSONValue {
        [
            "jwks": .string(jwks), "secret": secret.isEmpty ? "" : "***", "issuer": .string(issuer), "audience": .string(audience),
            "refresh_grace": .string(refreshGrace.settingText),
        ]
    }
}
