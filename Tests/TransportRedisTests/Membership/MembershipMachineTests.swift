import RedisClient
import Testing
import Transport

@testable import TransportRedis

@Suite("Which nodes are up, decided")
struct MembershipMachineTests {
    private typealias Row = MembershipTable.Row

    private func node(_ id: UInt32) -> ClusterNode {
        ClusterNode(id: id, address: PeerAddress(host: "10.0.0.\(id)", port: 8_000), uid: "kdc-\(id)")
    }

    private func row(_ id: UInt32, age: Int64 = 100, hasLeft: Bool = false) -> Row {
        Row(node: node(id), ageMilliseconds: age, hasLeft: hasLeft)
    }

    /// A node that has been in contact for so long that Redis' word counts.
    private func settled(_ rows: [UInt32]) -> MembershipMachine {
        var machine = MembershipMachine(id: 1, holder: "h")
        for second in [0, 2, 4, 6] as [Int64] { _ = machine.answered(.rows(rows.map { row($0) }), at: second * 1_000, spare: 0) }
        machine.fix()
        return machine
    }

    @Test func theOthersAreKnownWithTheFirstAnswer() {
        var machine = MembershipMachine(id: 1, holder: "h")
        #expect(machine.state == .waiting && machine.nodes.isEmpty)
        #expect(machine.answered(.rows([row(1), row(3), row(2)]), at: 0, spare: 0) == [.publish])
        #expect(machine.nodes == [node(2), node(3)] && machine.state == .member)
    }

    @Test func aNodeThatIsSilentForSixSecondsIsDown() {
        var machine = settled([2, 3])
        _ = machine.answered(.rows([row(2, age: 5_999), row(3, age: 6_000)]), at: 8_000, spare: 0)
        #expect(machine.nodes == [node(2)])
    }

    @Test func aNodeThatLeavesIsGoneAtOnce() {
        var machine = settled([2, 3])
        _ = machine.answered(.rows([row(2), row(3, age: 5, hasLeft: true)]), at: 6_100, spare: 0)
        #expect(machine.nodes == [node(2)])
    }

    @Test func aNodeThatWasNeverUpIsNotTaken() {
        var machine = MembershipMachine(id: 1, holder: "h")
        _ = machine.answered(.rows([row(2, age: 30_000)]), at: 0, spare: 0)
        #expect(machine.nodes.isEmpty)
    }

    @Test func whileRedisIsAwayWhatIsKnownStays() {
        var machine = settled([2, 3])
        #expect(machine.failed() == [.tellContactLost, .publish])
        #expect(machine.failed() == [])
        #expect(machine.state == .outOfContact && machine.nodes.count == 2)
    }

    @Test func afterAGapTheRowsOfLivingNodesAreOldAndTheyStay() {
        var machine = settled([2, 3])
        _ = machine.failed()
        #expect(machine.answered(.rows([row(2, age: 40_000), row(3)]), at: 46_000, spare: 0) == [.tellContactFound, .publish])
        #expect(machine.nodes.count == 2)
        for second in [48, 50] as [Int64] { _ = machine.answered(.rows([row(2, age: 40_000), row(3)]), at: second * 1_000, spare: 0) }
        #expect(machine.nodes.count == 2)
        _ = machine.answered(.rows([row(2, age: 46_000), row(3)]), at: 52_000, spare: 0)
        #expect(machine.nodes == [node(3)], "six seconds of contact without a beat of it")
    }

    @Test func aRedisThatHasForgottenEverythingIsGivenTimeToHearOfTheOthers() {
        var machine = settled([2, 3])
        _ = machine.answered(.rows([row(1)]), at: 8_000, spare: 0)
        #expect(machine.nodes.count == 2, "it was restarted between two beats")
        _ = machine.answered(.rows([row(1), row(2)]), at: 10_000, spare: 0)
        #expect(machine.nodes.count == 2)
        _ = machine.answered(.rows([row(1), row(2)]), at: 12_000, spare: 0)
        #expect(machine.nodes == [node(2)])
    }

    @Test func aTakenIDIsReplacedAsLongAsNobodyUsesIt() {
        var machine = MembershipMachine(id: 1, holder: "h")
        #expect(machine.answered(.taken, at: 0, spare: 5) == [.tryAnotherID])
        #expect(machine.beat.id == 5)
        #expect(machine.answered(.rows([]), at: 0, spare: 6) == [.publish])
        machine.fix()
        #expect(machine.answered(.taken, at: 2_000, spare: 7) == [.tellIDLost, .publish])
        #expect(machine.state == .idLost && machine.beat.id == 5 && !machine.mayBeat)
        #expect(machine.answered(.rows([]), at: 4_000, spare: 8) == [])
    }

    @Test func aTableThatSaysTakenToEverythingIsNotAskedForEver() {
        var machine = MembershipMachine(id: 1, holder: "h")
        var tries = 0
        while machine.answered(.taken, at: 0, spare: 9) == [.tryAnotherID] { tries += 1 }
        #expect(tries == MembershipLimits.claimsMax - 1 && machine.state == .idLost)
    }

    @Test func anAnswerIsReadAndWhatIsNoneIsNot() {
        let words = ["rows", "7", "12", "on", "kdc-7", "10.0.0.7:8000", "8", "0", "off", "-", "-"].map { RedisValue.text($0) }
        #expect(
            MembershipTable.answer(.array(words))
                == .rows([
                    Row(node: node(7), ageMilliseconds: 12),
                    Row(node: ClusterNode(id: 8, address: nil, uid: nil), ageMilliseconds: 0, hasLeft: true),
                ]))
        let secure = ["rows", "7", "12", "on", "kdc-7", "https://10.0.0.7:8000"].map { RedisValue.text($0) }
        #expect(
            MembershipTable.answer(.array(secure))
                == .rows([
                    Row(
                        node: ClusterNode(id: 7, address: PeerAddress(host: "10.0.0.7", port: 8_000, isSecure: true), uid: "kdc-7"),
                        ageMilliseconds: 12)
                ]))
        #expect(MembershipTable.answer(.array([.text("taken")])) == .taken)
        #expect(MembershipTable.answer(.array(Array(words.dropLast()))) == nil)
        #expect(MembershipTable.answer(.text("OK")) == nil)
        let strange = ["rows", "16777216", "0", "on", "-", "-"].map { RedisValue.text($0) }
        #expect(MembershipTable.answer(.array(strange)) == .rows([]))
    }
}
