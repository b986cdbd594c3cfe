import JSON
import Testing
import Transport

@testable import TransportRedis

@Suite("A question to other servers")
struct ClusterInquiryTests {
    private func inquiry(_ kind: ClusterInquiry.Kind, others: Int, _ bodies: ClusterResponse.Body...) -> ClusterInquiry {
        var inquiry = ClusterInquiry(kind)
        for body in bodies { inquiry.receive(body, bytes: 10) }
        inquiry.count(others)
        return inquiry
    }

    @Test("S24: complete with as many look-ups as there are other servers") func fetch() {
        #expect(inquiry(.fetch, others: 0).isComplete)
        #expect(!inquiry(.fetch, others: 1).isComplete)
        let two = inquiry(.fetch, others: 2, .sockets([["id": "a"]]), .sockets([["id": "b"], ["id": "c"], 1]))
        #expect(two.isComplete && two.answers.sockets.map(\.id) == ["a", "b", "c"] && two.answers.missing == 0)
        let one = inquiry(.fetch, others: 2, .sockets([["id": "a"]]), .done, .rooms([]), .ack(1))
        #expect(!one.isComplete && one.answers.missing == 1)
    }

    @Test("S23: complete when every server has counted and every receiver has answered, in whatever order") func emit() {
        #expect(!inquiry(.emit, others: 1, .ack(1)).isComplete)
        #expect(inquiry(.emit, others: 1, .ack(1), .clientCount(1)).isComplete)
        #expect(inquiry(.emit, others: 2, .clientCount(0), .clientCount(1), .ack(1)).answers.values == [1])
        let silent = inquiry(.emit, others: 2, .clientCount(3), .ack("x"))
        #expect(!silent.isComplete && silent.answers.values == ["x"] && silent.answers.missing == 3, "a server and two receivers")
    }

    @Test("S25: one answer a server") func serverSide() {
        #expect(inquiry(.serverSideEmit, others: 2, .serverSideEmit(1), .serverSideEmit(.null)).isComplete)
        #expect(inquiry(.serverSideEmit, others: 2, .serverSideEmit(1)).answers.missing == 1)
    }

    @Test("a server that died is not waited for, and one that came since was not asked") func counting() {
        var inquiry = ClusterInquiry(.fetch)
        inquiry.count(2)
        inquiry.receive(.sockets([]), bytes: 1)
        inquiry.count(3)
        #expect(!inquiry.isComplete && inquiry.servers == 2)
        inquiry.count(1)
        #expect(inquiry.isComplete && inquiry.answers.missing == 0)
    }

    @Test("servers that could not be counted are one that is missing") func uncounted() {
        #expect(!ClusterInquiry(.fetch).isComplete && ClusterInquiry(.fetch).answers.missing == 1)
    }

    @Test("answers are kept up to a limit; those beyond it count as missing and are not waited for") func bounded() {
        var inquiry = ClusterInquiry(.emit, answerBytesMax: 25)
        inquiry.receive(.clientCount(3), bytes: 5)
        for value in 1...3 { inquiry.receive(.ack(.integer(Int64(value))), bytes: 10) }
        inquiry.count(1)
        #expect(inquiry.isComplete && inquiry.answers.values == [1, 2] && inquiry.answers.missing == 1)
    }

    @Test("servers that were seen and are gone are remembered, the oldest forgotten") func seen() {
        var seen = ClusterSeen()
        #expect(seen.down(alive: ["a", "b"]) == [])
        #expect(seen.down(alive: ["b", "c"]) == ["a"])
        #expect(seen.down(alive: ["a", "b"]) == ["c"])
        for number in 0..<ClusterLimits.downMax { _ = seen.down(alive: ["n\(number)"]) }
        #expect(seen.down(alive: []).count == ClusterLimits.downMax)
    }
}
