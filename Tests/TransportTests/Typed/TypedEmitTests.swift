import NIOCore
import Synchronization
import Testing
import Transport

/// Sending events of a type, to one and to many, and answers that have a type (S7, S20, S22, S23).
@Suite("Socket.IO typed emits", .timeLimit(.minutes(1)))
struct TypedEmitTests {
    struct Vote: Codable, Equatable { var yes: Bool }

    static let vote = Event<String>("vote?").answered(by: Vote.self)
    static let report = Event<String>("report")

    @Test("S7: the answer of a client has the question's type, and what has not is an error with its place") func answers() async throws {
        try await TestServer.quiet { server in
            server.namespace("/").on(Signal("go")) { socket in
                Task {
                    do throws(AcknowledgementError) {
                        let vote = try await socket.emitWithAck(Self.vote, "lunch?", timeout: .seconds(5))
                        socket.emit(Self.report, "\(vote.yes)")
                    } catch {
                        socket.emit(Self.report, "\(error)")
                    }
                    let maybe = try? await socket.timeout(.seconds(5)).emitWithAck(Signal("maybe?").answered(by: Int?.self))
                    socket.emit(Self.report, "\(maybe == .some(nil))")
                }
            }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            for (answer, expected) in [
                (#"[{"yes":true}]"#, "true"), (#"[{"yes":1}]"#, "/0/yes must be true or false"), ("[]", "/0 must be there"),
            ] {
                socket.say(#"42["go"]"#)
                let question = try await socket.text()
                #expect(question.hasSuffix(#"["vote?","lunch?"]"#))
                socket.say("43" + question.dropFirst(2).prefix { $0 != "[" } + answer)
                #expect(try await socket.text().contains(expected))
                let maybe = try await socket.text()
                socket.say("43" + maybe.dropFirst(2).prefix { $0 != "[" } + "[]")
                #expect(try await socket.text() == #"42["report","true"]"#)
            }
            #expect(try await server.shows(#"kdcube_socketio_event_faults_total{fault="undecodable"} 2"#))
        }
    }

    @Test("S20: every operator sends types: rooms, all but one, one socket that was found, volatile") func operators() async throws {
        let news = Event<String, [Int]>("news")
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Signal("go")) { socket in
                socket.join("team")
                socket.namespace.to("team").emit(news, "room", [1])
                socket.namespace.emit(news, "all", [])
                socket.broadcast.emit(news, "others", [3])
                socket.volatile.emit(news, "volatile", [4])
                Task {
                    for found in await socket.namespace.to("team").fetchSockets() { found.emit(news, "found", [5]) }
                }
            }
        } _: { server in
            let (first, _) = try await server.openSocket()
            let (second, _) = try await server.openSocket()
            first.say(#"42["go"]"#)
            for expected in [#""room",[1]"#, #""all",[]"#, #""volatile",[4]"#, #""found",[5]"#] {
                #expect(try await first.text() == #"42["news",\#(expected)]"#)
            }
            for expected in [#""all",[]"#, #""others",[3]"#] { #expect(try await second.text() == #"42["news",\#(expected)]"#) }
        }
    }

    @Test("S23: a broadcast gives the answers that have the type; others are missing, and the error says why") func gathered() async throws
    {
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.on(Signal("go")) { socket in
                Task {
                    do throws(IncompleteAnswers) {
                        let votes = try await main.emitWithAck(Self.vote, "lunch?")
                        main.emit(Self.report, "\(votes.count { $0.yes })")
                    } catch {
                        main.emit(Self.report, "\(error.answers.count) \(error.missing) \(error.reason)")
                    }
                }
            }
        } _: { server in
            let (first, _) = try await server.openSocket()
            let (second, _) = try await server.openSocket()
            for (answer, expected) in [(#"{"yes":true}"#, #""2""#), ("5", #""1 1 undecodable"#)] {
                first.say(#"42["go"]"#)
                for (socket, answer) in [(first, #"{"yes":true}"#), (second, answer)] {
                    let question = try await socket.text()
                    socket.say("43" + question.dropFirst(2).prefix { $0 != "[" } + "[\(answer)]")
                }
                #expect(try await first.text().contains(expected))
                _ = try await second.text()
            }
        }
    }

    @Test("What is not JSON is not sent: counted, reported, and an error for whoever asks") func unencodable() async throws {
        let faults = Mutex<[String]>([])
        try await TestServer.quiet { server in
            let main = server.namespace("/")
            main.onEventFault { socket, event, fault in
                if case .unencodable(let error) = fault { faults.withLock { $0.append("\(socket != nil) \(event) \(error)") } }
            }
            main.on(Signal("go")) { socket in
                let number = Event<Int, [Double]>("number")
                socket.emit(number, 1, [1, .nan])
                main.to("nobody").emit(number, 2, [.infinity])
                Task {
                    do throws(AcknowledgementError) {
                        _ = try await socket.emitWithAck(number.answered(by: Int.self), 3, [.nan])
                    } catch {
                        socket.emit(Self.report, "\(error == .unencodable(JSONCodingError(path: "/1/0", rule: .number)))")
                    }
                }
            }
            main.on(Signal("answer")) { _ in Double.nan }
        } _: { server in
            let (socket, _) = try await server.openSocket()
            socket.say(#"42["go"]"#)
            #expect(try await socket.text() == #"42["report","true"]"#)
            socket.say(#"421["answer"]"#)
            #expect(try await socket.text() == #"431[{"ok":false,"error":{"code":"internal"}}]"#)
            let expected = [
                "true number /1/1 must be a number", "false number /1/0 must be a number", "true number /1/0 must be a number",
                "true answer the value must be a number",
            ]
            #expect(await eventually { faults.withLock { $0 } == expected })
            #expect(try await server.shows(#"kdcube_socketio_event_faults_total{fault="unencodable"} 4"#))
        }
    }
}
