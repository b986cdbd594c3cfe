internal import Hummingbird
internal import NIOCore

/// What a route knows about its request. A value that lives as long as the request.
struct AppContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// Who is calling; nil on routes that need no credential.
    var caller: Principal?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }

    /// The caller of a route behind ``AuthenticationMiddleware``.
    ///
    /// - Throws: 401, should a route have been put in front of it by mistake.
    var principal: Principal {
        get throws {
            guard let caller else { throw HTTPFailure.unauthorized }
            return caller
        }
    }
}
