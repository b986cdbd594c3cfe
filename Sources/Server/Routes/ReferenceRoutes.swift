internal import HTTPTypes
internal import Hummingbird
internal import JSON
internal import NIOCore

/// `GET /openapi.json` and `/api/admin/openapi.json`: all addresses in one document. It tells what the repository tells anyway, so it needs
/// no credential.
struct ReferenceRoutes: Sendable {
    private static let paths = ["/openapi.json", "/api/admin/openapi.json"]

    /// Last of all: the document says where it and the router do not agree.
    func add(to router: Router<AppContext>) {
        let routes = router.routes.map { "\($0.method.rawValue) \($0.path)" } + Self.paths.map { "GET \($0)" }
        let document = ByteBuffer(bytes: APIDocument.json(routes: routes).jsonBytes)
        for path in Self.paths {
            router.get(RouterPath(path)) { _, _ in
                Response(
                    status: .ok, headers: [.contentType: "application/json; charset=utf-8", .cacheControl: "no-cache"],
                    body: ResponseBody(byteBuffer: document))
            }
        }
    }
}
