import Testing
import TransportRedis

@Suite("Cluster limits") struct LimitTests {
    @Test("a message may be larger than what one client sends") func message() { #expect(ClusterLimits.messageBytesMax > 1 << 20) }
}
