import Accounting

/// Taking back from other slots of an org what they do not need, as `Accountant.gather` does: one slot after another.
extension World {
    /// All of the cap is released.
    func gather(_ index: Int) {
        guard widenings[index].need > 0, widenings[index].slots > 1 else { return end(index, .notYet) }
        widenings[index].phase = .shares
        askRoot(index)
    }

    /// All slots at once: they are on different masters.
    func look(_ index: Int) {
        let question = widenings[index]
        widenings[index].seen = Array(repeating: 0, count: question.slots)
        widenings[index].unseen = question.slots
        for slot in 0..<question.slots {
            figures.looked()
            sendForRoot(.read(org: "-", windows: [names.key(Int(question.name.window))]), set: question.firstSet + slot, index)
        }
    }

    func looked(_ index: Int, _ reply: CounterReply, set: Int) {
        widenings[index].seen[set - widenings[index].firstSet] = reply.shown.first?.taken ?? 0
        widenings[index].unseen -= 1
        guard widenings[index].unseen == 0 else { return }
        let question = widenings[index]
        let spare = (0..<question.slots).map { max(0, question.shares[$0] - question.seen[$0]) }
        let free = max(0, question.cap - question.shares.reduce(0, +))
        guard spare.reduce(free, +) >= question.need else {
            if question.isSecondLook { return end(index, .exhausted) }
            // What moves from slot to slot may be missed by one look.
            widenings[index].isSecondLook = true
            return gather(index)
        }
        widenings[index].taken = question.seen[question.slot]
        widenings[index].freed = free
        widenings[index].donors = (0..<question.slots).filter { $0 != question.slot && spare[$0] > 0 }
            .sorted { (spare[$0], $1) > (spare[$1], $0) }
        nextRecall(index)
    }

    private func nextRecall(_ index: Int) {
        let question = widenings[index]
        let isEnough = question.freed >= question.need || question.donors.isEmpty
        widenings[index].phase = isEnough ? .lastRelease : .beginRecall
        askRoot(index)
    }

    func recall(_ index: Int) {
        let question = widenings[index]
        guard let donor = question.donors.first else { return nextRecall(index) }
        widenings[index].phase = .recalling
        let least = question.need - question.freed
        sendForRoot(
            .recall(org: "-", window: names.key(Int(question.name.window)), turn: question.answer.turn, least: least),
            set: question.firstSet + donor, index)
    }

    func recalled(_ index: Int) {
        guard let donor = widenings[index].donors.first else { return }
        widenings[index].freed += max(0, widenings[index].shares[donor] - widenings[index].answer.released)
        widenings[index].donors.removeFirst()
        nextRecall(index)
    }

    /// With the defect (``ScaleSettings/keepsRecalled``) counters only show what they should have given back.
    func defective(_ command: CounterCommand) -> CounterCommand {
        guard settings.keepsRecalled, case .recall(let org, let window, _, _) = command else { return command }
        return .read(org: org, windows: [window])
    }
}
