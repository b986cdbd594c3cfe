/// A sandbox that said hello and waits for its one job.
struct WarmSandbox: Sendable {
    let launched: LaunchedSandbox
    let inbox: SandboxInbox
    let lane: DescriptorLane.ID
    /// After the hello.
    let channel: ChannelMachine

    /// Nothing happened to it since its hello.
    var isFit: Bool { !inbox.hasNews }
}

/// Starts a sandbox and waits for its hello, which is the proof that the interpreter works behind the filter.
struct SandboxBoot: Sendable {
    let launcher: Launcher
    let lane: DescriptorLane

    /// Throws `launch` with what the sandbox wrote, also when its task is cancelled; nothing of it is left then.
    func start() async throws(SandboxRefusal) -> WarmSandbox {
        let launched: LaunchedSandbox
        do { launched = try await launcher.launch() } catch { throw .launch("\(error)") }
        let inbox = SandboxInbox()
        let id = lane.add(launched, inbox)
        lane.perform(.wake(id, at: .now + SessionLimits.boot, cpu: { nil }))
        let greeting = await withTaskCancellationHandler {
            await listen(inbox)
        } onCancel: {
            inbox.post(.cancelled)
        }
        switch greeting {
        case .hello(let channel):
            lane.perform(.wake(id, at: nil, cpu: { nil }))
            return WarmSandbox(launched: launched, inbox: inbox, lane: id, channel: channel)
        case .failed(let text):
            let remains = await launcher.kill(launched)
            lane.perform(.finish(id))
            await launcher.remove(launched)
            throw .launch(LandlockLayer.failure(remains.status, text)?.description ?? text)
        }
    }

    private enum Greeting: Sendable {
        case hello(ChannelMachine)
        case failed(String)
    }

    private func listen(_ inbox: SandboxInbox) async -> Greeting {
        var channel = ChannelMachine()
        var said: [UInt8] = []
        while true {
            for event in await inbox.next().events {
                switch event {
                case .bytes(.channel, let bytes):
                    for action in channel.receive(bytes) {
                        if case .ready = action { return .hello(channel) }
                        if case .kill(let violation) = action { return .failed("\(violation)") }
                    }
                case .bytes(_, let bytes): said += bytes.prefix(SessionLimits.bootText - said.count)
                case .ended(.channel): return .failed("left before its hello: " + TextRepairer.text(of: said))
                case .tick: return .failed("no hello in time: " + TextRepairer.text(of: said))
                case .cancelled: return .failed("cancelled")
                default: break
                }
            }
        }
    }
}
