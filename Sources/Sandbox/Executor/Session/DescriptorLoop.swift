internal import CSandboxFiles
internal import Glibc

/// The tables of the lane's thread.
///
/// `@unchecked Sendable`: made by `DescriptorLane.init`, handed to its thread at the start, touched by that thread alone.
final class DescriptorLoop: @unchecked Sendable {
    private struct Entry {
        let inbox: SandboxInbox
        /// By source; -1 when closed.
        var descriptors: [Int32]
        var paused: Set<SandboxInbox.Source> = []
        var outbox: [UInt8] = []
        /// Bytes of `outbox` that are written already.
        var written = 0
        var unreadBy: ContinuousClock.Instant?
        var wakeAt: ContinuousClock.Instant?
        var cpu: (@Sendable () -> Int64?)?
        /// Writing is over: the sandbox is gone or does not read.
        var isMute = false
    }

    private let epoll: Int32
    private let wakeup: Int32
    private let limits = ChannelLimits()
    private let clock = ContinuousClock()
    private var entries: [DescriptorLane.ID: Entry] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: SessionLimits.chunk, alignment: 16)
    private var events = [csandbox_event](repeating: csandbox_event(), count: 64)

    init(epoll: Int32, wakeup: Int32) {
        self.epoll = epoll
        self.wakeup = wakeup
        _ = csandbox_watch(epoll, wakeup, 1, UInt32(CSANDBOX_READ), .max)
    }

    deinit { buffer.deallocate() }

    /// Acts on the commands, waits for the next thing to happen, acts on it. False after a stop.
    func turn(_ commands: [DescriptorLane.Command]) -> Bool {
        for command in commands {
            if case .stop = command {
                for id in Array(entries.keys) { finish(id) }
                close(epoll)
                close(wakeup)
                return false
            }
            act(on: command)
        }
        let count = csandbox_wait(epoll, &events, Int32(events.count), timeout())
        for event in events.prefix(max(Int(count), 0)) {
            guard event.data != .max else {
                var value: UInt64 = 0
                _ = read(wakeup, &value, 8)
                continue
            }
            let id = event.data >> 2
            guard let source = SandboxInbox.Source(rawValue: event.data & 3) else { continue }
            if event.ready & UInt32(CSANDBOX_WRITE) != 0 { flush(id) }
            if event.ready & UInt32(CSANDBOX_READ) != 0 { receive(id, source) }
        }
        fireTimers()
        return true
    }

    private func act(on command: DescriptorLane.Command) {
        switch command {
        case .add(let id, let sandbox, let inbox):
            entries[id] = Entry(inbox: inbox, descriptors: [sandbox.channel, sandbox.stdout, sandbox.stderr])
            for source in SandboxInbox.Source.allCases { watch(id, source, isNew: true) }
        case .send(let id, let bytes): send(id, bytes)
        case .resume(let id):
            guard let paused = entries[id]?.paused else { return }
            entries[id]?.paused = []
            for source in paused { watch(id, source, isNew: true) }
        case .wake(let id, let instant, let cpu):
            entries[id]?.wakeAt = instant
            entries[id]?.cpu = cpu
        case .finish(let id): finish(id)
        case .stop: break
        }
    }

    private func receive(_ id: DescriptorLane.ID, _ source: SandboxInbox.Source) {
        guard let entry = entries[id] else { return }
        let descriptor = entry.descriptors[Int(source.rawValue)]
        guard descriptor >= 0, !entry.paused.contains(source) else { return }
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        if count > 0 {
            if !entry.inbox.post(.bytes(source, [UInt8](buffer[..<count]))) { pause(id, source) }
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            shut(id, source)
            entry.inbox.post(.ended(source))
        }
    }

    /// A hang-up is reported whatever one waits for, so a paused descriptor leaves the set altogether.
    private func pause(_ id: DescriptorLane.ID, _ source: SandboxInbox.Source) {
        guard let descriptor = entries[id]?.descriptors[Int(source.rawValue)] else { return }
        entries[id]?.paused.insert(source)
        _ = csandbox_unwatch(epoll, descriptor)
    }

    private func send(_ id: DescriptorLane.ID, _ bytes: [UInt8]) {
        guard var entry = entries[id], entry.descriptors[0] >= 0, !entry.isMute else { return }
        let waiting = entry.outbox.count - entry.written
        guard waiting == 0 || waiting + bytes.count <= limits.unreadBytes else { return mute(id) }
        if waiting == 0 { entry.unreadBy = clock.now + limits.unread }
        entry.outbox.removeFirst(entry.written)
        entry.written = 0
        entry.outbox += bytes
        entries[id] = entry
        flush(id)
    }

    private func flush(_ id: DescriptorLane.ID) {
        guard let entry = entries[id], entry.descriptors[0] >= 0, !entry.isMute else { return }
        let channel = entry.descriptors[0]
        let before = entry.written
        var after = before
        entry.outbox.withUnsafeBytes { bytes in
            while after < bytes.count {
                let count = Glibc.send(channel, bytes.baseAddress?.advanced(by: after), bytes.count - after, Int32(MSG_NOSIGNAL))
                // A broken channel is seen by the reading side.
                if count <= 0 { break }
                after += count
            }
        }
        let isDone = after == entry.outbox.count
        entries[id]?.written = isDone ? 0 : after
        if isDone { entries[id]?.outbox = [] }
        if after > before { entries[id]?.unreadBy = isDone ? nil : clock.now + limits.unread }
        watch(id, .channel, isNew: false)
    }

    private func mute(_ id: DescriptorLane.ID) {
        entries[id]?.isMute = true
        entries[id]?.outbox = []
        entries[id]?.written = 0
        entries[id]?.unreadBy = nil
        watch(id, .channel, isNew: false)
        entries[id]?.inbox.post(.unread)
    }

    /// The sandbox is dead: reads what it left, within bounds, and closes everything.
    private func finish(_ id: DescriptorLane.ID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        for source in SandboxInbox.Source.allCases {
            let descriptor = entry.descriptors[Int(source.rawValue)]
            guard descriptor >= 0 else { continue }
            var total = 0
            while total < SessionLimits.afterDeath {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count <= 0 { break }
                entry.inbox.post(.bytes(source, [UInt8](buffer[..<count])))
                total += count
            }
            // Closing takes a descriptor out of the set: it has no duplicate.
            close(descriptor)
        }
        entry.inbox.post(.closed)
    }

    private func shut(_ id: DescriptorLane.ID, _ source: SandboxInbox.Source) {
        guard let descriptor = entries[id]?.descriptors[Int(source.rawValue)] else { return }
        entries[id]?.descriptors[Int(source.rawValue)] = -1
        close(descriptor)
    }

    private func watch(_ id: DescriptorLane.ID, _ source: SandboxInbox.Source, isNew: Bool) {
        guard let entry = entries[id] else { return }
        let descriptor = entry.descriptors[Int(source.rawValue)]
        guard descriptor >= 0, !entry.paused.contains(source) else { return }
        let writes = source == .channel && !entry.outbox.isEmpty
        let interest = UInt32(CSANDBOX_READ) | (writes ? UInt32(CSANDBOX_WRITE) : 0)
        _ = csandbox_watch(epoll, descriptor, isNew ? 1 : 0, interest, id << 2 | source.rawValue)
    }

    private func fireTimers() {
        let now = clock.now
        for (id, entry) in entries {
            if let wakeAt = entry.wakeAt, wakeAt <= now {
                entries[id]?.wakeAt = nil
                entry.inbox.post(.tick(cpu: entry.cpu?()))
            }
            if let unreadBy = entry.unreadBy, unreadBy <= now { mute(id) }
        }
    }

    /// Milliseconds until the first timer, rounded up; -1 is for ever.
    private func timeout() -> Int32 {
        let first = entries.values.flatMap { [$0.wakeAt, $0.unreadBy] }.compactMap { $0 }.min()
        guard let first else { return -1 }
        let left = (first - clock.now).nanoseconds
        return Int32(clamping: max((left + 999_999) / 1_000_000, 0))
    }
}
