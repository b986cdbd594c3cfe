public import Hummingbird
public import NIOCore

/// The context that a route of ``RealtimeServer`` gets; use it with `Router(context: FrontRequestContext.self)`.
///
/// A value that lives as long as its request. `id` is the `x-request-id` that the response carries.
public struct FrontRequestContext: RequestContext, RemoteAddressRequestContext {
    /// What Hummingbird keeps with a request.
    public var coreContext: CoreRequestContextStorage
    /// The peer of the TCP connection: the proxy, if there is one in front.
    public let remoteAddress: SocketAddress?

    /// Made by the front for each request.
    public init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        remoteAddress = source.channel.remoteAddress
    }
}
