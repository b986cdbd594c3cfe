internal import HTTPTypes
internal import Hummingbird

/// The chat page, the console, and the official Socket.IO client.
struct PageRoutes: Sendable {
    let files: StaticFiles

    func add(to router: Router<AppContext>) {
        router.get("/") { request, _ in try page("index.html", request) }
        router.get("/console") { request, _ in
            // What the page names is relative to its folder.
            guard request.uri.path.hasSuffix("/") else { return Response(status: .permanentRedirect, headers: [.location: "/console/"]) }
            return try page("console/index.html", request)
        }
        // A path that the router knows the beginning of does not fall back to the rule for all files.
        router.get("/console/**") { request, context in
            try page("console/" + context.parameters.getCatchAll().joined(separator: "/"), request)
        }
        router.get("/socket.io/socket.io.js") { request, _ in try page("vendor/socket.io.min.js", request) }
        router.get("/**") { request, context in try page(context.parameters.getCatchAll().joined(separator: "/"), request) }
    }

    private func page(_ path: String, _ request: Request) throws(HTTPFailure) -> Response {
        guard let response = files.response(for: path, request: request) else {
            throw path.hasPrefix("vendor/")
                ? .notFound(
                    "file of that name; scripts/setup.sh installs the official Socket.IO client and Chart.js into web-client/vendor")
                : .notFound("file of that name")
        }
        return response
    }
}
