import Transport

/// What everybody in a room gets.
struct Message: Codable {
    var name: String
    var text: String
}

let join = Event<String, String>("join")
let say = Event<String, String>("say")
let said = Event<Message>("said")

/// A chat with rooms. `swift run chat 3000`, then http://127.0.0.1:3000.
@main
struct Chat {
    static func main() async throws {
        let server = try SocketIOServer()
        let chat = server.namespace("/")
        chat.on(join) { socket, room, name in
            guard (1...20).contains(name.count) else { throw EventRefusal(message: "A name has 1 to 20 letters.") }
            try socket.setData("name", .string(name))
            socket.join(room)
            socket.to(room).emit(said, Message(name: name, text: "is here"))
            return await chat.to(room).fetchSockets().compactMap { $0.data["name"]?.stringValue }.sorted()
        }
        chat.on(say) { socket, room, text in
            guard let name = socket.data["name"]?.stringValue, await socket.rooms().contains(room) else {
                throw EventRefusal(message: "Join the room first.")
            }
            chat.to(room).emit(said, Message(name: name, text: text))
        }
        let port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 3000
        try await server.serve(port: port, page: String(decoding: PackageResources.page_html, as: UTF8.self))
    }
}
